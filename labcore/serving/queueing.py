"""The same requests under both policies, and how long people wait as the load grows.

The load is a share of what continuous batching could do at most: with every place always taken.
Axes: R requests, L loads, S seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.serving.batching import POLICIES, Cost, Request, Service, poisson_requests, serve

LOADS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


LIMITS = {
    "load": (0.01, 2), "places": (1, 10_000), "answer_mean": (1, 100_000), "requests": (1, 100_000),
    "prompt_tokens": (1, 1_000_000),
}  # fmt: skip


@lab_config
class QueueConfig:
    load: float = 0.5  # tokens asked for, over the most that can be written
    places: int = 6  # of the batch
    answer_mean: int = 24  # tokens, geometric
    requests: int = 40
    prompt_tokens: int = 32
    cost: Cost = field(default_factory=Cost)
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)

    @property
    def per_second(self) -> float:
        """Requests that arrive."""
        return self.load * most_requests(self)


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """What became of the requests under one policy; times in seconds."""

    place: np.ndarray  # (R,)
    started: np.ndarray  # (R,) when it got its place
    first_token: np.ndarray  # (R,)
    finished: np.ndarray  # (R,)
    freed: (
        np.ndarray
    )  # (R,) when its place went to somebody else's use: later than finished if static
    waits: np.ndarray  # (R,) from arrival to first token
    tokens_per_second: float
    idle_share: float  # of places, over all steps

    def wait(self, share: float) -> float:
        """The waiting time that this share of requests stays below, seconds."""
        return float(np.quantile(self.waits, share))


@dataclass(frozen=True, slots=True, eq=False)
class QueueResult:
    arrives: np.ndarray  # (R,)
    answer_tokens: np.ndarray  # (R,)
    per_second: float
    policies: dict[str, Served]


def most_requests(config: QueueConfig) -> float:
    """Requests per second if no place is ever empty.

    In the time of `answer_mean` full steps, and the reading of their prompts, `places` requests are done.
    """
    cost, places = config.cost, config.places
    writing = config.answer_mean * (cost.step + cost.per_request * places)
    reading = places * config.prompt_tokens * cost.per_prompt_token
    return places / (writing + reading)


def run(config: QueueConfig) -> QueueResult:
    """One queue, worked off twice."""
    requests = poisson_requests(
        config.requests, config.per_second, config.answer_mean, config.seed, config.prompt_tokens
    )
    return QueueResult(
        np.array([one.arrives for one in requests]),
        np.array([one.answer_tokens for one in requests]),
        config.per_second,
        {policy: served(requests, config, policy) for policy in POLICIES},
    )


def served(requests: Sequence[Request], config: QueueConfig, policy: str) -> Served:
    service: Service = drain(serve(requests, config.places, policy, config.cost))
    columns = {
        name: np.array([getattr(one, name) for one in service.served])
        for name in ("place", "started", "first_token", "finished")
    }
    freed = columns["finished"].copy()
    if policy == "static":  # those who came in together leave together
        for start in np.unique(columns["started"]):
            together = columns["started"] == start
            freed[together] = freed[together].max()
    waits = np.array([one.wait_seconds for one in service.served])
    return Served(**columns, freed=freed, waits=waits,
                  tokens_per_second=service.tokens_per_second, idle_share=service.idle_share)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LoadStudy:
    """Per policy (L, S): waiting times in seconds, tokens per second, idle share."""

    loads: np.ndarray  # (L,)
    median_wait: dict[str, np.ndarray]
    long_wait: dict[str, np.ndarray]  # 95 % wait less
    tokens_per_second: dict[str, np.ndarray]
    idle_share: dict[str, np.ndarray]
    requests: int
    seeds: tuple[int, ...]


def study(config: QueueConfig, seeds: tuple[int, ...] = (0, 1, 2)) -> LoadStudy:
    """The load raised step by step; enough requests for the queue to settle."""
    results = [[run(replace(config, load=load, seed=seed)) for seed in seeds] for load in LOADS]

    def table(read) -> dict[str, np.ndarray]:
        return {
            policy: np.array([[read(one.policies[policy]) for one in row] for row in results])
            for policy in POLICIES
        }

    return LoadStudy(
        np.array(LOADS),
        table(lambda one: one.wait(0.5)), table(lambda one: one.wait(0.95)),
        table(lambda one: one.tokens_per_second), table(lambda one: one.idle_share),
        config.requests, seeds,
    )  # fmt: skip
