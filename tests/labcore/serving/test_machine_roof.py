"""This machine's roof: no step breaks through it, and the numbers are those of real work."""

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.serving import machine_roof as lab
from labcore.serving.machine_roof import MachineConfig


def test_the_roof_and_the_steps_under_it():
    looks = []
    run = lab.measure(MachineConfig(rounds=3, side=256))
    while True:
        try:
            looks.append(next(run))
        except StopIteration as stop:
            result = stop.value
            break
    assert [len(look.far) for look in looks] == [1, 2, 3]
    assert result.measured.shape == (3, len(lab.STEPS))
    # Rounds differ on a shared machine; a factor of two leaves room for that and not for a wrong unit.
    assert (np.median(result.measured, axis=0) > result.roof_near / 2).all()
    assert (result.roof_far >= result.roof_near * 0.5).all()
    assert 1e9 < np.median(result.far) < 1e12
    assert 1e9 < np.median(result.flops) < 1e13


def test_a_step_of_the_drawn_model_by_hand():
    """19.9 million weights in products of 4 bytes: 84 MB and little else, at 1 GB/s 0.084 s."""
    model = lab.MODELS[lab.LARGE]
    seconds = lab.step_seconds(model, lab.load("write", 1), lab.device(1e15, 1e9))
    weights = 4 * (6 * 12 * 512**2 + 512 * 4096)
    cache = 65 * 2 * 6 * 512 * 4
    assert seconds == pytest.approx((weights + cache) / 1e9, rel=0.01)


@pytest.mark.parametrize("values", [{"rounds": 2}, {"side": 4096}])
def test_what_cannot_be_is_refused(values):
    with pytest.raises(LabInputError):
        MachineConfig(**values)
