"""The planner's formulas held to a queue: the same copy, simulated request by request.

Requests come independently (Poisson), answers have geometric lengths, and the copy serves them by
continuous batching (`batching.serve`). The formulas know neither chance nor queue. Up to a load below 1 they
should do; at a load above 1, the control, they cannot: the queue has no end.

Axes: L loads, S seeds.
"""

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.serving import capacity
from labcore.serving.batching import Cost, Served, poisson_requests, serve
from labcore.serving.capacity import CapacityConfig

LOADS = (0.5, 0.8, 0.95, 1.2)  # of what one copy can do by formula
LEAST_REQUESTS, TIMES_THE_BATCH = 400, 8
MOST_PLACES = (
    100_000  # texts at once times tokens of an answer: what can be simulated while one waits
)
WARM_UP = 0.4  # of the requests: the copy begins empty


@lab_config
class CheckConfig:
    plan: CapacityConfig = field(default_factory=CapacityConfig)
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class CheckLook:
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    loads: np.ndarray  # (L,)
    first: np.ndarray  # (L, S) mean seconds to the first token
    late: np.ndarray  # (L, S) the 95th percentile of it
    each: np.ndarray  # (L, S) mean seconds between two tokens of one answer
    running: np.ndarray  # (L, S) mean texts at once
    by_formula: np.ndarray  # (L,) seconds between two tokens; inf where no copy can do so much
    full_first: float  # of a full copy
    full_each: float
    batch: int


def run(config: CheckConfig) -> CheckResult:
    return drain(check(config))


def cost_of(plan: CapacityConfig, result: capacity.CapacityResult) -> Cost:
    """The plan's times as the simulation's three numbers; w(B) as a straight line from 1 to the batch."""
    write, batch = result.write_seconds, result.batch
    slope = (write[batch - 1] - write[0]) / max(1, batch - 1)
    return Cost(float(write[0] - slope), float(slope), result.read_seconds / plan.prompt)


def check(config: CheckConfig) -> Generator[CheckLook, None, CheckResult]:
    plan = config.plan
    result = capacity.run(plan)
    if not result.batch:
        raise LabInputError("batch", 0, "at_least", limit=1)
    if result.batch * plan.answer > MOST_PLACES:
        raise LabInputError("batch", result.batch, "at_most", limit=MOST_PLACES // plan.answer)
    cost, found = cost_of(plan, result), []
    rows = [(load, seed) for load in LOADS for seed in config.seeds]
    for load, seed in rows:
        per_second = load * result.per_second[result.chosen]
        count = max(LEAST_REQUESTS, TIMES_THE_BATCH * result.batch)
        requests = poisson_requests(count, per_second, plan.answer, seed, plan.prompt)
        service = drain(serve(requests, result.batch, "continuous", cost))
        found.append(seen(service.served, service.steps))
        yield CheckLook(len(found) / len(rows))
    shape = (len(LOADS), len(config.seeds))
    first, late, each, running = (
        np.array(column).reshape(shape) for column in zip(*found, strict=True)
    )
    full = float(result.per_second[result.chosen])
    curve = result.next_seconds[: result.batch]
    expected = [capacity.at_load(curve, plan.answer, load * full) for load in LOADS]
    return CheckResult(
        np.array(LOADS), first, late, each, running, np.array(expected),
        float(result.first_seconds[result.chosen]), float(result.next_seconds[result.chosen]),
        result.batch,
    )  # fmt: skip


def seen(served: list[Served], steps: list) -> tuple[float, float, float, float]:
    """What those who came after the warm-up and before the last arrival felt."""
    kept = served[int(WARM_UP * len(served)) :]
    waits = np.array([one.wait_seconds for one in kept])
    between = [
        (one.finished - one.first_token) / (one.written - 1) for one in kept if one.written > 1
    ]
    begin, end = kept[0].request.arrives, kept[-1].request.arrives
    texts = [len(one.running) for one in steps if begin <= one.start <= end]
    return (
        float(waits.mean()),
        float(np.percentile(waits, 95)),
        float(np.mean(between)),
        float(np.mean(texts)),
    )
