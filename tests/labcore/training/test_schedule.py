"""The schedule is held to the schedulers of `transformers`."""

import pytest
import torch
from transformers import get_scheduler

from labcore.errors import LabInputError
from labcore.training.schedule import DECAY_SHARE, INVERSE_SQRT_STEPS, SCHEDULES, learning_rate

REFERENCE = {
    "constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine",
    "wsd": "warmup_stable_decay", "inverse_sqrt": "inverse_sqrt",
}  # fmt: skip


def told(schedule: str, steps: int, warmup: int) -> dict:
    """What the reference must be told in words of its own: how long WSD falls, how fast a root does."""
    if schedule == "wsd":
        falling = max(1, round(DECAY_SHARE * (steps - warmup)))
        return {"num_decay_steps": falling, "decay_type": "linear"}
    if schedule == "inverse_sqrt":
        return {"timescale": warmup or INVERSE_SQRT_STEPS}
    return {}


def rates_of_transformers(name: str, peak: float, steps: int, warmup: int, **more) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = get_scheduler(
        name, optimiser, num_warmup_steps=warmup, num_training_steps=steps, **more
    )
    rates = []
    for _ in range(steps + 1):
        rates.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("steps", "warmup"), [(20, 0), (20, 5), (7, 6), (1, 0)])
def test_every_schedule_equals_the_one_of_transformers(schedule, steps, warmup):
    ours = [learning_rate(step, 3e-3, schedule, steps, warmup) for step in range(steps + 1)]
    more = {"scheduler_specific_kwargs": told(schedule, steps, warmup)}
    reference = rates_of_transformers(REFERENCE[schedule], 3e-3, steps, warmup, **more)
    assert ours == pytest.approx(reference, abs=1e-12)


def test_a_cosine_that_keeps_a_share_equals_the_one_of_transformers():
    ours = [learning_rate(step, 1.0, "cosine", 30, 4, final_share=0.1) for step in range(31)]
    name = "cosine_with_min_lr"
    reference = rates_of_transformers(
        name, 1.0, 30, 4, scheduler_specific_kwargs={"min_lr_rate": 0.1}
    )
    assert ours == pytest.approx(reference, abs=1e-12)


def test_half_way_down_a_cosine_lies_half_the_peak():
    """cos(π/2) = 0, so (1 + 0) / 2 = 0.5 at step 6 of 2 + 8."""
    assert learning_rate(6, 2.0, "cosine", steps=10, warmup_steps=2) == pytest.approx(1.0)


def test_steps_beyond_the_end_stay_at_the_final_share():
    assert learning_rate(99, 1.0, "linear", steps=10, final_share=0.2) == pytest.approx(0.2)


def test_an_unknown_schedule_is_named():
    with pytest.raises(LabInputError, match="schedule = 'step'"):
        learning_rate(1, 1.0, "step", steps=10)


def test_an_inverse_root_is_half_its_peak_at_four_times_the_warm_up():
    """1/√(1 + 3w/w) = 1/2 at step w + 3w."""
    assert learning_rate(40, 1.0, "inverse_sqrt", steps=50, warmup_steps=10) == pytest.approx(0.5)


def test_wsd_stays_at_its_peak_until_the_last_fifth():
    """After 10 steps of warm-up 100 are left: the last 20 fall, half-way at step 100 to the middle."""
    rates = [learning_rate(s, 1.0, "wsd", 110, 10, final_share=0.1) for s in (10, 90, 100, 110)]
    assert rates == pytest.approx([1.0, 1.0, 0.55, 0.1])
