"""Entropy and its kin: against scipy, by hand, and against the world's own floor."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from labcore.errors import LabInputError
from labcore.foundations import entropy as lab
from labcore.foundations.entropy import (
    EntropyConfig,
    bits_per_byte,
    cross_entropy,
    divergence,
    entropy,
)
from labcore.foundations.next_word import asked
from labcore.text.world import micro_world


def two(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, 9, generator=generator, dtype=torch.float64).softmax(dim=1).numpy())


@pytest.mark.parametrize("seed", range(3))
def test_all_three_are_scipys(seed):
    p, q = two(seed)
    assert entropy(p) == pytest.approx(stats.entropy(p))
    assert divergence(p, q) == pytest.approx(stats.entropy(p, q))
    assert cross_entropy(p, q) == pytest.approx(stats.entropy(p) + stats.entropy(p, q))


def test_by_hand_in_bits():
    """p = (0.9, 0.1), q = (0.5, 0.5): 0.531 bits one way and 0.737 the other."""
    p, q = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    assert divergence(p, q) / math.log(2) == pytest.approx(0.531, abs=5e-4)
    assert divergence(q, p) / math.log(2) == pytest.approx(0.737, abs=5e-4)


def test_what_q_rules_out_costs_infinitely_much_and_what_p_rules_out_nothing():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([1.0, 0.0, 0.0])
    assert divergence(p, q) == math.inf
    assert divergence(q, p) == pytest.approx(math.log(2))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_mean_surprise_of_the_truth_is_its_entropy_on_many_stories(language):
    """Over six stories the exact surprise of what was said lies within four of its standard errors."""
    excess = []
    for ids in asked(language):
        rows = micro_world().next_token_distributions(ids)[:-1]
        excess += (np.array(micro_world().sequence_nats(ids)) - entropy(rows)).tolist()
    assert abs(np.mean(excess)) < 4 * np.std(excess) / math.sqrt(len(excess))


def test_no_temperature_is_cheaper_than_the_entropy():
    result = lab.run(EntropyConfig())
    assert (result.by_temperature >= result.floor).all()
    again = lab.run(EntropyConfig(temperature=float(result.temperatures[30])))
    assert result.by_temperature[30] == pytest.approx(again.cross[1:].mean())


def test_a_softmax_gives_something_to_what_cannot_come():
    result = lab.run(EntropyConfig())
    assert result.entropy == pytest.approx(math.log(8))  # eight animals
    assert 0 < result.outside < 0.1
    assert result.reverse == math.inf
    assert result.cross_entropy == pytest.approx(result.entropy + result.forward)


def test_bits_per_byte_do_not_depend_on_how_a_text_is_cut():
    """120 nats in all, over 40 or 60 tokens of the same 200 bytes."""
    assert (
        bits_per_byte(3.0, 40, 200)
        == bits_per_byte(2.0, 60, 200)
        == pytest.approx(120 / math.log(2) / 200)
    )


def test_bad_values_are_refused():
    for bad in ({"temperature": 0.0}, {"story": 9}, {"language": "de"}):
        with pytest.raises(LabInputError):
            EntropyConfig(**bad)
