"""A real server under load: requests come by chance, ever more of them, and each notes how long it waited.

Two servers one after the other, one text at a time and several. Each is first asked by one client and by
as many as it has seats, always anew as soon as an answer is there: that gives its capacity and what a step
costs. Then requests come independently of one another (Poisson), at rates that are shares of that
capacity. Beside what was measured stands what `batching.serve` makes of the same arrivals and the two
costs. The client runs in a process of its own and takes time of the same machine.

Axes: L loads, R rounds, Q quantiles (0.5, 0.95, 0.99).
"""

import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.serving import batching
from labcore.serving.batching import Cost, Request, poisson_requests
from labcore.serving.endpoint_process import Heard, Running, ask, served

MODELS = ("world-decoder", "smollm2-135m-instruct")
FORMS = ("fp32", "bf16", "torch-8", "torch-4")
LOADS = (0.3, 0.6, 0.9, 1.2)  # of the capacity; the last is the control: more than can be done
QUANTILES = (0.5, 0.95, 0.99)
PROMPT = "One day, Lily went to the garden with a small blue card. She"
MOST_ANSWER = 64  # tokens
FEWEST, MOST = 10, 200  # requests of one load and round
LIMITS = {"seats": (2, 16), "seconds": (1.0, 10.0), "rounds": (1, 5), "answer_mean": (4.0, 32.0)}


@lab_config
class LoadConfig:
    model: str = "world-decoder"
    form: str = "fp32"
    seats: int = 8  # of the second server; the first has one
    seconds: float = 2.5  # of arrivals, for each load and round
    rounds: int = 2
    answer_mean: float = 16.0  # tokens wanted, on average
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"model": MODELS, "form": FORMS})
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class ServerLoad:
    """One server over its loads."""

    seats: int
    capacity: float  # requests per second, always anew
    cost: Cost
    rates: np.ndarray  # (L,) requests per second
    first_seconds: np.ndarray  # (L, R, Q) to the first piece
    total_seconds: np.ndarray  # (L, R, Q) to the end
    simulated_first: np.ndarray  # (L, R, Q) the same arrivals in `batching.serve`
    simulated_total: np.ndarray  # (L, R, Q)
    tokens_per_second: np.ndarray  # (L, R)
    errors: np.ndarray  # (L, R) requests without an answer


@dataclass(frozen=True, slots=True)
class Look:
    """After one round of one load."""

    seats: int
    rate: float
    first_ms: float  # median
    share: float  # of the whole


@dataclass(frozen=True, slots=True, eq=False)
class LoadResult:
    servers: list[ServerLoad]
    weight_bytes: int


def run(config: LoadConfig) -> LoadResult:
    return drain(measure(config))


def measure(config: LoadConfig) -> Generator[Look, None, LoadResult]:
    servers, weights = [], 0
    for at, seats in enumerate((1, config.seats)):
        with served(config.model, config.form, seats) as running:
            weights = running.weight_bytes
            cost, capacity = calibrate(running, seats, config)
            rounds = len(LOADS) * config.rounds
            first, total, simulated, rates, wrong = [], [], [], [], []
            for number in range(rounds):
                load = LOADS[number // config.rounds]
                seed = config.seed * 1_000 + number % config.rounds
                wanted = arrivals(config, load * capacity, seed)
                begun = time.perf_counter()
                heard = at_times(running, wanted)
                spent = time.perf_counter() - begun
                good = [one for one in heard if not one.error]
                first.append(quantiles([one.first_seconds for one in good]))
                total.append(quantiles([one.total_seconds for one in good]))
                rates.append(sum(one.tokens for one in good) / spent)
                wrong.append(len(heard) - len(good))
                simulated.append(simulate(wanted, heard, seats, cost))
                done = (at + (number + 1) / rounds) / 2
                yield Look(seats, load * capacity, 1e3 * float(first[-1][0]), done)
        shape = (len(LOADS), config.rounds)
        servers.append(
            ServerLoad(
                seats, capacity, cost, np.array(LOADS) * capacity,
                np.reshape(first, (*shape, -1)), np.reshape(total, (*shape, -1)),
                np.reshape([one[0] for one in simulated], (*shape, -1)),
                np.reshape([one[1] for one in simulated], (*shape, -1)),
                np.reshape(rates, shape), np.reshape(wrong, shape),
            )
        )  # fmt: skip
    return LoadResult(servers, weights)


def arrivals(config: LoadConfig, per_second: float, seed: int) -> list[Request]:
    """When the requests come, and how many tokens each wants."""
    count = min(max(round(per_second * config.seconds), FEWEST), MOST)
    drawn = poisson_requests(count, per_second, config.answer_mean, seed)
    return [
        Request(one.arrives, one.prompt_tokens, min(one.answer_tokens, MOST_ANSWER))
        for one in drawn
    ]


def at_times(running: Running, wanted: Sequence[Request]) -> list[Heard]:
    """Send each request at its time, whether or not earlier ones have been answered."""
    begun = time.perf_counter()

    def one(number: int) -> Heard:
        time.sleep(max(0.0, wanted[number].arrives - (time.perf_counter() - begun)))
        return ask(running, PROMPT, wanted[number].answer_tokens, number)

    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(one, range(len(wanted))))


def calibrate(running: Running, seats: int, config: LoadConfig) -> tuple[Cost, float]:
    """What a step and a request cost, and requests per second with every seat always taken.

    A step takes s + c·B. One client sees s + c for each further token, as many as there are seats s + c·B.
    What a request costs beside its steps (its prompt, its way in and out) is what the capacity leaves:
    B requests of n tokens take B·r + n·(s + c·B).
    """
    length = round(config.answer_mean)
    ask(running, PROMPT, length, 0)  # warms up
    alone = float(np.median([each_token(ask(running, PROMPT, length, seed)) for seed in range(6)]))
    begun = time.perf_counter()
    with ThreadPoolExecutor(seats) as pool:
        full = list(pool.map(lambda seed: ask(running, PROMPT, length, seed), range(6 * seats)))
    capacity = len(full) / (time.perf_counter() - begun)
    together = max(alone, float(np.median([each_token(one) for one in full])))
    more = (together - alone) / (seats - 1) if seats > 1 else 0.0
    tokens = float(np.mean([one.tokens for one in full]))
    request = max(0.0, 1 / capacity - tokens * together / seats)
    return Cost(max(alone - more, 1e-6), more, request), capacity


def each_token(one: Heard) -> float:
    """Seconds for each token after the first."""
    return (one.total_seconds - one.first_seconds) / max(one.tokens - 1, 1)


def simulate(
    wanted: Sequence[Request], heard: Sequence[Heard], seats: int, cost: Cost
) -> tuple[np.ndarray, np.ndarray]:
    """The same arrivals and the lengths that answers really had, in the simulated queue.  -> (Q,), (Q,)

    The prompt is one piece here, whose price `cost` gives as a whole.
    """
    same = [
        Request(one.arrives, 1, max(answer.tokens, 1))
        for one, answer in zip(wanted, heard, strict=True)
    ]
    served = drain(batching.serve(same, seats, "continuous", cost)).served
    first = [one.wait_seconds for one in served]
    total = [one.finished - one.request.arrives for one in served]
    return quantiles(first), quantiles(total)


def quantiles(seconds: Sequence[float]) -> np.ndarray:
    """-> (Q,), NaN for none"""
    if not len(seconds):
        return np.full(len(QUANTILES), np.nan)
    return np.quantile(seconds, QUANTILES)
