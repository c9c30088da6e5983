"""What one written token costs a device: weights and cache have to be read, products have to be made.

A step writes one token for each of B sequences. It reads every weight that any of them needs, and all of
their caches; it takes as long as the slower of reading and computing (the roofline). B sequences of a
mixture need more experts than one does, so what a mixture saves depends on B.

Times are of one device, or of several that share the work without loss: device seconds per token, a price
rather than a waiting time. Messages between devices and starting kernels are left out.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.scaling.evolution import (
    SETS,
    Design,
    cache_bytes,
    expert_layers,
    expert_parameters,
    parameters,
    writing_flops,
)


@lab_config
class DecodingConfig:
    names: tuple[str, ...] = ("twin", "moe", "giant")
    designs: str = "steps"  # key of SETS
    context: int = 4096  # tokens in each cache
    weight_bits: int = 16
    cache_bits: int = 16
    device: str = "h100"

    def __post_init__(self):
        if self.designs not in SETS:
            raise LabInputError("designs", self.designs, "known_choice", allowed=tuple(SETS))
        if self.device not in DEVICES:
            raise LabInputError("device", self.device, "known_choice", allowed=tuple(DEVICES))
        for name in self.names:
            if name not in SETS[self.designs]:
                raise LabInputError(
                    "names", name, "known_choice", allowed=tuple(SETS[self.designs])
                )
        for name in ("context", "weight_bits", "cache_bits"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)


@dataclass(frozen=True, slots=True, eq=False)
class Decoding:
    """One design over Q batch sizes; all per written token."""

    name: str
    title: str
    weight_bytes: np.ndarray  # (Q,) read, shared by the batch
    cache_bytes: np.ndarray  # (Q,) read; each sequence has its own
    flops: float
    seconds: np.ndarray  # (Q,) of one device
    computing: np.ndarray  # (Q,) bool: the products take longer than the reading
    experts_read: np.ndarray  # (Q,) per layer, expected; 0 without experts


BATCHES = 2 ** np.arange(0, 11)  # 1 to 1,024


def run(config: DecodingConfig) -> tuple[Decoding, ...]:
    return tuple(decode(name, SETS[config.designs][name], config) for name in config.names)


def decode(name: str, design: Design, config: DecodingConfig) -> Decoding:
    """Reading and computing of one step, divided by the tokens that it writes."""
    device, batch = DEVICES[config.device], BATCHES.astype(float)
    experts = experts_needed(design, batch)
    weights = weights_needed(design, batch) * config.weight_bits / 8 / batch
    cache = np.full_like(batch, cache_bytes(design, config.context, config.cache_bits))
    reading = (weights + cache) / device.memory_bandwidth
    flops = writing_flops(design, config.context)
    computing = flops / (device.peak_flops * device.peak_share)
    return Decoding(
        name, design.title, weights, cache, flops, np.maximum(reading, computing),
        computing > reading, experts,
    )  # fmt: skip


def experts_needed(design: Design, batch: np.ndarray) -> np.ndarray:
    """How many of a layer's E routed experts B tokens need, if each picks C of them evenly.

    One expert is left alone by one token with probability 1 − C/E, by all of them with its B-th power.
    """
    moe = design.config.moe
    if moe is None:
        return np.zeros_like(batch)
    left_alone = (1 - moe.experts_per_token / moe.num_experts) ** batch
    return moe.num_experts * (1 - left_alone)


def weights_needed(design: Design, batch: np.ndarray) -> np.ndarray:
    """Parameters that a step has to read: all but the experts that no token of the batch needs."""
    moe = design.config.moe
    idle = 0 if moe is None else moe.num_experts - experts_needed(design, batch)
    return parameters(design) - idle * expert_parameters(design) * expert_layers(design)
