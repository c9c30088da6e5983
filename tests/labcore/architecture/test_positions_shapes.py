"""What encodings look like: formulas against measurement, worked numbers, both codes of RoPE."""

import math

import numpy as np
import pytest
import torch

from labcore.architecture import positions_shapes as lab
from labcore.architecture.positions_shapes import ENCODINGS, ShapesConfig
from labcore.errors import LabInputError
from labcore.model.positions import rope_frequencies, rotation


@pytest.fixture(scope="module")
def result():
    return lab.run(ShapesConfig())


def line(result, encoding, name):
    return next(line for line in result.shapes[encoding].lines if line.name == name)


def test_overlap_of_a_turned_vector_by_hand():
    """d = 4, θ = 100: the pairs turn by 1 and by 100^(-1/2) = 0.1 per place."""
    by_hand = (math.cos(3) + math.cos(0.3)) / 2
    assert float(lab.rope_overlap(torch.tensor(3), 4, 100.0)) == pytest.approx(by_hand, abs=1e-6)


def test_the_formula_is_the_mean_that_the_models_own_turning_gives(result):
    """200 random vectors of 64 numbers: a share of their overlap strays by about 0.1, their mean by 0.01."""
    formula, measured = line(result, "rope", "formula"), line(result, "rope", "measured")
    assert measured.value[0] == pytest.approx(1, abs=1e-5)
    assert np.abs(formula.value - measured.value).max() < 0.03
    assert ((measured.low <= measured.value) & (measured.value <= measured.high)).all()


def test_sinusoids_know_distance_alone_and_an_untrained_table_does_not(result):
    start, later = (line(result, "sinusoidal", name).value for name in ("from_start", "from_later"))
    assert start == pytest.approx(later, abs=1e-4)
    start, later = (line(result, "learned", name).value for name in ("from_start", "from_later"))
    assert np.abs(start - later).max() > 0.3


def test_sinusoids_and_rope_have_the_same_curve_at_base_10000(result):
    """sin a sin b + cos a cos b = cos(a - b), the same frequencies: the same mean of cosines."""
    waves, turned = line(result, "sinusoidal", "from_start"), line(result, "rope", "formula")
    assert waves.value == pytest.approx(turned.value, abs=1e-4)


def test_alibi_by_hand(result):
    """Four heads have the slopes 1/4, 1/16, 1/64, 1/256; eight places cost the first head 2."""
    assert result.slopes.tolist() == [1 / 4, 1 / 16, 1 / 64, 1 / 256]
    assert result.shapes["alibi"].matrix[0, 20, 12] == -2
    assert line(result, "alibi", "head 3").value[-1] == -256 / 256


def test_t5_gives_one_number_to_all_that_is_far(result):
    """16 buckets, 8 of them exact; the last opens at 8·4^(7/8) = 26.9 and takes all from 27 on."""
    buckets = result.shapes["t5"].matrix[-1][::-1]  # by distance back from the last place
    assert buckets[:9].tolist() == list(range(9))
    assert buckets[26] == 14
    assert set(buckets[27:].tolist()) == {15}


def test_with_equal_words_and_no_encoding_only_the_mask_speaks(result):
    alone = result.shapes["none"].alone
    by_hand = np.tril(1 / np.arange(1, len(alone) + 1)[:, None] * np.ones(alone.shape))
    assert alone == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "config",
    [
        ShapesConfig(width=8, heads=1, tokens=2, reach=2),
        ShapesConfig(width=128, theta=100.0, heads=8, tokens=64, reach=4096),
    ],
)
def test_at_the_ends_of_the_knobs_attention_is_causal_and_sums_to_one(encoding, config):
    shape = lab.run(config).shapes[encoding]
    assert shape.alone.sum(axis=1) == pytest.approx(np.ones(config.tokens), abs=1e-5)
    assert not np.triu(shape.alone, 1).any()
    assert all(np.isfinite(line.value).all() for line in shape.lines)
    assert all(line.distance[-1] == config.reach for line in shape.lines)


def test_the_papers_code_multiplies_complex_numbers():
    """(a + bi)·(cos φ + i sin φ) for each pair (2i, 2i + 1), by torch's own complex product."""
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    angles = torch.arange(5)[:, None] * rope_frequencies(8, 10_000.0)
    cos, sin = rotation(torch.arange(5)[None], rope_frequencies(8, 10_000.0))
    turned = lab.rotate_interleaved(x, cos[0, 0], sin[0, 0])
    product = torch.view_as_complex(x.unflatten(-1, (-1, 2))) * torch.polar(
        torch.ones_like(angles), angles
    )
    assert torch.allclose(turned, torch.view_as_real(product).flatten(-2), atol=1e-6)


def test_both_codes_agree_and_mixing_them_is_the_bug(result):
    assert result.codes_agree < 1e-5
    assert result.codes_mixed > 0.5


def test_a_seed_repeats_and_another_draws_another_table():
    tables = [lab.run(ShapesConfig(seed=seed)).shapes["learned"].matrix for seed in (3, 3, 4)]
    assert np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])


@pytest.mark.parametrize(
    "bad", [{"width": 7}, {"heads": 3}, {"theta": 1.0}, {"tokens": 65}, {"reach": 1}]
)
def test_values_that_no_knob_offers_are_refused(bad):
    with pytest.raises(LabInputError) as error:
        ShapesConfig(**bad)
    assert error.value.field == next(iter(bad))
