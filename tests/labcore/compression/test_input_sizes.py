"""The histogram of inputs counts each of them once, and what vanishes is what rounding makes zero."""

import numpy as np
import pytest
import torch

from labcore.compression import judged
from labcore.compression.calibration import calibrate
from labcore.compression.input_sizes import EDGES, input_sizes
from labcore.compression.outliers import largest_inputs
from labcore.compression.rounded_inputs import round_inputs
from labcore.compression.scaling import plant_outliers, readers


@pytest.mark.parametrize("bits", [4, 8])
def test_what_vanishes_is_what_rounding_makes_zero(bits):
    model = plant_outliers(judged.fresh_model(), [3, 40], 30.0)
    rows = judged.calibration_rows(0, 2)
    largest = largest_inputs(model, calibrate(model, rows)).max(axis=1)
    got = input_sizes(model, rows, largest, bits)
    fed: dict[int, list[torch.Tensor]] = {}
    for at, (_, linears) in enumerate(readers(model)):
        linears[0].register_forward_pre_hook(
            lambda _, args, at=at: fed.setdefault(at, []).append(args[0].detach())
        )
    with torch.no_grad():
        for tokens in rows:
            model(tokens)
    for at, pieces in fed.items():
        x = torch.cat([piece.flatten() for piece in pieces])
        zero = round_inputs(x, bits, "static", largest=float(largest[at])) == 0
        assert got.counts[at].sum() == x.numel()
        assert got.vanished[at] == pytest.approx(float(zero.float().mean()), abs=1e-5)
        assert got.counts[at][EDGES[1:] <= 0.1].sum() == pytest.approx(
            int((x.abs() < 0.1).sum()), abs=1
        )


def test_planted_channels_stand_apart_and_make_the_others_vanish():
    """Two of 128 channels, 30 times larger: at most 1.6 % of the inputs move, and far to the right."""
    clean, rows = judged.fresh_model(), judged.calibration_rows(0, 2)
    planted = plant_outliers(judged.fresh_model(), [3, 40], 30.0)
    sizes = [
        input_sizes(model, rows, largest_inputs(model, calibrate(model, rows)).max(axis=1), 6)
        for model in (clean, planted)
    ]
    moved = np.abs(sizes[1].counts - sizes[0].counts).sum(axis=1) / 2 / sizes[0].counts.sum(axis=1)
    assert ((moved > 0.8 * 2 / 128) & (moved <= 2 / 128)).all()  # some land where others were
    assert (sizes[1].vanished > 3 * sizes[0].vanished).all()


def test_nothing_stays_hooked():
    model = judged.fresh_model()
    input_sizes(model, judged.calibration_rows(0, 1), np.ones(8), 8)
    assert not any(module._forward_hooks for module in model.modules())
