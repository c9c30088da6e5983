"""The bill adds up, follows its knobs, and needs no weights."""

import pytest

from labcore.architecture.ledger import block_of, ledger
from labcore.errors import LabInputError
from labcore.model.config import LatentAttention, MixtureOfExperts, ModelConfig
from labcore.model.counting import flops_total, parameter_total
from labcore.model.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_rows_times_repeats_add_up_to_the_whole(name):
    config = PRESETS[name].config
    bill = ledger(config, tokens=100)
    assert sum(row.repeat * row.parameters for row in bill.rows) == parameter_total(config)
    assert sum(row.repeat * row.flops for row in bill.rows) == flops_total(config, 100)


@pytest.mark.parametrize(
    "changes",
    [
        {"latent": LatentAttention(q_lora_rank=8)},
        {"moe": MixtureOfExperts()},
        {"kind": "encoder_decoder", "num_encoder_layers": 5, "positions": "learned"},
    ],
)
def test_unusual_architectures_add_up_as_well(changes):
    config = ModelConfig(**changes)
    bill = ledger(config)
    assert sum(row.repeat * row.parameters for row in bill.rows) == bill.parameters
    assert sum(row.repeat * row.flops for row in bill.rows) == bill.flops


def test_blocks_stand_in_the_order_of_the_data():
    blocks = [(row.block, row.repeat) for row in ledger(PRESETS["t5-small"].config).rows]
    assert blocks == [
        ("embed", 1),
        ("encoder.embed", 1),
        ("encoder.attn", 6),
        ("encoder.mlp", 6),
        ("encoder.norm", 1),
        ("attn", 6),
        ("cross", 6),
        ("mlp", 6),
        ("norm", 1),
        ("head", 1),
    ]


def test_a_block_of_gpt2_by_hand():
    """4·768² + 4·768 weights of attention and 2·768 of its norm: 2,363,904; the MLP twice as many."""
    rows = {row.block: row for row in ledger(PRESETS["gpt2"].config).rows}
    assert rows["attn"].parameters == 4 * 768**2 + 4 * 768 + 2 * 768 == 2_363_904
    assert rows["mlp"].parameters == 8 * 768**2 + 5 * 768 + 2 * 768
    assert rows["head"].parameters == 0  # tied to the embedding
    assert rows["head"].output == (64, 50257)


def test_fewer_key_value_heads_shrink_the_cache_and_nothing_else_of_its_kind():
    config = PRESETS["llama-2-7b"].config
    full, grouped = ledger(config), ledger(config.with_(num_key_value_heads=8))
    assert full.cache_bytes_per_token == 4 * grouped.cache_bytes_per_token
    assert full.parameters > grouped.parameters


def test_one_more_token_costs_far_less_than_the_text_again():
    """Without the cache, the next token would cost a pass over all 65."""
    bill = ledger(PRESETS["gpt2"].config, tokens=64)
    assert 50 < bill.flops / bill.flops_next_token < 65


def test_an_encoder_writes_no_next_token_and_caches_nothing():
    bill = ledger(PRESETS["bert-base"].config)
    assert (bill.flops_next_token, bill.cache_bytes) == (0, 0)


def test_a_text_beyond_learned_positions_is_refused():
    with pytest.raises(LabInputError) as caught:
        ledger(PRESETS["gpt2"].config, tokens=1025)
    assert caught.value.facts["limit"] == 1024
    assert ledger(PRESETS["gpt2"].config, tokens=1024).tokens == 1024


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("token_embedding.weight", "embed"),
        ("stack.layers.11.cross_norm.weight", "cross"),
        ("encoder.layers.0.mlp.hidden", "encoder.mlp"),
        ("encoder.final_norm.weight", "encoder.norm"),
        ("logits", "head"),
    ],
)
def test_names_find_their_block(name, block):
    assert block_of(name) == block


def test_an_encoders_input_may_be_longer_than_what_is_written():
    """Encoder rows follow the source's length, and cross-attention looks at all of it."""
    config = PRESETS["t5-small"].config
    bill = ledger(config, tokens=3, context=20)
    rows = {row.block: row for row in bill.rows}
    assert rows["encoder.attn"].output == (20, 512)
    assert rows["attn"].output == (3, 512)
    shapes = {work.name: work.shape for work in rows["cross"].work}
    assert shapes["layers.0.cross.scores"] == (8, 3, 20)
    assert bill.flops == flops_total(config, 3, context=20)
