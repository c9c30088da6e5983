"""Writing under a pattern: it matches, nothing else may come, and masking is not conditioning."""

import re

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.serving.constrained import (
    CASES,
    Allowed,
    ConstrainedConfig,
    allowed_by,
    begins_with_match,
    both_ways,
    masked,
    run,
)
from labcore.serving.constrained_study import ConstrainedStudy, configs
from labcore.serving.draft import TARGET
from labcore.serving.regular import Automaton
from labcore.zoo import load


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("case", CASES)
def test_what_is_written_matches(case, temperature):
    for seed in range(2):
        config = ConstrainedConfig(*CASES[case], temperature=temperature, seed=seed)
        result = run(config)
        assert result.matches
        assert re.fullmatch(config.pattern, result.text)


def test_everything_and_only_what_can_still_match_is_allowed():
    """All tokens against Python: some short rest makes a match, or none does."""
    tokenizer = load(TARGET).tokenizer
    allowed = allowed_by(r" (red|reddish) ball")
    words = ("", "d", "ed", "red", "dish", "ddish", "eddish", "reddish", "ish", "sh", "h")
    rests = [word + end for word in words for end in ("", " ball")] + ["ball", "all", "ll", "l"]
    for token in range(256, tokenizer.vocab_size - 6):
        text = tokenizer.decode([token])
        can = any(re.fullmatch(r" (red|reddish) ball", text + rest) for rest in rests)
        assert (token in allowed.after(0)) == can


def test_the_text_may_stop_only_where_it_matches():
    allowed = Allowed(Automaton("ab?"), load(TARGET).tokenizer)
    begun = allowed.automaton.walk(0, "a")
    assert allowed.stop not in allowed.after(0)
    assert allowed.stop in allowed.after(begun)
    assert set(allowed.after(allowed.automaton.walk(0, "ab"))) == {allowed.stop}


def test_masking_worked_by_hand():
    probs = torch.tensor([0.5, 0.3, 0.2])
    torch.testing.assert_close(masked(probs, [1, 2]), torch.tensor([0.0, 0.6, 0.4]))
    nothing_left = masked(torch.tensor([1.0, 0.0, 0.0]), [1, 2])
    assert nothing_left.tolist() == [0, 1, 1]  # as weights: each alike


@pytest.mark.parametrize(
    ("text", "begins"), [("abc", True), ("ab", True), ("a", False), ("xab", False), ("", False)]
)
def test_a_free_text_counts_if_it_begins_with_a_match(text, begins):
    assert begins_with_match(Automaton("ab"), text) == begins


def test_the_trap_worked_out_from_the_models_own_chances():
    """By another road: the model's log-probability of either text as the tokenizer writes it."""
    opening, pattern = CASES["trap"]
    result = both_ways(ConstrainedConfig(opening, pattern))
    loaded = load(TARGET)
    own = {}
    for weather in ("raining", "windy"):
        text = f" {weather} when Sam went to the garden, so he took a red umbrella."
        tokens = [
            loaded.tokenizer.bos_id, loaded.tokenizer.special_id("<|en|>"),
            *loaded.tokenizer.encode(opening + text),
        ]  # fmt: skip
        with torch.no_grad():
            logs = loaded.model(torch.tensor([tokens])).logits[0].log_softmax(-1)
        told = [logs[at, tokens[at + 1]] for at in range(1, len(tokens) - 1)]
        own[text] = float(sum(told[2:]).exp())  # behind "It was"
    for text, chance in zip(result.texts, result.own, strict=True):
        assert chance == pytest.approx(own[text], rel=0.01)
    assert sum(result.masked) == pytest.approx(1)
    assert sum(result.conditioned) == pytest.approx(1)


def test_masked_chances_are_those_that_texts_are_written_with():
    """Forty texts under the trap: about as many windy ones as the search says."""
    config = ConstrainedConfig(*CASES["trap"])
    result = both_ways(config)
    chances = dict(zip(result.texts, result.masked, strict=True))
    windy = next(text for text in chances if "windy" in text)
    written = [run(ConstrainedConfig(*CASES["trap"], seed=seed)).text for seed in range(40)]
    share = written.count(windy) / len(written)
    assert share == pytest.approx(chances[windy], abs=3 * (0.25 / 40) ** 0.5)
    conditioned = dict(zip(result.texts, result.conditioned, strict=True))
    assert conditioned[windy] < 0.01 < chances[windy]


def test_a_pattern_without_end_stops_at_the_limit():
    result = run(ConstrainedConfig("It was", "a*c", max_new_tokens=5, seed=1))
    assert len(result.places) <= 5
    assert result.matches == bool(re.fullmatch("a*c", result.text))


def test_the_same_seed_writes_the_same():
    one, same = (run(ConstrainedConfig(*CASES["json"], seed=4)) for _ in range(2))
    assert one.text == same.text


def test_recorded_imposed_texts_always_match_and_free_ones_seldom():
    path = results.RECORDINGS / "decoding-constrained.safetensors"
    study = results.load(path, ConstrainedStudy).result
    assert list(study.free) == list(CASES) == list(configs())
    assert len(study.seeds) >= 3
    assert all((shares == 1).all() for shares in study.imposed.values())
    foreign = [study.free[case] for case in ("date", "json")]
    assert not np.concatenate(foreign).any()
    assert (study.free["choice"] > 0.1).all()
    easy, hard = study.allowed_mass["choice"], study.allowed_mass["json"]
    assert easy.min() > 100 * hard.max()


@pytest.mark.parametrize("bad", [{"temperature": -1}, {"max_new_tokens": 0}, {"language": "fr"}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        ConstrainedConfig(**bad)


@pytest.mark.parametrize("bad", ["(", "a{99}"])
def test_bad_patterns_are_refused_when_they_are_run(bad):
    with pytest.raises(LabInputError):
        run(ConstrainedConfig(pattern=bad))
