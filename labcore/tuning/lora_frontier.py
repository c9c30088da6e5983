"""What a method costs and what it reaches: ranks, parts and methods, several seeds of each.

S seeds.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from labcore.events import drain
from labcore.tuning import tale_tasks, teller
from labcore.tuning.methods import Memory, Method, memory
from labcore.tuning.small_parts import trained_parameters
from labcore.tuning.tune import NEW_TASKS, TuneConfig, trained, typical_batch

RANKS = (1, 2, 4, 8, 16, 32)
# Of five rates (see `lora_rates`) the best, or one that is as good after more steps.
BEST_RATE = {
    "lora": 0.01, "rslora": 0.01, "dora": 0.01, "ia3": 0.1, "adapter": 0.03, "prompt": 0.1,
    "prefix": 0.1, "full": 0.003,
}  # fmt: skip
# Ranks are scaled by α/√r: then one rate suits them all.
RANK_CASES = {f"rank-{rank}": Method("rslora", rank, 8.0) for rank in RANKS} | {
    "full": Method("full")
}
PART_CASES = {part: Method("rslora", 8, 8.0, part=part) for part in ("qv", "attention", "mlp")}
METHOD_CASES = {
    name: Method(name) for name in ("lora", "dora", "ia3", "adapter", "prompt", "prefix")
}
CASES = {  # telling backwards is asked of ranks alone
    "cipher": RANK_CASES | PART_CASES | METHOD_CASES,
    "backwards": RANK_CASES,
}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    parameters: int  # that learn
    memory: Memory
    step_ms: np.ndarray  # (S,) CPU time of one update, on average
    new_nats: np.ndarray  # (S,) at the end
    old_nats: np.ndarray  # (S,)


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    cases: dict[str, dict[str, Case]]  # {task: {name: case}}
    start_nats: dict[str, float]  # {task: of the teller as it was}
    floor_nats: float
    steps: int
    seeds: tuple[int, ...]
    seconds: float


def frontier(seeds: tuple[int, ...] = (0, 1, 2)) -> Frontier:
    started, base = time.perf_counter(), TuneConfig()
    cases = {
        task: {name: case(config_of(method, task), seeds) for name, method in CASES[task].items()}
        for task in NEW_TASKS
    }
    start = tale_tasks.losses(teller.load_teller())
    return Frontier(
        cases, start, tale_tasks.lowest_nats(), base.steps, seeds, time.perf_counter() - started
    )


def config_of(method: Method, task: str) -> TuneConfig:
    return TuneConfig(method, task, BEST_RATE[method.name])


def case(config: TuneConfig, seeds: tuple[int, ...]) -> Case:
    ends, times = [], []
    for seed in seeds:
        model, looks = drain(trained(replace(config, seed=seed), look_steps=0))
        ends.append(looks.seen[-1])
        times.append(1000 * looks.cpu_seconds / config.steps)
    sample = typical_batch(config.task)
    return Case(
        trained_parameters(model), memory(model, sample), np.array(times),
        np.array([end.new_nats for end in ends]), np.array([end.old_nats for end in ends]),
    )  # fmt: skip
