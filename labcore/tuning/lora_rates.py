"""How much the learning rate matters, method by method; and what α is divided by, rank by rank.

Axes: K rates, S seeds.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from labcore.events import drain
from labcore.tuning.methods import Method
from labcore.tuning.tune import TuneConfig, trained

STEPS = 100
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
METHOD_CASES = {
    name: Method(name) for name in ("full", "lora", "dora", "ia3", "adapter", "prompt", "prefix")
}
# One α for all ranks: which rate does each rank want?
ALPHA, RANKS = 8.0, (2, 8, 32)
SCALE_CASES = {
    f"{name}-{rank}": Method(name, rank, ALPHA) for name in ("lora", "rslora") for rank in RANKS
}


@dataclass(frozen=True, slots=True, eq=False)
class RateStudy:
    rates: np.ndarray  # (K,)
    new_nats: dict[str, np.ndarray]  # {case: (K, S)} held-out loss on the cipher after STEPS
    seeds: tuple[int, ...]
    seconds: float

    def best_rate(self, name: str) -> float:
        """The rate whose worst seed is best."""
        return float(self.rates[np.nanargmin(self.new_nats[name].max(axis=1))])


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> RateStudy:
    started = time.perf_counter()
    found = {
        name: np.array([[end_nats(method, rate, seed) for seed in seeds] for rate in RATES])
        for name, method in (METHOD_CASES | SCALE_CASES).items()
    }
    return RateStudy(np.array(RATES), found, seeds, time.perf_counter() - started)


def end_nats(method: Method, rate: float, seed: int) -> float:
    config = replace(TuneConfig(method, steps=STEPS), learning_rate=rate, seed=seed)
    _, looks = drain(trained(config, look_steps=0))
    return looks.seen[-1].new_nats
