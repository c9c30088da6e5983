"""A queue in front of a model: waiting for a full batch, or letting everybody in and out at every step.

One step of the model writes one token for each request in the batch. Its time grows with the batch, but
slowly: the weights have to be read once, for one request or for many. Static batching takes requests
together and waits until the longest is done; those that finished earlier keep their place, empty.
Continuous batching hands a place to the next in the queue as soon as it is free.

This is a simulation with a cost model of three measured numbers, not a server; chapter 4's last lab is one.

Source: Orca, Yu et al., OSDI 2022 (iteration-level scheduling).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError

POLICIES = ("static", "continuous")


@dataclass(frozen=True, slots=True)
class Request:
    arrives: float  # seconds
    prompt_tokens: int
    answer_tokens: int


@lab_config
class Cost:
    """Seconds: measured on some machine, or by formula."""

    step: float = 0.02  # a step whatever the batch: reading the weights
    per_request: float = 0.001  # more of it for each request in the batch
    per_prompt_token: float = 0.0002  # reading a prompt

    def __post_init__(self):
        if not self.step > 0:
            raise LabInputError("step", self.step, "positive")
        for name in ("per_request", "per_prompt_token"):
            if getattr(self, name) < 0:
                raise LabInputError(name, getattr(self, name), "at_least", limit=0)


@dataclass(slots=True)
class Served:
    """One request's story."""

    request: Request
    place: int = -1  # which place of the batch it had
    started: float = np.nan
    first_token: float = np.nan
    finished: float = np.nan
    written: int = 0

    @property
    def wait_seconds(self) -> float:
        """From its arrival to its first token, as the one who asked feels it."""
        return self.first_token - self.request.arrives


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the model."""

    start: float
    end: float
    running: tuple[int, ...]  # requests that got a token
    idle_places: int


@dataclass(slots=True)
class Service:
    served: list[Served]
    steps: list[Step] = field(default_factory=list)

    @property
    def tokens_per_second(self) -> float:
        done = max(one.finished for one in self.served)
        return sum(one.written for one in self.served) / (done - self.served[0].request.arrives)

    @property
    def idle_share(self) -> float:
        """Share of places, over all steps, in which nothing was written."""
        idle = sum(step.idle_places for step in self.steps)
        return idle / sum(step.idle_places + len(step.running) for step in self.steps)


def poisson_requests(
    count: int, per_second: float, answer_mean: float, seed: int, prompt_tokens: int = 64
) -> list[Request]:
    """Requests that come independently of one another, with answers of geometric length."""
    if not per_second > 0:
        raise LabInputError("per_second", per_second, "positive")
    if not answer_mean >= 1:
        raise LabInputError("answer_mean", answer_mean, "at_least", limit=1)
    rng = np.random.default_rng(seed)
    arrivals = rng.exponential(1 / per_second, count).cumsum()
    lengths = rng.geometric(1 / answer_mean, count)
    return [
        Request(float(at), prompt_tokens, int(n)) for at, n in zip(arrivals, lengths, strict=True)
    ]


def serve(
    requests: Sequence[Request], places: int, policy: str, cost: Cost | None = None
) -> Generator[Step, None, Service]:
    """Work off a queue, first come first served.  Requests in order of arrival.

    Worked by hand: two places, all there at 0, answers of 1, 4 and 2 tokens, steps of 1 s, nothing else.
    Static: the first two take 4 steps, the third 2 more: 6 s. Continuous: the third takes the place that is
    free after step 1 and is done at 3; all are done at 4 s.
    """
    if places < 1:
        raise LabInputError("places", places, "at_least", limit=1)
    if policy not in POLICIES:
        raise LabInputError("policy", policy, "known_choice", allowed=POLICIES)
    cost = cost or Cost()
    service = Service([Served(request) for request in requests])
    waiting = list(range(len(requests)))
    seats: list[int | None] = [None] * places
    clock = 0.0
    while waiting or any(seat is not None for seat in seats):
        if all(seat is None for seat in seats):
            clock = max(clock, requests[waiting[0]].arrives)
        may_enter = policy == "continuous" or all(seat is None for seat in seats)
        entered = enter(service, waiting, seats, clock) if may_enter else []
        seated = [one for one in seats if one is not None]
        running = [one for one in seated if np.isnan(service.served[one].finished)]
        prompts = sum(requests[one].prompt_tokens for one in entered)
        start = clock
        # A static batch pays for its empty places: they are computed and thrown away.
        paid = len(running) if policy == "continuous" else len(seated)
        clock += cost.step + cost.per_request * paid + cost.per_prompt_token * prompts
        for one in running:
            note_token(service.served[one], clock)
        step = Step(start, clock, tuple(running), places - len(running))
        service.steps.append(step)
        leave(service, seats, policy)
        yield step
    return service


def enter(service: Service, waiting: list[int], seats: list[int | None], clock: float) -> list[int]:
    """Whoever has arrived takes a free place.  -> those who came in"""
    entered = []
    for place, seat in enumerate(seats):
        here = waiting and service.served[waiting[0]].request.arrives <= clock
        if seat is None and here:
            seats[place] = one = waiting.pop(0)
            service.served[one].place, service.served[one].started = place, clock
            entered.append(one)
    return entered


def note_token(one: Served, clock: float) -> None:
    one.written += 1
    if one.written == 1:
        one.first_token = clock
    if one.written == one.request.answer_tokens:
        one.finished = clock


def leave(service: Service, seats: list[int | None], policy: str) -> None:
    """Free the places of those who are done: at once, or only when all of them are."""
    done = [seat is None or not np.isnan(service.served[seat].finished) for seat in seats]
    for place in range(len(seats)):
        if all(done) if policy == "static" else done[place]:
            seats[place] = None
