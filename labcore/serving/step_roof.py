"""One step of a published model on one accelerator, operator by operator, under the device's roof.

Two kinds of step: reading a prompt (all of its tokens at once) and writing (a token of each text).
Figures of devices are the makers'; weights and caches may be kept in fewer bits, products are still 16-bit.

Axes: O operators, M batch sizes.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.cluster import DEVICES, Device
from labcore.errors import LabInputError, check_choices
from labcore.model.config import ModelConfig
from labcore.model.presets import PRESETS
from labcore.serving.roofline import Load, Operator, operators, ridge

MODELS = tuple(name for name, preset in PRESETS.items() if preset.config.kind == "decoder")
PHASES = ("write", "read")
WEIGHT_BITS = CACHE_BITS = (16, 8, 4)
BATCHES = tuple(2**k for k in range(13))  # 1 to 4096
MOST_CROSSING = 2**17  # beyond this nobody serves
LONGEST = 2**20


@lab_config
class RoofConfig:
    preset: str = "llama-3-8b"
    device: str = "h100"
    phase: str = "write"
    batch: int = 1
    context: int = (
        2048  # tokens of the prompt, or tokens that each text has written and read so far
    )
    weight_bits: int = 16
    cache_bits: int = 16

    def __post_init__(self):
        known = {"preset": MODELS, "device": DEVICES, "phase": PHASES}
        check_choices(self, known | {"weight_bits": WEIGHT_BITS, "cache_bits": CACHE_BITS})
        for name, most in (("batch", MOST_CROSSING), ("context", LONGEST)):
            if not 1 <= getattr(self, name) <= most:
                raise LabInputError(name, getattr(self, name), "between", low=1, high=most)
        check_positions(PRESETS[self.preset].config, self.context)


@dataclass(frozen=True, slots=True, eq=False)
class RoofResult:
    names: tuple[str, ...]  # (O,)
    flops: np.ndarray  # (O,) over all layers
    bytes: np.ndarray  # (O,)
    seconds: np.ndarray  # (O,)
    bound: tuple[str, ...]  # (O,) "arithmetic" or "traffic"
    peak_flops: float
    bandwidth: float
    batches: np.ndarray  # (M,)
    step_seconds: np.ndarray  # (M,) the same step at every batch
    products_cross: (
        int | None
    )  # smallest batch at which products with weights are bound by arithmetic
    step_crosses: int | None  # and the whole step, caches included; None: at no batch

    @property
    def ridge(self) -> float:
        return self.peak_flops / self.bandwidth

    @property
    def total_seconds(self) -> float:
        return float(self.seconds.sum())


def check_positions(config: ModelConfig, tokens: int) -> None:
    """Learned positions end; the others only become strange."""
    if config.positions == "learned" and tokens > config.max_positions:
        raise LabInputError("context", tokens, "max_positions", limit=config.max_positions)


def load_of(config: RoofConfig, batch: int) -> Load:
    """What a step has to do: a prompt's tokens, or one token of each text behind its cache."""
    bits = {"weight_bytes": config.weight_bits / 8, "cache_bytes": config.cache_bits / 8}
    if config.phase == "read":
        return Load(batch, config.context, 0, **bits)
    return Load(batch, 1, config.context - 1, **bits)


def by_arithmetic(found: list[Operator], device: Device) -> bool:
    """Whether these operators together need longer for their products than for their bytes."""
    flops, moved = sum(one.flops for one in found), sum(one.bytes for one in found)
    return flops / moved >= ridge(device)


def crossing(config: RoofConfig, whole: bool) -> int | None:
    """The smallest batch at which writing is bound by arithmetic; None if no batch is large enough.

    Without attention (`whole` False) there always is one, near (weight bytes / 2) · ridge. With it each
    text brings a cache of its own: if that takes longer to read than its products take, no batch helps.
    """
    model, device = PRESETS[config.preset].config, DEVICES[config.device]

    def reached(batch: int) -> bool:
        found = operators(model, load_of(config, batch))
        return by_arithmetic([one for one in found if whole or one.name != "attention"], device)

    if not reached(MOST_CROSSING):
        return None
    low, high = 0, MOST_CROSSING
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def run(config: RoofConfig) -> RoofResult:
    model, device = PRESETS[config.preset].config, DEVICES[config.device]
    found = operators(model, load_of(config, config.batch))
    steps = [
        sum(one.seconds(device) for one in operators(model, load_of(config, batch)))
        for batch in BATCHES
    ]
    writing = config.phase == "write"
    return RoofResult(
        tuple(one.name for one in found),
        np.array([one.flops for one in found]),
        np.array([one.bytes for one in found]),
        np.array([one.seconds(device) for one in found]),
        tuple(one.bound(device) for one in found),
        device.peak_flops, device.memory_bandwidth, np.array(BATCHES), np.array(steps),
        crossing(config, False) if writing else None,
        crossing(config, True) if writing else None,
    )  # fmt: skip
