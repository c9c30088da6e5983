"""Checkpoints: what is saved comes back bit for bit, and what comes from outside is not trusted."""

import json
import struct

import pytest
import safetensors.torch
import torch

from labcore.architecture import build_train_corpus
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import MixtureOfExperts, ModelConfig
from labcore.model.transformer import Transformer
from labcore.recipes import world_encoder
from labcore.text.bpe import SPECIAL_TOKENS, BPETokenizer, train
from labcore.text.world import micro_world, world_tokenizer
from labcore.training import checkpoints
from labcore.training.checkpoints import Card, Sample
from labcore.training.objectives import IGNORE, held_out_loss

TEXTS = ["小猫在花园里睡觉。", "The cat sleeps in the garden.", "小猫和小狗在花园里。"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> BPETokenizer:
    return drain(train(TEXTS, 300))


def model_of(tokenizer: BPETokenizer, **changes) -> Transformer:
    small = {"hidden_size": 16, "num_layers": 2, "num_heads": 2} | changes
    config = ModelConfig(vocab_size=tokenizer.vocab_size, **small)
    return Transformer(config, torch.Generator().manual_seed(3)).eval()


def card_of(model: Transformer, **changes) -> Card:
    values = dict(
        name="tiny",
        objective="causal",
        config=model.config,
        parameters=sum(w.numel() for w in model.parameters()),
        corpus="two sentences",
        data_sha256="0" * 64,
        seed=3,
        command="python -m nowhere",
        steps=0,
        tokens_seen=0,
        train_nats=2.0,
        held_out_nats=2.2,
        floor_nats=2.0,
        samples=(Sample("小猫", "睡觉。", "zh"),),
        torch_version=torch.__version__,
        date="2026-01-01",
        seconds=0.0,
    )
    return Card(**(values | changes))


def logits_of(model: Transformer, tokenizer: BPETokenizer) -> torch.Tensor:
    tokens = torch.tensor([tokenizer.encode("小猫 in the garden。")])
    context = tokens if model.config.kind == "encoder_decoder" else None
    with torch.no_grad():
        return model(tokens, context=context).logits


KINDS = [
    {},
    {"kind": "encoder", "head": "mlm", "positions": "learned"},
    {"kind": "encoder_decoder", "positions": "t5", "norm": "rmsnorm"},
    {"num_key_value_heads": 1, "activation": "swiglu", "tie_embeddings": False},
    {"moe": MixtureOfExperts()},
]


@pytest.mark.parametrize("changes", KINDS)
def test_a_folder_gives_back_the_same_logits_and_the_same_card(tmp_path, tokenizer, changes):
    model = model_of(tokenizer, **changes)
    card = card_of(model)
    checkpoints.save(tmp_path / "tiny", model, tokenizer, card)
    again = checkpoints.load(tmp_path / "tiny")
    assert torch.equal(logits_of(again.model, tokenizer), logits_of(model, tokenizer))
    assert again.card == card
    assert again.tokenizer.merges == tokenizer.merges


@pytest.mark.parametrize("changes", KINDS)
def test_a_download_gives_back_the_same_logits(tokenizer, changes):
    model = model_of(tokenizer, **changes)
    again = checkpoints.load_bytes(checkpoints.save_bytes(model, tokenizer, card_of(model)))
    assert torch.equal(logits_of(again.model, tokenizer), logits_of(model, tokenizer))
    assert again.card == card_of(model)
    assert again.tokenizer.encode("小猫在 garden") == tokenizer.encode("小猫在 garden")


def test_a_tied_head_is_written_once(tmp_path, tokenizer):
    model = model_of(tokenizer)
    checkpoints.save(tmp_path, model, tokenizer, card_of(model))
    written = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert sum(w.numel() for w in written.values()) == card_of(model).parameters


def test_the_card_tells_how_far_the_loss_is_from_the_lowest_possible(tokenizer):
    """2.2 nats over a floor of 2.0 is a ratio of 1.1; natural text has no known floor."""
    model = model_of(tokenizer)
    assert card_of(model).floor_ratio == pytest.approx(1.1)
    assert card_of(model, floor_nats=None).floor_ratio is None


def test_a_tokenizer_of_another_size_is_refused(tmp_path, tokenizer):
    model = model_of(tokenizer)
    checkpoints.save(tmp_path, model, tokenizer, card_of(model))
    BPETokenizer(tokenizer.merges[:-1]).save(tmp_path / "tokenizer.json")
    with pytest.raises(LabInputError, match="vocabulary_of_the_model"):
        checkpoints.load(tmp_path)


def test_a_missing_weight_is_an_error_and_not_a_random_weight(tmp_path, tokenizer):
    model = model_of(tokenizer)
    checkpoints.save(tmp_path, model, tokenizer, card_of(model))
    weights = checkpoints.weights_of(model)
    weights.pop(next(iter(weights)))
    safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match="Missing key"):
        checkpoints.load(tmp_path)


def upload(model: Transformer, **header: str) -> bytes:
    """A download whose header was tampered with."""
    honest = {
        "format": checkpoints.FORMAT,
        "card": json.dumps(card_of(model).to_dict()),
        "merges": "[]",
        "special_tokens": json.dumps(SPECIAL_TOKENS),
    }
    return safetensors.torch.save(checkpoints.weights_of(model), metadata=honest | header)


def card_with(model: Transformer, **config) -> str:
    card = card_of(model).to_dict()
    card["config"] |= config
    return json.dumps(card)


@pytest.fixture(scope="module")
def bytes_only() -> Transformer:
    return model_of(BPETokenizer())


