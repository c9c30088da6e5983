"""Units of loss: arithmetic by hand, rows that ask for each token once, spellings of one distribution."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import objective_units as lab
from labcore.pretraining.objective_tasks import left_to_right_nats
from labcore.pretraining.objective_units import BYTES, Loss, UnitsConfig
from labcore.pretraining.pipeline import PipelineConfig
from labcore.pretraining.sources import SourceConfig
from labcore.text.bpe import BPETokenizer

QUICK = UnitsConfig(
    PipelineConfig(SourceConfig("english", 10, planted=False)), sizes=(BYTES, 300), steps=3
)


@pytest.fixture(scope="module")
def ran() -> tuple[lab.UnitsResult, list[lab.Progress]]:
    events = []
    return drain(lab.train_vocabularies(QUICK), events.append), events


def test_the_units_by_hand():
    """1,200 nats over 400 tokens and 1,000 bytes: 3 nats each, e^3 = 20.09, 1200 / 0.6931 / 1000 = 1.731."""
    loss = Loss(1200.0, 400, 1000)
    assert loss.nats_per_token == 3
    assert loss.perplexity == pytest.approx(20.0855, abs=1e-3)
    assert loss.bits_per_byte == pytest.approx(1.7312, abs=1e-3)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_perfect_readers_bits_per_byte_do_not_depend_on_the_spelling(language):
    """ln 192 nats a phrase, three words each; in bytes the same nats are spread over more tokens."""
    exact = lab.exact(language)
    assert exact["words"].nats_per_token == pytest.approx(math.log(192) / 3)
    assert len({round(loss.bits_per_byte, 12) for loss in exact.values()}) == 1
    perplexities = [loss.perplexity for loss in exact.values()]
    assert perplexities == sorted(perplexities, reverse=True)
    one = exact["bytes"]
    assert one.nats_per_token / math.log(2) == pytest.approx(one.bits_per_byte)


def test_chinese_phrases_are_counted_by_hand():
    """8 numbers and 24 measure words of one character; nouns: 10 of one, 12 of two, 2 of three."""
    exact = lab.exact("zh")
    characters = 8 * (24 + 24 + 10 * 1 + 12 * 2 + 2 * 3)
    assert exact["characters"].tokens == characters
    assert exact["bytes"].tokens == 3 * characters


@pytest.mark.parametrize("length", [1, 47, 48, 49, 96, 97, 200])
def test_rows_ask_for_every_token_but_the_first_exactly_once(length):
    tokenizer = BPETokenizer()
    text = "x" * length
    rows = lab.rows_of([text], tokenizer)
    asked = [token for row in rows for token in row[1:]]
    assert asked == [*tokenizer.encode(text), tokenizer.eos_id]
    assert all(a[-1] == b[0] for a, b in pairwise(rows))
    assert max(map(len, rows)) <= lab.ROW_TOKENS + 1


def test_every_vocabulary_is_judged_on_the_same_bytes(ran):
    result, events = ran
    assert result.sizes == [BYTES, 300]
    documents = result.tokens[0] - result.bytes  # a byte a token, and <|eos|> for each document
    assert 1 <= documents <= 20
    assert result.tokens[1] < result.tokens[0]
    assert {event.loss.bytes for event in events} == {result.bytes}
    assert events[-1].share == 1
    assert events[-1].read > events[0].read  # longer tokens: more text in as many steps
    assert result.loss(0, 1).nats == pytest.approx(events[-1].loss.nats)


def test_a_run_repeats_itself(ran):
    np.testing.assert_array_equal(ran[0].nats, lab.run(QUICK).nats)


def test_a_text_is_scored_by_each_vocabularys_own_model(ran):
    result, _ = ran
    text = "def f(x): return 汉"
    small, large = lab.score(result, text)
    assert small.loss.bytes == large.loss.bytes == len(text.encode())
    assert small.loss.tokens == len(text.encode())
    tokenizer = result.tokenizer(300)
    nats = left_to_right_nats(result.model(1), [tokenizer.bos_id, *tokenizer.encode(text)])
    assert large.loss.nats == pytest.approx(float(nats.sum()), rel=1e-5)
    with pytest.raises(LabInputError, match="not_empty"):
        lab.score(result, "  ")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"sizes": ()}, "choose_one"),
        ({"sizes": (100,)}, "between"),
        ({"seeds": ()}, "choose_one"),
        ({"steps": 0}, "between"),
    ],
)
def test_a_run_that_cannot_be_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        replace(QUICK, **change)
