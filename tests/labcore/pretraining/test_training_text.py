"""What later labs train on: the same rows in every process, masks that hold, numbers that add up."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining import document_leak, packing_study, pipeline, training_text
from labcore.pretraining.packing_study import PackingConfig
from labcore.pretraining.pipeline import PipelineConfig, SourceConfig
from labcore.pretraining.training_text import TrainingTextConfig
from labcore.pretraining.vocabulary import divided
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import held_out_loss

SMALL = PipelineConfig(SourceConfig(kilobytes=20))
RECIPE = TrainingTextConfig(SMALL, vocab_size=400, row_tokens=64)


@pytest.fixture(scope="module")
def text():
    return training_text.training_text(RECIPE)


def test_the_rows_hold_the_documents(text):
    """Best fit, every piece decoded and joined: the training documents, each exactly once."""
    said = []
    for tokens, documents in zip(text.train.tokens, text.train.documents, strict=True):
        said += [tokens[documents == n].tolist() for n in range(int(documents.max()) + 1)]
    ids = sorted(token for piece in said for token in piece)
    train_texts, held_out = divided(SMALL)
    tokenizer = text.tokenizer
    expected = [[tokenizer.bos_id, *tokenizer.encode(t), tokenizer.eos_id] for t in train_texts]
    assert ids == sorted(token for one in expected for token in one)
    assert text.held_out_bytes == sum(len(t.encode()) for t in held_out)


def test_one_recipe_gives_the_same_rows(text):
    training_text.training_text.cache_clear()
    again = training_text.training_text(RECIPE)
    assert torch.equal(again.train.tokens, text.train.tokens)
    first, second = (
        next(one.batches(4, torch.Generator().manual_seed(1))).tokens for one in (text, again)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize("apart", [True, False])
def test_a_decoder_learns_from_it(text, apart):
    """A dozen steps bring the held-out loss well below an even guess, ln 400 = 5.99 nats."""
    made = replace(text, apart=apart)
    config = ModelConfig(
        vocab_size=400, hidden_size=16, num_layers=1, num_heads=2, max_positions=64
    )
    model = Transformer(config, torch.Generator().manual_seed(0))
    held_out = made.held_out_batches()
    assert sum(len(batch.tokens) for batch in held_out) == len(made.held_out)
    before = held_out_loss(model, held_out)
    rng = torch.Generator().manual_seed(0)
    drain(train(model, made.batches(8, rng), TrainConfig(steps=12, learning_rate=2e-2)))
    assert before == pytest.approx(np.log(400), rel=0.05)
    assert held_out_loss(model, held_out) < before - 0.7


def test_an_encoder_is_asked_for_a_share_of_the_real_tokens(text):
    batch = next(text.masked_batches(4, 0.15, torch.Generator().manual_seed(0)))
    asked = (batch.targets != IGNORE).sum(dim=1) / batch.padding_mask.sum(dim=1)
    assert ((asked > 0.1) & (asked < 0.2)).all()
    first, second = (text.held_out_masked_batches(0.15)[0].tokens for _ in range(2))
    assert torch.equal(first, second)


def test_the_downloads_tell_the_same_story():
    result = pipeline.run(SMALL)
    rows = [json.loads(line) for line in training_text.json_lines(result).decode().splitlines()]
    told = json.loads(training_text.account_json(SMALL))
    assert [row["text"] for row in rows] == [result.texts[n] for n in result.dataset()]
    assert told["documents"] == len(rows)
    assert told["bytes"] == sum(len(row["text"].encode()) for row in rows)
    first, last = told["stages"][0], told["stages"][-1]
    dropped = sum(sum(stage["dropped"].values()) for stage in told["stages"])
    assert first["entered"] - dropped == last["kept"]
    assert last["kept"] - told["planted_taken_out_at_the_end"] == told["documents"]
    assert told["settings"]["filter"]["least_characters"] == 20


def test_a_learners_text_goes_out_as_it_is_even_if_it_is_odd():
    odd = PipelineConfig(
        SourceConfig("own", own=('<script>alert("1")</script> long enough \ud800 here',))
    )
    line = training_text.json_lines(pipeline.run(odd)).decode()
    assert json.loads(line)["text"]


def test_the_three_ways_cost_what_they_must():
    """Padding alone loses and sees nobody else; the ribbon wastes less than a row; best fit tears no more
    than padding does, since both tear only what is longer than a row.
    """
    merges = np.empty((0, 2), np.uint16).tobytes()
    result = packing_study.run(PackingConfig(merges, SMALL, 256))
    pad, cut, fit = result.reports
    assert pad.foreign == 0 < fit.foreign
    assert pad.lost > 0 == cut.lost == fit.lost
    assert cut.wasted * cut.positions < 256
    assert pad.torn == fit.torn < cut.torn
    assert fit.wasted < pad.wasted
    assert result.mask.shape == (48, 48)
    assert result.documents.shape[1] == 256


def test_a_mask_keeps_a_stranger_out_to_the_last_bit():
    """Without it every logit moves and the loss multiplies; with it nothing changes at all."""
    result = document_leak.run(document_leak.LeakConfig(pairs=2))
    assert result.closed_change.max() == 0.0
    assert result.open_change.min() > 0.05
    np.testing.assert_allclose(result.closed_nats, result.alone_nats, rtol=1e-4)
    assert (result.open_nats > 2 * result.alone_nats).all()
    assert len(result.alone_nats) == 3


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: TrainingTextConfig(vocab_size=10), "vocab_size"),
        (lambda: TrainingTextConfig(row_tokens=1), "row_tokens"),
        (lambda: TrainingTextConfig(method="stack"), "method"),
        (lambda: PackingConfig(b"", row_tokens=9999), "row_tokens"),
        (lambda: PackingConfig(b"", method="stack"), "method"),
        (lambda: document_leak.LeakConfig(pairs=0), "pairs"),
    ],
)
def test_bad_settings_name_the_field(make, field):
    with pytest.raises(LabInputError) as caught:
        make()
    assert caught.value.field == field
