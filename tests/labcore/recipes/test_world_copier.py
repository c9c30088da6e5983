"""world-copier: what it is trained on, and that it copies."""

import torch

from labcore.architecture import attention_maps
from labcore.architecture.attention_maps import AttentionConfig
from labcore.recipes import world_copier
from labcore.text.masking import IGNORE
from labcore.text.world import micro_world
from labcore.training import checkpoints


def test_a_row_is_a_text_as_the_labs_models_read_it_and_its_tag_is_not_asked_for():
    tokenizer = micro_world().tokenizer
    words = world_copier.vocabulary(tokenizer)
    assert not {tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id} & set(words)
    rows = world_copier.told(tokenizer, words, 2, seed=0)
    batch = world_copier.asked(rows, tokenizer.pad_id)
    assert batch.tokens[:, 0].tolist() == [tokenizer.bos_id] * 2
    assert batch.targets[:, 0].tolist() == [IGNORE] * 2
    assert batch.targets[:, 1].tolist() == [row[2] for row in rows]


def test_the_bundled_copier_is_near_its_floor():
    """Within 5 % of what a reader pays who knows the recipe and weighs every period by Bayes' rule."""
    card = checkpoints.load(checkpoints.ASSETS / "world-copier").card
    assert 1.0 < card.floor_ratio < 1.05
    assert [sample.text for sample in card.samples] == [" blue ball. A red", "风筝，一只红色"]


def test_its_first_layer_looks_back_one_token_and_its_second_does_induction():
    """The two-layer circuit of arXiv:2209.11895, on a text whose every word returns."""
    text = "Tom lent Anna a green kite. Tom lent Anna a green kite."
    heads = attention_maps.run(AttentionConfig("world-copier", text)).kinds["self"]
    patterns = {(label.layer, label.pattern) for label in heads.labels}
    assert (0, "previous_token") in patterns
    assert (1, "induction") in patterns
    assert (0, "induction") not in patterns


def test_another_seed_makes_other_rows():
    first, other = (
        world_copier.told(micro_world().tokenizer, list(range(300)), 3, seed) for seed in (0, 1)
    )
    assert first != other
    assert torch.tensor(first).shape == (3, 62)
