"""Writing with a draft: the target's own text, caches that forget, the tests of exactness, the timing."""

import math

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.serving import exactness, first_token, speculating
from labcore.serving.draft import ASSET, TARGET, load_draft
from labcore.serving.exactness import WAYS, ExactnessConfig
from labcore.serving.exactness_study import CASES, ExactnessStudy
from labcore.serving.speculating import DRAFTS, Reader, SpeculatingConfig
from labcore.serving.speculating_speed import Speed, SpeedConfig, measure
from labcore.serving.speculative import expected_tokens, kept_share, written_distribution
from labcore.text.world import micro_world
from labcore.zoo import load


@pytest.fixture(scope="module")
def target():
    return load(TARGET).model


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"decoding-{name}.safetensors", kind).result


# The draft.


def test_the_draft_is_small_and_like_its_target(target):
    """Σ min(p, q) over 40 held-out stories, as the recipe printed it for 200: 0.911."""
    assert ASSET.stat().st_size <= 200_000
    world = micro_world()
    shares = []
    for ids in world.dataset(40, seed=2, split="held_out"):
        with torch.no_grad():
            p, q = (m(torch.tensor([ids])).logits.softmax(-1) for m in (target, load_draft()))
        shares.append(kept_share(p, q)[0, 1:-1])
    assert torch.cat(shares).mean().item() == pytest.approx(0.911, abs=0.02)


# Writing.


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_greedy_speculation_is_greedy_writing(draft, language):
    """Whatever the draft and however many guesses: at temperature 0 the target's own story."""
    for guesses in (1, 3, 7):
        config = SpeculatingConfig(guesses, 0.0, draft, language)
        assert speculating.run(config).same_as_plain is True


def test_a_perfect_draft_is_always_kept_and_an_untrained_one_hardly_ever():
    itself = speculating.run(SpeculatingConfig(draft="itself"))
    assert itself.kept == itself.checked
    assert itself.expected_kept_share == pytest.approx(1, abs=1e-5)
    untrained = speculating.run(SpeculatingConfig(draft="untrained"))
    assert untrained.kept <= 2
    assert len(untrained.rounds) >= untrained.written - 2


def test_as_many_guesses_are_kept_as_the_overlap_says():
    """Twelve stories, some 600 guesses, each kept with its own chance: within three standard errors."""
    told = [speculating.run(SpeculatingConfig(temperature=1.3, seed=seed)) for seed in range(12)]
    chances = [a for one in told for r in one.rounds for a in r.agreement[: r.checked]]
    error = math.sqrt(sum(a * (1 - a) for a in chances))
    assert abs(sum(one.kept for one in told) - sum(chances)) < 3 * error


def test_a_round_holds_its_guesses_and_one_token_more():
    result = speculating.run(SpeculatingConfig(guesses=3, seed=5))
    for one in result.rounds[:-1]:
        assert one.tokens[: one.kept] == one.guesses[: one.kept]
        assert len(one.tokens) == one.kept + 1
        assert len(one.guesses) == len(one.agreement) == 3
        if one.kept < 3:
            assert one.tokens[-1] != one.guesses[one.kept]


@pytest.mark.parametrize("most", [1, 2, 7])
def test_no_more_is_written_than_was_asked_for(most):
    result = speculating.run(SpeculatingConfig(guesses=4, draft="itself", max_new_tokens=most))
    assert result.written == most


def test_the_same_seed_writes_the_same_story():
    one, same, other = (speculating.run(SpeculatingConfig(seed=seed)).text for seed in (3, 3, 4))
    assert one == same != other


# Caches that forget.


def test_what_was_taken_back_leaves_no_trace(target):
    """Read, take back, read something else: as if the first had never been there."""
    text = micro_world().dataset(1, seed=3)[0]
    reader = Reader(target, 1.0)
    reader.probs(text[:12], rows=1)
    reader.probs([*text[:12], 7, 8, 9, 10], rows=4)
    reader.forget(12)
    assert reader.cache.length == 12
    with torch.no_grad():
        anew = target(torch.tensor([text[:20]])).logits[0, -3:].softmax(-1)
    torch.testing.assert_close(reader.probs(text[:20], rows=3), anew, atol=1e-5, rtol=1e-4)


def test_the_draft_may_be_behind_what_is_to_be_forgotten(target):
    reader = Reader(target, 1.0)
    reader.probs([1, 2, 3], rows=1)
    reader.forget(9)
    assert reader.cache.length == 3


# Exactness.


