"""A watermark's statistics, exactly; votes by their arithmetic."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from labcore.errors import LabInputError
from labcore.frontier.voting import majority, majority_of_two, weighted_majority
from labcore.frontier.watermark import WatermarkConfig, detect, green_tokens, marked_logits

VOCAB = 200


def written(length, config, seed, mark=True):
    """Tokens drawn from flat logits, with the mark or without."""
    rng, tokens = torch.Generator().manual_seed(seed), [0]
    for _ in range(length):
        logits = torch.zeros(VOCAB)
        logits = marked_logits(logits, tokens[-1], config) if mark else logits
        tokens.append(int(torch.multinomial(logits.softmax(0), 1, generator=rng)))
    return tokens


def test_the_green_share_is_exact_and_depends_on_key_and_neighbour():
    config = WatermarkConfig(green_share=0.25)
    one = green_tokens(5, VOCAB, config)
    assert one.sum() == 50
    assert (one == green_tokens(5, VOCAB, config)).all()
    assert (one != green_tokens(6, VOCAB, config)).any()
    assert (one != green_tokens(5, VOCAB, WatermarkConfig(0.25, key=7))).any()


def test_green_tokens_are_as_much_likelier_as_the_bias_says():
    """Flat logits, γ = ½, δ = 2: a token is green with e² / (e² + 1) = 0.88."""
    config = WatermarkConfig()
    green = green_tokens(3, VOCAB, config)
    chance = marked_logits(torch.zeros(VOCAB), 3, config).softmax(0)[green].sum()
    assert chance.item() == pytest.approx(math.e**2 / (math.e**2 + 1))


def test_marked_text_is_found_and_plain_text_is_not():
    config = WatermarkConfig()
    assert detect(written(100, config, 0), VOCAB, config).p_value < 1e-8
    assert detect(written(100, config, 0), VOCAB, WatermarkConfig(key=1)).p_value > 0.001
    found = [detect(written(60, config, seed, mark=False), VOCAB, config) for seed in range(200)]
    # By chance alone p-values below 0.05 come at most in 5 % of texts (fewer, since counts are whole).
    early = sum(one.p_value < 0.05 for one in found)
    assert early <= stats.binom.ppf(0.999, 200, 0.05)
    assert np.mean([one.z for one in found]) == pytest.approx(0, abs=0.25)


def test_z_worked_by_hand_and_p_exact():
    config, tokens = WatermarkConfig(), list(range(51))
    verdict = detect(tokens, VOCAB, config)
    green = sum(bool(green_tokens(t, VOCAB, config)[t + 1]) for t in range(50))
    assert (verdict.green, verdict.counted) == (green, 50)
    assert verdict.z == pytest.approx((green - 25) / math.sqrt(12.5))
    assert verdict.p_value == pytest.approx(
        stats.binomtest(green, 50, 0.5, alternative="greater").pvalue
    )


def test_repetition_is_no_evidence():
    config = WatermarkConfig()
    assert detect([0, 7] * 50, VOCAB, config).counted == 2
    assert detect([0], VOCAB, config).p_value == 1


def test_votes():
    assert majority(["7", "8", "8", "7", "9"]) == "7"
    assert weighted_majority(["7", "8", "8"], [0.9, 0.3, 0.4]) == "7"
    assert majority_of_two(0.6, 3) == pytest.approx(0.6**3 + 3 * 0.6**2 * 0.4)
    assert majority_of_two(0.6, 2) == pytest.approx(0.6)
    grows = [majority_of_two(0.6, n) for n in (1, 3, 9, 33)]
    falls = [majority_of_two(0.4, n) for n in (1, 3, 9, 33)]
    assert grows == sorted(grows)
    assert falls == sorted(falls, reverse=True)
    assert all(majority_of_two(0.5, n) == pytest.approx(0.5) for n in (1, 2, 5, 8))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: WatermarkConfig(green_share=0), lambda: WatermarkConfig(bias=-1),
        lambda: majority([]), lambda: majority_of_two(1.2, 3), lambda: majority_of_two(0.5, 0),
    ],
)  # fmt: skip
def test_bad_values_are_refused(wrong):
    with pytest.raises(LabInputError):
        wrong()
