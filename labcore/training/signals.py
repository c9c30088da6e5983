"""What a training run shows of itself: the numbers that a practitioner watches.

A loss alone hides most illnesses. Beside it stand the gradient's norm, how far each update moves the
weights, and how large the activations are, block by block.

Axes: N steps, L blocks, B batch, T position, D width, F inner width of an MLP, H heads, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from labcore.model.transformer import Transformer

if TYPE_CHECKING:
    from labcore.training.loop import Step


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


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What one update showed beyond its loss and its gradient."""

    update_ratio: float
    layer_update_ratio: np.ndarray  # (L,)
    activation_rms: np.ndarray  # (L,)


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """The inside of a model that reads a probe text, block by block."""

    dead_share: np.ndarray  # (L,) MLP units that never rise above 0, whatever the token
    attention_nats: np.ndarray  # (L,) mean entropy of a head's attention from one position
    uniform_nats: float  # of attention that is the same for everything it may see


class Watch:
    """Stands around an update (`with watch: …`), and has its `signals` afterwards.

    Hooks on the blocks measure the stream as it passes; the weights are copied before the update and
    compared after it. Neither changes a number of the run.
    """

    def __init__(self, model: Transformer):
        self.signals: Signals | None = None
        self._blocks = [
            [weight for weight in block.parameters() if weight.dim() == 2]
            for block in model.stack.layers
        ]
        self._matrices = [weight for weight in model.parameters() if weight.dim() == 2]
        self._rms: list[list[float]] = [[] for _ in self._blocks]
        for block, seen in zip(model.stack.layers, self._rms, strict=True):
            block.register_forward_hook(
                lambda block, _, output, seen=seen: seen.append(size(output[0]))
            )

    def __enter__(self) -> Watch:
        for seen in self._rms:
            seen.clear()
        self._before = {weight: weight.detach().clone() for weight in self._matrices}
        return self

    def __exit__(self, *_: object) -> None:
        self.signals = Signals(
            moved(self._matrices, self._before),
            np.array([moved(matrices, self._before) for matrices in self._blocks]),
            np.array([np.mean(seen) for seen in self._rms]),  # over the parts of the batch
        )


@torch.no_grad()
def moved(matrices: Sequence[Tensor], before: dict[Tensor, Tensor]) -> float:
    """How far an update went, measured by what it moved: |w' - w| / |w|, all matrices as one vector."""
    steps = torch.stack([(weight - before[weight]).norm() for weight in matrices])
    sizes = torch.stack([before[weight].norm() for weight in matrices])
    return float(steps.norm() / sizes.norm())


@torch.no_grad()
def size(x: Tensor) -> float:
    """Root mean square of the stream.  (B, T, D)"""
    return float(x.float().pow(2).mean().sqrt())


@torch.no_grad()
def health(model: Transformer, tokens: Tensor) -> Health:
    """Dead units and attention entropy on a probe text without padding.  (B, T)"""
    model.eval()
    trace = model(tokens, trace=True).trace
    layers = range(model.config.num_layers)
    visible = torch.arange(1.0, tokens.shape[1] + 1)
    return Health(
        np.array([dead_share(trace[f"layers.{layer}.mlp.hidden"]) for layer in layers]),
        np.array([entropy(trace[f"layers.{layer}.attn.weights"]) for layer in layers]),
        float(visible.log().mean()),
    )


def dead_share(hidden: Tensor) -> float:
    """Units that no token of the probe raises above 0.  (B, T, F)

    A ReLU unit below 0 for every token gets no gradient and stays so; a GELU unit has a little way back.
    """
    return float((hidden.flatten(0, 1).amax(dim=0) <= 0).float().mean())


def entropy(weights: Tensor) -> float:
    """Mean of -Σ w·ln w over all rows: 0 looks at one token, ln n at n tokens alike.  (B, H, T, S)"""
    return float(torch.special.entr(weights).sum(dim=-1).mean())


def run_log(steps: Sequence[Step], floor_nats: float | None, uniform_nats: float | None) -> RunLog:
    """The steps that a watched run has made so far, as columns."""

    def column(values: list) -> np.ndarray:
        return np.array(values, np.float64)

    tokens = np.diff([0, *(step.tokens_seen for step in steps)])
    seconds = column([step.seconds for step in steps])
    return RunLog(
        step=np.array([step.step for step in steps], np.int64),
        loss_nats=column([step.loss_nats for step in steps]),
        validation_nats=column(
            [np.nan if step.validation_nats is None else step.validation_nats for step in steps]
        ),
        grad_norm=column([step.grad_norm for step in steps]),
        learning_rate=column([step.learning_rate for step in steps]),
        update_ratio=column([step.signals.update_ratio for step in steps]),
        activation_rms=column([step.signals.activation_rms for step in steps]),
        layer_update_ratio=column([step.signals.layer_update_ratio for step in steps]),
        tokens_per_second=tokens / np.maximum(seconds, 1e-9),
        floor_nats=floor_nats,
        uniform_nats=uniform_nats,
    )