def test_a_triple_is_as_likely_as_the_product_of_its_tokens(target):
    """The tree search against whole texts read anew; and all there is adds up to no more than one."""
    config = ExactnessConfig()
    p, _ = exactness.beliefs(config)
    likely = exactness.likely_outcomes(p, 0.01)
    assert 0.3 < sum(likely.values()) < 1
    triple, chance = next(iter(likely.items()))
    with torch.no_grad():
        logits = target(torch.tensor([[*p.opening, *triple]])).logits[0]
    rows = logits[-4:-1].log_softmax(-1)
    assert math.log(chance) == pytest.approx(float(rows[range(3), list(triple)].sum()), abs=1e-4)


def test_the_exact_rule_passes_and_both_wrong_ones_fail():
    result = drain(exactness.compare(ExactnessConfig(draws=600)))
    assert all(counts.sum() == 600 for counts in result.counts.values())
    assert result.expected.sum() == pytest.approx(1)
    assert result.p_value("exact") > 0.01
    assert result.p_value("plain") > 0.01
    assert result.p_value("likelier") < 1e-6
    assert result.p_value("redraw") < 1e-6
    assert result.distance("likelier") > result.distance("redraw") > result.distance("exact")


def test_the_same_seed_draws_the_same():
    one, same = (drain(exactness.compare(ExactnessConfig(draws=100, seed=2))) for _ in range(2))
    assert all((one.counts[way] == same.counts[way]).all() for way in WAYS)


@pytest.mark.parametrize("rule", ["exact", "likelier", "redraw"])
@pytest.mark.parametrize("unlike", [0.0, 0.5, 1.0])
def test_six_words_add_up(rule, unlike):
    result = first_token.run(first_token.FirstTokenConfig(unlike, rule))
    p, q = torch.tensor(result.p), torch.tensor(result.q)
    np.testing.assert_allclose(result.written, written_distribution(p, q, rule))
    assert result.written.sum() == pytest.approx(1)
    exact = rule == "exact" or unlike == 0
    assert (result.distance < 1e-12) == exact


def test_redrawing_is_off_by_as_much_as_derived():
    """½ Σ |min(p, q) − α p|; for the exercise on the page (0.4, 0.42, 0.18) instead of (0.5, 0.3, 0.2)."""
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.7, 0.1])
    out = written_distribution(p, q, "redraw")
    torch.testing.assert_close(out, torch.tensor([0.4, 0.42, 0.18]))
    derived = (torch.minimum(p, q) - 0.6 * p).abs().sum() / 2
    assert ((out - p).abs().sum() / 2).item() == pytest.approx(derived.item())
    torch.testing.assert_close(
        written_distribution(p, q, "likelier"), torch.tensor([0.725, 0.0, 0.275])
    )


@pytest.mark.parametrize("case", CASES)
def test_recorded_the_exact_rule_is_at_the_noise_with_every_seed(case):
    study = recorded(f"exactness-{case}", ExactnessStudy)
    assert len(study.seeds) >= 3
    assert (study.p_values["exact"] > 0.01).all()
    assert study.distances["exact"].max() < 1.2 * study.distances["plain"].max()
    assert (study.p_values["likelier"] < 1e-6).all()


def test_recorded_the_fresh_draw_is_found_out_only_if_the_draft_is_unlike():
    for case in ("cold", "warm"):
        assert (recorded(f"exactness-{case}", ExactnessStudy).p_values["redraw"] < 1e-30).all()
    assert (recorded("exactness-same", ExactnessStudy).p_values["redraw"] > 0.01).all()


# Speed.


def test_timing_counts_tokens_and_passes():
    """Tokens per round do not depend on the clock: with the target as its own draft k + 1."""
    events = []
    config = SpeedConfig(draft="itself", guesses=(1, 3), stories=1, tokens=8, repeats=2)
    result = drain(measure(config), events.append)
    assert [event.number for event in events] == [1, 2]
    assert result.speculative_ms.shape == (2, 2)
    assert result.tokens_per_round.tolist() == [2, 4]
    assert result.kept_share == pytest.approx(1, abs=1e-5)
    assert result.expected_tokens.tolist() == pytest.approx([2, 4], abs=1e-3)


def test_recorded_speed_is_above_plain_and_below_the_formula():
    speed = recorded("speed", Speed)
    ups = np.median(speed.speed_ups, axis=1)
    assert (ups > 1).all()
    assert (ups < speed.formula).all()
    expected = [expected_tokens(speed.kept_share, int(k)) for k in speed.guesses]
    np.testing.assert_allclose(speed.tokens_per_round, expected, rtol=0.1)


@pytest.mark.parametrize(
    "bad", [{"guesses": 0}, {"temperature": -1}, {"draft": "large"}, {"rule": "kind"}, {"language": "fr"}]
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        SpeculatingConfig(**bad)


@pytest.mark.parametrize("bad", [{"draws": 5}, {"draft_temperature": 0}, {"guesses": 99}])
def test_tests_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        ExactnessConfig(**bad)
