"""What a training run shows of itself: the numbers that a practitioner watches.

A loss alone hides most illnesses. Beside it stand the gradient's norm, how far each update moves the
weights, and how large the activations are, block by block.

Axes: N steps, L blocks.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class RunLog:
    """What a run showed of itself, N steps.  NaN where a signal was not measured at a step."""

    step: np.ndarray  # (N,) from 1
    loss_nats: np.ndarray  # (N,) on the step's own batch, before its update
    validation_nats: np.ndarray  # (N,) NaN between two looks
    grad_norm: np.ndarray  # (N,) before clipping
    learning_rate: np.ndarray  # (N,)
    update_ratio: np.ndarray  # (N,) |update| / |weights|, over all matrices
    activation_rms: np.ndarray  # (N, L) of the residual stream leaving each block
    layer_update_ratio: np.ndarray  # (N, L) per block: a frozen layer shows 0
    tokens_per_second: np.ndarray  # (N,)
    floor_nats: float | None  # the lowest loss there can be, where it is known
    uniform_nats: float | None  # the price of a guess that knows nothing
