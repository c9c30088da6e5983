"""Learning-rate schedules: warm up, then stay, fall in a line, or fall along a cosine.

One pure function of the step, so that the curve on screen and the rate that the optimiser used
cannot differ. With `final_share=0` it is what `transformers.get_scheduler` computes.

Source: warm-up from Vaswani et al., arXiv:1706.03762; cosine from Loshchilov & Hutter,
arXiv:1608.03983.
"""

import math
from typing import Literal

from labcore.errors import LabInputError

Schedule = Literal["constant", "linear", "cosine"]
SCHEDULES: tuple[str, ...] = ("constant", "linear", "cosine")


def learning_rate(
    step: int,
    peak: float,
    schedule: Schedule,
    steps: int,
    warmup_steps: int = 0,
    final_share: float = 0.0,
) -> float:
    """The rate at `step` of `steps`: from 0 to `peak`, then down to `peak · final_share`.

    >>> [learning_rate(s, 1.0, "linear", steps=6, warmup_steps=2) for s in range(7)]
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if step < warmup_steps:
        return peak * step / warmup_steps
    if schedule == "constant":
        return peak
    progress = min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
    if schedule == "linear":
        left = 1 - progress
    elif schedule == "cosine":
        left = (1 + math.cos(math.pi * progress)) / 2
    else:
        raise LabInputError("schedule", schedule, "known_choice", allowed=SCHEDULES)
    return peak * (final_share + (1 - final_share) * left)
