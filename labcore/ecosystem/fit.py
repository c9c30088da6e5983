"""Does it fit? Weights in some bits and the cache of some texts, against a memory.

The cache is worked out from the model's published config where the lab has it; where it has not, only the
weights are counted, and the answer says so. A tenth of the memory is left for everything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from labcore.configs import lab_config
from labcore.ecosystem.catalogue import OpenModel
from labcore.errors import check_limits
from labcore.model.counting import kv_cache_bytes
from labcore.model.presets import PRESETS

BITS = (16, 8, 4)
# Beside the codes: a 16-bit scale for each group of 32 weights.
SCALE_BITS = {16: 0.0, 8: 0.5, 4: 0.5}
KEPT_FREE = 0.1
GIGA = 1e9


@lab_config
class FitConfig:
    memory_gb: float = 16.0
    bits: int = 4
    context: int = 4096  # tokens of each text
    batch: int = 1

    def __post_init__(self):
        check_limits(self, {"memory_gb": (0.5, 4096), "context": (1, 2**20), "batch": (1, 1024)})
        check_limits(self, {"bits": (4, 16)})


@dataclass(frozen=True, slots=True)
class Fit:
    model: OpenModel
    weights_gb: float
    cache_gb: float | None  # None: the config is not here
    fits: bool
    too_long: bool  # the context is longer than the model's own


def weights_gb(parameters: float, bits: int) -> float:
    """>>> round(weights_gb(7e9, 4), 2)  # 4.5 bits each
    3.94
    """
    return parameters * (bits + SCALE_BITS[bits]) / 8 / GIGA


def fit(model: OpenModel, config: FitConfig) -> Fit:
    """Weights, cache in 16 bits, and whether both leave a tenth of the memory free."""
    weights = weights_gb(model.parameters, config.bits)
    cache = None
    if model.preset is not None:
        preset = PRESETS[model.preset].config
        keeps = preset.kind != "encoder"  # an encoder reads once and writes nothing
        cache = kv_cache_bytes(preset, config.context, 2, config.batch) / GIGA if keeps else 0.0
    room = config.memory_gb * (1 - KEPT_FREE)
    return Fit(
        model, weights, cache, weights + (cache or 0.0) <= room, config.context > model.context
    )


def run(models: Sequence[OpenModel], config: FitConfig) -> list[Fit]:
    return sorted((fit(one, config) for one in models), key=lambda one: one.weights_gb)
