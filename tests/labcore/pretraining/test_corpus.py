"""What a run is pre-trained on: the same rows in every process, both kinds with the same batches."""

from itertools import islice

import pytest
import torch

from labcore.architecture.build_train_corpus import world
from labcore.errors import LabInputError
from labcore.pretraining import corpus
from labcore.pretraining.corpus import WorldTextConfig, pretraining_text
from labcore.pretraining.pipeline import PipelineConfig, SourceConfig
from labcore.pretraining.training_text import TrainingTextConfig
from labcore.text.masking import IGNORE
from labcore.text.world import split_of
from labcore.training.objectives import Batch

WORLD = WorldTextConfig(held_out_rows=24)
KEPT = TrainingTextConfig(PipelineConfig(SourceConfig(kilobytes=20)), vocab_size=400, row_tokens=64)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def texts(batch: Batch) -> list[str]:
    tokenizer = world().tokenizer
    return [
        tokenizer.decode(row[real].tolist())
        for row, real in zip(batch.tokens, batch.padding_mask, strict=True)
    ]


@pytest.mark.parametrize("languages", list(corpus.LANGUAGES))
def test_no_text_is_in_both_sets(languages):
    """The split is by a hash of the text, so each text says itself where it belongs."""
    text = pretraining_text(WorldTextConfig(languages, held_out_rows=24))
    drawn = islice(corpus.shown_batches(text, 8, seeded()), 6)
    assert {split_of(one) for batch in drawn for one in texts(batch)} == {"train"}
    held_out = [one for batch in corpus.shown_held_out(text) for one in texts(batch)]
    assert {split_of(one) for one in held_out} == {"held_out"}
    assert len(held_out) == 24
    assert text.held_out_bytes == sum(len(one.encode()) for one in held_out)


@pytest.mark.parametrize("source", [WORLD, KEPT])
def test_both_kinds_of_text_offer_the_same_batches(source):
    """The questions differ, the rows do not: shown, asked for the next token, or with gaps."""
    text = pretraining_text(source)
    shown = next(iter(corpus.shown_batches(text, 4, seeded())))
    again = next(iter(corpus.shown_batches(text, 4, seeded())))
    assert torch.equal(shown.tokens, again.tokens)
    assert shown.num_targets == 0
    following = next(text.batches(4, seeded()))
    assert following.num_targets > 0
    masked = text.held_out_masked_batches(0.3)
    for batch, whole in zip(masked, corpus.shown_held_out(text), strict=False):
        if batch.tokens.shape != whole.tokens.shape:
            continue  # the kept dataset's questions come in batches of another size
        true = batch.tokens.where(batch.targets == IGNORE, batch.targets)
        assert torch.equal(true, whole.tokens)
        assert (batch.tokens[batch.targets != IGNORE] == text.tokenizer.mask_id).all()


def test_floors_are_the_world_s_own():
    """Of one language the tag is certain: ln 2 less per text. Of natural text nothing is known."""
    text = pretraining_text(WorldTextConfig("zh", held_out_rows=24))
    nats = [world("passages").sequence_nats(row) for row in text.held_out]
    tokens = sum(map(len, nats))
    tagless = (sum(map(sum, nats)) - 24 * torch.tensor(2.0).log().item()) / tokens
    assert corpus.causal_floor(text) == pytest.approx(tagless, rel=1e-6)
    one_hidden = text.held_out_masked_batches(0.001)  # at least one in each text
    expected = [
        world("passages").masked_nats(row, set((targets != IGNORE).nonzero().flatten().tolist()))
        for batch, rows in zip(one_hidden, text.parts(64), strict=True)
        for row, targets in zip(rows, batch.targets, strict=True)
    ]
    assert all(len(one) == 1 for one in expected)
    assert corpus.masked_floor(text, one_hidden) == pytest.approx(sum(map(sum, expected)) / 24)
    kept = pretraining_text(KEPT)
    assert corpus.causal_floor(kept) is None
    assert corpus.masked_floor(kept, kept.held_out_masked_batches(0.3)) is None


@pytest.mark.parametrize("wrong", [{"languages": "fr"}, {"told": "poems"}, {"held_out_rows": 0}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(LabInputError) as refused:
        WorldTextConfig(**wrong)
    assert refused.value.field in wrong
