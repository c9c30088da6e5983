"""A vocabulary's growth: events and result agree, and the languages pay what was recorded."""

import numpy as np
import pytest

from app import results
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import vocabulary
from labcore.pretraining.pipeline import FilterConfig, PipelineConfig, SourceConfig
from labcore.pretraining.vocabulary import BASE, VocabularyConfig, VocabularyResult, grow, spell
from labcore.text.bpe import BPETokenizer

SMALL = PipelineConfig(SourceConfig(kilobytes=20))


@pytest.fixture(scope="module")
def grown():
    events = []
    result = drain(grow(VocabularyConfig(SMALL, 600)), events.append)
    return result, events


def test_events_tell_every_merge_once_in_order(grown):
    result, events = grown
    news = [piece for event in events for piece in event.news]
    assert [count for *_, count in news] == result.counts.tolist()
    assert len(news) == len(result.merges) == 600 - BASE
    assert events[-1].share == 1.0
    assert events[-1].sizes.tolist() == result.sizes.tolist()
    tokenizer = result.tokenizer()
    assert [token for _, _, token, _ in news] == [
        tokenizer.label(256 + n) for n in range(len(news))
    ]


def test_bytes_alone_are_one_byte_per_token_and_every_merge_helps(grown):
    result, _ = grown
    assert result.bytes_per_token[0].tolist() == [1.0, 1.0]
    assert (np.diff(result.bytes_per_token, axis=0) >= 0).all()
    assert result.bytes_per_token[-1].min() > 1.4


def test_compression_is_what_encoding_gives(grown):
    """Held-out Chinese bytes over the tokens of the final vocabulary, counted again."""
    result, _ = grown
    _, held_out = vocabulary.divided(SMALL)
    texts = vocabulary.shortened([t for t in held_out if vocabulary.language_of(t) == "zh"])
    tokens = sum(len(result.tokenizer().encode(text)) for text in texts)
    size = sum(len(text.encode()) for text in texts)
    assert result.bytes_per_token[-1, 0] == pytest.approx(size / tokens)
    assert result.held_out_bytes[0] == size


def test_a_smaller_vocabulary_is_the_beginning_of_a_larger_one(grown):
    result, _ = grown
    small = drain(grow(VocabularyConfig(SMALL, 400)))
    assert small.merges.tolist() == result.merges[: 400 - BASE].tolist()
    assert result.tokenizer(400).merges == small.tokenizer().merges
    assert result.tokenizer(BASE).merges == ()


def test_a_language_never_read_is_left_in_bytes():
    """The negative control: learnt from English alone, Chinese stays at about one byte per token."""
    result = drain(grow(VocabularyConfig(SMALL, 600, "en")))
    assert result.bytes_per_token[-1, 0] < 1.05
    assert result.bytes_per_token[-1, 1] > 1.5


def test_the_recorded_study_shows_the_same_over_three_seeds():
    path = results.RECORDINGS / "data-languages.safetensors"
    study = results.load(path, vocabulary.LanguageStudy).result
    assert study.bytes_per_token.shape == (3, 3, len(study.sizes), 2)
    both, chinese, english = study.bytes_per_token[:, :, -1].transpose(0, 2, 1)  # (2, seeds)
    assert english[0].max() < 1.02 < chinese[0].min()
    assert chinese[0].min() > both[0].max() > 3
    assert english[1].min() > both[1].max() > chinese[1].max()


def test_the_recorded_vocabulary_begins_as_today():
    path = results.RECORDINGS / "data-default.safetensors"
    recorded = results.load(path, VocabularyResult).result
    steps = grow(VocabularyConfig())
    counts = [piece[3] for _ in range(2) for piece in next(steps).news]
    assert counts == recorded.counts[: len(counts)].tolist()
    assert len(counts) >= 8


def test_broken_tokens_are_those_that_are_no_characters(grown):
    result, _ = grown
    tokens = result.tokenizer().vocab[256 : 256 + len(result.merges)]
    assert result.broken[-1] == sum(t.decode(errors="ignore").encode() != t for t in tokens) > 0


def test_a_spelling_holds_every_byte():
    """ "好" has three bytes and no merge: three broken tokens of one byte each."""
    spelling = spell("a好", BPETokenizer())
    assert spelling.labels == ["a", "⟨E5⟩", "⟨A5⟩", "⟨BD⟩"]
    assert spelling.lengths.tolist() == [1, 1, 1, 1]
    assert spelling.broken.tolist() == [False, True, True, True]
    assert spelling.bytes_per_token == 1.0
    assert spell("", BPETokenizer()).bytes_per_token == 0.0


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"vocab_size": 100}, "vocab_size"), ({"trained_on": "fr"}, "trained_on")],
)
def test_bad_settings_name_the_field(changes, field):
    with pytest.raises(LabInputError) as caught:
        VocabularyConfig(SMALL, **changes)
    assert caught.value.field == field


def test_no_text_left_is_said_in_a_rule():
    strict = PipelineConfig(SMALL.source, filter=FilterConfig(least_characters=10**6))
    with pytest.raises(LabInputError, match="too_few_documents"):
        next(grow(VocabularyConfig(strict)))
    english = PipelineConfig(SourceConfig("english", kilobytes=20))
    with pytest.raises(LabInputError, match="no_documents"):
        next(grow(VocabularyConfig(english, trained_on="zh")))
