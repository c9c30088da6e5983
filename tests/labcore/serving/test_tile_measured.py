"""Exactness, speed and the backward pass in tiles: against torch and autograd, and against their controls."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.serving import tile_backward, tile_exactness, tile_speed, tiled_model
from labcore.serving.tile_backward import BackwardConfig
from labcore.serving.tile_exactness import ExactConfig
from labcore.serving.tile_speed import SpeedConfig
from labcore.serving.tiled_attention import take_in
from labcore.serving.tiled_model import TiledModelConfig

SMALL = ExactConfig(length=64, width=16, seeds=2)


@pytest.fixture(scope="module")
def exact():
    return tile_exactness.run(SMALL)


def test_errors_are_those_of_the_format(exact):
    """Machine epsilons are 2⁻⁵², 2⁻²³ and 2⁻⁷; results are of the order of 1."""
    for form, epsilon in (("fp64", 2**-52), ("fp32", 2**-23), ("bf16-fp32", 2**-7)):
        for of in (exact.tiled, exact.torch):
            assert of[form].max() < 20 * epsilon
    assert exact.tiled["fp32"].min() > exact.tiled["fp64"].max()


def test_controls_are_no_rounding(exact):
    several = exact.sizes < SMALL.length
    assert exact.forgotten[:, several].min() > 0.01
    assert exact.half.min() > 0.01
    # One tile alone has nothing to mend.
    assert exact.forgotten[:, ~several].max() < 1e-5


def test_by_tiles_with_the_right_step_is_torchs_attention():
    rng = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 20, 8, generator=rng).double() for _ in range(3))
    output = tile_exactness.by_tiles(q @ k.mT * 8**-0.5, v, 7, take_in)
    torch.testing.assert_close(output, F.scaled_dot_product_attention(q, k, v))


def test_work_is_the_same_and_quadratic(exact):
    """4 · T² · d operations; with tiles of 64 the causal way does (T/64 + 1)/2 of T/64 of them."""
    lengths = exact.lengths
    np.testing.assert_array_equal(exact.flops["plain"], 4 * lengths**2 * SMALL.width)
    np.testing.assert_array_equal(exact.flops["tiled"], exact.flops["plain"])
    share = (lengths / 64 + 1) / 2 / (lengths / 64)
    np.testing.assert_allclose(exact.flops["causal"], exact.flops["plain"] * share)
    np.testing.assert_array_equal(exact.held["plain"], lengths**2)
    assert set(exact.held["tiled"]) == {64 * 64}


def test_the_same_seed_gives_the_same_errors(exact):
    again = tile_exactness.run(SMALL)
    np.testing.assert_array_equal(again.tiled["bf16"], exact.tiled["bf16"])
    other = tile_exactness.run(ExactConfig(length=64, width=16, seeds=2, seed=5))
    assert not np.array_equal(other.largest, exact.largest)


def test_progress_ends_before_the_work_is_counted():
    shares = []
    drain(tile_exactness.compare(SMALL), lambda event: shares.append(event.share))
    assert shares == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


@pytest.fixture(scope="module")
def speed():
    return tile_speed.run(SpeedConfig(longest=256, tile=64, rounds=3))


def test_every_way_is_timed_in_every_round(speed):
    assert speed.milliseconds.shape == (4, 2, 3)
    assert (speed.milliseconds > 0).all()
    assert speed.by_size.shape == (len(speed.sizes), 3)
    assert speed.sizes.tolist() == [32, 64, 128, 256]


def test_the_ways_that_are_timed_give_one_result():
    q, k, v = tile_speed.inputs(96, 0)
    outputs = [call() for call in tile_speed.ways(q, k, v, True, 32).values()]
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0])


def test_memory_is_what_the_allocator_was_asked_for():
    """A sum of 1,000 and one of 3,000 numbers of 4 bytes, the first held while the second is made."""
    x = torch.ones(1000)
    assert tile_speed.peak_bytes(lambda: torch.cat([x + 1] * 3)) == 16_000


def test_the_plain_way_holds_two_squares(speed):
    """Scores and scaled scores, then scaled scores and weights: 2 · T² · 4 bytes, and little else."""
    squares = 2 * speed.lengths**2 * 4
    plain = speed.peak_bytes[0]
    assert (plain >= squares).all()
    assert (plain < 1.3 * squares).all()
    assert speed.peak_bytes[2, -1] < plain[-1] / 2


@pytest.mark.parametrize(
    ("tiled", "first"),
    [((2, 2, 2), None), ((2, 1, 2), None), ((2, 2, 0.5), 512), ((0.5,) * 3, 128)],
)
def test_a_crossover_is_one_that_lasts(tiled, first):
    timed = [
        tile_speed.Timed(length, 0.5, ((1.0,) * 3, (one,) * 3, *[(1.0,) * 3] * 2), (1,) * 4)
        for length, one in zip((128, 256, 512), tiled, strict=True)
    ]
    assert tile_speed.gathered(SpeedConfig(), timed).crossover("tiled") == first


@pytest.mark.parametrize("key_tile", [1, 5, 64])
def test_a_model_in_tiles_gives_the_logits_of_torchs_kernel(key_tile):
    result = tiled_model.run(TiledModelConfig(key_tile=key_tile))
    assert result.difference < 1e-5 * result.largest
    assert result.same == 1
    # One tile alone has nothing to forget.
    assert (result.forgotten_difference > 0.1) == (key_tile < result.tokens)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("tile", [4, 7, 32])
def test_gradients_in_tiles_are_autograds(tile, causal):
    result = tile_backward.run(BackwardConfig(24, 8, tile, causal, seeds=2))
    assert max(errors.max() for errors in result.errors["fp64"].values()) < 1e-13
    assert max(errors.max() for errors in result.errors["fp32"].values()) < 1e-4
    assert result.without_sum.min() > 0.05


def test_autograd_itself_agrees_through_the_function():
    rng = torch.Generator().manual_seed(1)
    inputs = [
        torch.randn(1, 2, 10, 4, generator=rng).double().requires_grad_(True) for _ in range(3)
    ]
    assert torch.autograd.gradcheck(
        lambda q, k, v: tile_backward.TiledAttention.apply(q, k, v, True, 4), inputs
    )


def test_one_number_per_query_is_the_logsumexp():
    rng = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(12, 4, generator=rng).double() for _ in range(3))
    _, logsum = tile_backward.forward(q, k, v, False, 5)
    torch.testing.assert_close(logsum[:, 0], (q @ k.T / 2).logsumexp(dim=-1))


def test_what_is_kept_by_hand():
    """Ours: q, k, v, o of T · d numbers, L of T. The plain way keeps T² weights, and more."""
    result = tile_backward.run(BackwardConfig(seeds=1))
    lengths = result.lengths
    np.testing.assert_array_equal(result.kept_bytes["ours"], 4 * lengths * (4 * 32 + 1))
    np.testing.assert_array_equal(result.kept_bytes["fused"], result.kept_bytes["ours"])
    assert (result.kept_bytes["plain"] > 4 * lengths**2).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ExactConfig(length=8), lambda: ExactConfig(seeds=0), lambda: SpeedConfig(rounds=1),
        lambda: SpeedConfig(longest=100_000), lambda: BackwardConfig(tile=1),
        lambda: TiledModelConfig(key_tile=0),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(make):
    with pytest.raises(LabInputError) as refused:
        make()
    assert refused.value.rule == "between"