def test_an_untampered_upload_is_taken(bytes_only):
    assert checkpoints.load_bytes(upload(bytes_only)).tokenizer.merges == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 a zip, as torch.save writes it, pickle inside",
        b"\x80\x04cos\nsystem\n(S'true'\ntR.",  # a pickle that would call a command
        struct.pack("<Q", 2**63) + b"{}",  # a header longer than the file
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
        safetensors.torch.save({"w": torch.zeros(2)}),  # safetensors, but not of this lab
        safetensors.torch.save({"w": torch.zeros(2)}, metadata={"format": "pt"}),
    ],
)
def test_a_foreign_file_is_refused(data):
    with pytest.raises(LabInputError) as caught:
        checkpoints.load_bytes(data)
    assert caught.value.field == "upload"


def test_a_file_over_the_limit_is_not_even_opened():
    with pytest.raises(LabInputError, match="at_most_bytes"):
        checkpoints.load_bytes(bytes(checkpoints.UPLOAD_LIMIT_BYTES + 1))


@pytest.mark.parametrize(
    "config",
    [
        {"num_layers": 10**9},
        {"vocab_size": 10**12},
        {"hidden_size": 10**9},
        {"hidden_size": "wide"},
        {"moe": {"num_experts": 10**9}},
        {"moe": {"surprise": 1}},
        {"num_layers": 1},  # fewer layers than the file has weights for
        {"hidden_size": 32},  # other shapes than the file's
        {"positions": "learned"},  # weights that the file does not have
        {"unheard_of": 1},
        {"num_heads": 0},
        {"kind": None},
        {"rope_theta": "far"},  # only a forward pass would notice
        {"norm_eps": float("nan")},
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused_before_it_costs_memory(
    bytes_only, config
):
    with pytest.raises(LabInputError) as caught:
        checkpoints.load_bytes(upload(bytes_only, card=card_with(bytes_only, **config)))
    assert caught.value.field == "upload"


@pytest.mark.parametrize(
    "header",
    [
        {"card": "{"},
        {"card": "null"},
        {"card": "[" * 100_000},
        {"merges": "7"},
        {"merges": "[[0, 999]]"},  # a token that does not exist yet
        {"merges": "[[-1, 0]]"},
        {"merges": '[["a", 0]]'},
        {"merges": json.dumps([[97, 97], *[[256 + k, 256 + k] for k in range(60)]])},  # 2⁶¹ bytes
        {"special_tokens": "[1, 2, 3, 4, 5, 6]"},
        {"special_tokens": "[]"},
    ],
)
def test_a_header_made_to_hurt_is_refused(bytes_only, header):
    with pytest.raises(LabInputError) as caught:
        checkpoints.load_bytes(upload(bytes_only, **header))
    assert caught.value.field == "upload"


def test_weights_that_are_no_numbers_are_refused(bytes_only):
    weights = checkpoints.weights_of(bytes_only)
    weights["token_embedding.weight"] = torch.full_like(
        weights["token_embedding.weight"], torch.nan
    )
    model = Transformer(bytes_only.config, weights=weights)
    with pytest.raises(LabInputError, match="finite"):
        checkpoints.load_bytes(upload(model))


# ----- the bundled models

BUNDLED = ("world-decoder", "world-encoder", "world-translator")


def fresh_held_out(card: Card) -> tuple[list, float]:
    """Held-out text that the recipe did not look at, as batches, with its own floor."""
    if card.config.kind == "encoder":
        return fresh_gaps()
    world = build_train_corpus.world()
    kind = card.config.kind
    rng = torch.Generator().manual_seed(99)
    draw = build_train_corpus.drawing(kind, ("en", "zh"))
    rows = [draw("held_out", rng) for _ in range(100 if kind == "encoder_decoder" else 40)]
    batch = build_train_corpus.asking(kind, world.tokenizer, rng)(rows)
    return [batch], build_train_corpus.floor(kind, ("en", "zh"), rows, batch)


def fresh_gaps() -> tuple[list, float]:
    """Passages with as much hidden as in the encoder's own training, and the exact floor."""
    world = micro_world("passages")
    rows = world.dataset(300, seed=99, split="held_out")
    batch = world_encoder.masked(rows, world.tokenizer, torch.Generator().manual_seed(99))
    hidden = [set((row != IGNORE).nonzero().flatten().tolist()) for row in batch.targets]
    return [batch], world.masked_floor(rows, hidden).nats_per_token


# How far above the floor a model's card may stand. The aim is 1.10; after 23,000 steps the encoder has
# levelled off at 1.12 (LOG.md), and this number is to fall when a better one is baked.
NEAR = {"world-decoder": 1.10, "world-encoder": 1.13, "world-translator": 1.10}


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_is_near_the_floor_on_text_it_never_saw(name):
    """Near the lowest possible loss on its card's sample, and within 5 % more on fresh text.

    Not below it by more than chance either, or it would see what it should predict.
    """
    loaded = checkpoints.load(checkpoints.ASSETS / name)
    held_out, floor = fresh_held_out(loaded.card)
    assert 0.95 < held_out_loss(loaded.model, held_out) / floor < NEAR[name] + 0.05
    assert 0.99 < loaded.card.floor_ratio < NEAR[name]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_speaks_in_the_tokens_of_todays_world(name):
    """A world whose words have changed since asks for its recipes to be run again."""
    loaded = checkpoints.load(checkpoints.ASSETS / name)
    assert loaded.tokenizer.merges == world_tokenizer().merges


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_is_small_and_its_card_complete(name):
    folder = checkpoints.ASSETS / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000
    card = checkpoints.load(folder).card
    assert card.name == name
    assert card.command == f"python -m labcore.recipes.{name.replace('-', '_')}"
    assert len(card.data_sha256) == 64
    assert {sample.language for sample in card.samples} <= {"zh", "en"}
    assert all(sample.text for sample in card.samples)
