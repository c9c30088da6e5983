"""SmolLM2 in few bits: the outlier channels that it has of its own, and what rounding costs it.

The text are beginnings of Python's help topics, some to calibrate and others to judge by. How much of it is
chance nobody knows, so only differences to full precision are told.

Axes: L layers, D width, F inner width of the MLP, S seeds, C cases.
"""

import copy
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from labcore.architecture.head_texts import reference_texts
from labcore.compression import judged
from labcore.compression.calibration import Inputs, calibrate
from labcore.compression.quantise_model import QuantiseConfig, replaced
from labcore.compression.rounded_inputs import round_weights, rounded_inputs, smooth
from labcore.compression.rounding import GridConfig
from labcore.training.objectives import Batch
from labcore.zoo import load

NAME = "smollm2-135m-instruct"
TEXTS = 12  # of 48 tokens, to judge by, and as many to calibrate
PLACES = {"attn.in": "attn.q", "attn.out": "attn.out", "mlp.in": "mlp.gate", "mlp.down": "mlp.down"}
GROUPS = {bits: GridConfig(bits, symmetric=False, granularity="group") for bits in (8, 4, 3, 2)}
WEIGHT_CASES = {
    "nearest-8": QuantiseConfig("nearest", GROUPS[8]),
    "nearest-4": QuantiseConfig("nearest", GROUPS[4]),
    "nearest-3": QuantiseConfig("nearest", GROUPS[3]),
    "nearest-2": QuantiseConfig("nearest", GROUPS[2]),
    "nf4": QuantiseConfig("nf4"),
    "gptq-3": QuantiseConfig("gptq", GROUPS[3]),
}
INPUT_CASES = ("static", "smooth", "static-spared", "smooth-spared", "token", "int8")
CALIBRATED = ("gptq-3", *INPUT_CASES[:4])  # depend on the calibration texts
EIGHT_BITS = GridConfig(8, granularity="row")
ALPHA = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SmolResult:
    ratios: np.ndarray  # (4, L) largest input of a channel over the median channel's, by place
    channels: np.ndarray  # (4, L) which channel that is
    worst: dict[
        str, np.ndarray
    ]  # by place, (D,) or (F,): all channels of the layer with the largest ratio
    full_loss: float
    losses: dict[str, np.ndarray]  # by case, (S,) or (1,) if the case needs no calibration
    bits: dict[str, float]  # per weight
    seeds: tuple[int, ...]
    seconds: float


def texts(seed: int) -> tuple[list[Batch], list[torch.Tensor]]:
    """Texts to judge by, always the same, and others to calibrate, by the seed."""
    loaded = load(NAME)
    drawn = reference_texts(loaded, 4 * TEXTS, torch.Generator().manual_seed(0))
    parts = drawn.parts(4)
    return [parts[0]], list(parts[1 + seed].tokens.split(4))


@torch.no_grad()
def study(seeds: tuple[int, ...] = (0, 1, 2)) -> SmolResult:
    started = time.perf_counter()
    model, judging = load(NAME).model, texts(0)[0]
    losses, bits = {name: [] for name in (*WEIGHT_CASES, *INPUT_CASES)}, {}
    for at, seed in enumerate(seeds):
        seen = calibrate(model, texts(seed)[1])
        if at == 0:
            ratios, channels, worst = outlier_channels(model, seen)
        for name in losses:
            if at == 0 or name in CALIBRATED:
                loss, spent = judged_case(name, model, seen, judging)
                losses[name].append(loss)
                bits[name] = spent
    return SmolResult(
        ratios, channels, worst, judged.loss_nats(model, judging),
        {name: np.array(values) for name, values in losses.items()},
        bits, seeds, time.perf_counter() - started,
    )  # fmt: skip


def outlier_channels(
    model: nn.Module, seen: dict[str, Inputs]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """How far the largest channel stands out at each place of each layer."""
    layers = range(model.config.num_layers)
    ratios, channels, worst = [], [], {}
    for place, reader in PLACES.items():
        rows = np.stack([seen[f"stack.layers.{n}.{reader}"].largest.numpy() for n in layers])
        ratios.append(rows.max(axis=1) / np.median(rows, axis=1))
        channels.append(rows.argmax(axis=1))
        worst[place] = rows[ratios[-1].argmax()].astype(np.float32)
    return np.stack(ratios), np.stack(channels), worst


def judged_case(
    name: str, model: nn.Module, seen: dict[str, Inputs], judging: list[Batch]
) -> tuple[float, float]:
    """The loss of a copy rounded as the case says, and its bits per weight."""
    model = copy.deepcopy(model)
    maps = judged.matrices(model)
    weights = sum(linear.weight.numel() for linear in maps.values())
    if name in WEIGHT_CASES:
        spent = 0.0
        for each, linear in maps.items():
            new, more = replaced(linear.weight, seen[each], WEIGHT_CASES[name])
            linear.weight.copy_(new)
            spent += more
        return judged.loss_nats(model, judging), spent / weights
    if name.startswith("smooth"):
        seen = smooth(model, seen, ALPHA)
    round_weights(model, EIGHT_BITS)
    way = name if name in ("token", "int8") else "static"
    spared = "down" if name.endswith("spared") else ""
    with rounded_inputs(model, 8, way, seen, spared):
        return judged.loss_nats(model, judging), 8.0
