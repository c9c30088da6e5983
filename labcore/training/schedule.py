"""Learning-rate schedules: warm up, then stay, or fall in one of four ways.

One pure function of the step, so that the curve on screen and the rate that the optimiser used
cannot differ. With `final_share=0` it is what `transformers.get_scheduler` computes.

Source: warm-up and the inverse square root from Vaswani et al., arXiv:1706.03762; cosine from
Loshchilov & Hutter, arXiv:1608.03983; warm-up, stable, decay (WSD) from Hu et al., arXiv:2404.06395.
"""

import math
from typing import Literal

from labcore.errors import LabInputError

Schedule = Literal["constant", "linear", "cosine", "wsd", "inverse_sqrt"]
SCHEDULES: tuple[str, ...] = ("constant", "linear", "cosine", "wsd", "inverse_sqrt")
DECAY_SHARE = 0.2  # of the steps after the warm-up: WSD's last part, in which the rate falls
INVERSE_SQRT_STEPS = 20  # in place of a warm-up's: after so many the rate is at 1/√2 of its peak


def learning_rate(
    step: int,
    peak: float,
    schedule: Schedule,
    steps: int,
    warmup_steps: int = 0,
    final_share: float = 0.0,
) -> float:
    """The rate at `step` of `steps`: from 0 to `peak`, then down to `peak · final_share`.

    The inverse square root knows no end and no final share.

    >>> [learning_rate(s, 1.0, "linear", steps=6, warmup_steps=2) for s in range(7)]
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]
    >>> [learning_rate(s, 1.0, "wsd", steps=10, warmup_steps=0) for s in (1, 7, 8, 9, 10)]
    [1.0, 1.0, 1.0, 0.5, 0.0]
    """
    if step < warmup_steps:
        return peak * step / warmup_steps
    if schedule == "constant":
        return peak
    after, most = step - warmup_steps, steps - warmup_steps
    if schedule == "inverse_sqrt":
        return peak / math.sqrt(1 + after / (warmup_steps or INVERSE_SQRT_STEPS))
    progress = min(1.0, after / max(1, most))
    if schedule == "linear":
        left = 1 - progress
    elif schedule == "cosine":
        left = (1 + math.cos(math.pi * progress)) / 2
    elif schedule == "wsd":
        left = min(1.0, max(0.0, (steps - step) / max(1, round(DECAY_SHARE * most))))
    else:
        raise LabInputError("schedule", schedule, "known_choice", allowed=SCHEDULES)
    return peak * (final_share + (1 - final_share) * left)
