"""The schedule is held to the schedulers of `transformers`."""

import pytest
import torch
from transformers import get_scheduler

from labcore.errors import LabInputError
from labcore.training.schedule import SCHEDULES, learning_rate

REFERENCE = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


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
    reference = rates_of_transformers(REFERENCE[schedule], 3e-3, steps, warmup)
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
