"""One sentence under each objective: masks against constructions by hand, the paper's sentence, odd text."""

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.pretraining import objective_views as lab
from labcore.pretraining.objective_kinds import KINDS, Objective
from labcore.pretraining.objective_views import ViewsConfig


def test_causal_sees_the_past_and_masked_everything():
    causal, masked = (lab.run(ViewsConfig(objective=Objective(k))) for k in ("causal", "masked"))
    assert np.array_equal(causal.allowed, np.tri(len(causal.read), dtype=bool))
    assert masked.allowed.all()
    assert causal.asked == causal.words
    assert causal.targets == 11


def test_a_prefix_opens_a_square():
    result = lab.run(ViewsConfig(objective=Objective("prefix", prefix=4)))
    expected = np.tri(len(result.read), dtype=bool)
    expected[:4, :4] = True
    assert np.array_equal(result.allowed, expected)
    assert result.prefix_tokens == 4
    assert result.targets == 11 - 3


def test_spans_make_three_masks_and_a_target_that_gives_the_sentence_back():
    result = lab.run(ViewsConfig(objective=Objective("span", 0.3, 2.0)))
    split, total = result.encoder_tokens, len(result.read)
    expected = np.zeros((total, total), bool)
    expected[:, :split] = True
    expected[split:, split:] = np.tri(total - split, dtype=bool)
    assert np.array_equal(result.allowed, expected)
    asked = [word for word in result.asked if word]
    assert asked[0] == "⟨1⟩"
    hidden = [word for word in asked if not word.startswith("⟨")]
    shown = [word for word in result.read[1:split] if not word.startswith("⟨")]
    assert sorted([*hidden, *shown]) == sorted(result.words)
    assert len(hidden) == 3  # round(0.3 · 11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("一匹马", 3),
        ("He said “no”, twice.", 8),
        ("汉" * 90, 90),
        ("a a a a a", 5),
        ("<|mask|> ⟨1⟩", 8),
    ],
)
def test_any_text_of_two_words_can_be_asked(kind, text, words):
    result = lab.run(ViewsConfig(text, Objective(kind)))
    assert len(result.words) + result.dropped_words == words
    assert result.targets >= 1
    assert result.allowed.shape == (len(result.read),) * 2


@pytest.mark.parametrize("text", ["", "   ", "hello", "!"])
def test_less_than_two_words_are_refused(text):
    with pytest.raises(LabInputError, match="at_least_tokens"):
        lab.run(ViewsConfig(text))


def test_the_draw_is_the_seeds():
    one, same, other = (
        lab.run(ViewsConfig(objective=Objective("masked"), seed=seed)) for seed in (0, 0, 3)
    )
    assert one.read == same.read != other.read
