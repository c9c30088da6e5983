"""A server's memory under load: four ways of keeping the caches of many requests.

`reserved`: each request gets one piece, as long as the longest allowed. `exact`: one piece of just the
length that it will turn out to need, which no real server knows. `paged`: blocks, one at a time. `shared`:
blocks, and requests that begin alike hold the same ones. All serve the same trace; memory is the only limit.

A paged request may find no block for its next token. Then the youngest request gives its blocks back, waits
at the head of the queue, and reads everything again later, as vLLM does it.

Source: PagedAttention, arXiv:2309.06180.
Axes: T steps, C cells of the map (SLOTS addresses, one token each).
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.serving.paged import PagedMemory
from labcore.serving.request_trace import MAX_LENGTH, STEPS, Request, TraceConfig, draw_trace

WAYS = ("reserved", "exact", "paged", "shared")
SLOTS = 512  # tokens whose keys and values fit
BLOCKS = (1, 2, 4, 8, 16, 32, 64)
FREE, WRITTEN, EMPTY, SHARED = range(4)  # what a slot is on the map
MAP_EVERY = 4  # steps
LIMITS = {"patience": (5, 200)}


@lab_config
class ServerConfig:
    block_tokens: int = 16
    arrivals: float = 0.25
    system_tokens: int = 32
    patience: int = 40  # steps after which a waiting request goes away
    seed: int = 0

    def __post_init__(self):
        if self.block_tokens not in BLOCKS:
            raise LabInputError("block_tokens", self.block_tokens, "known_choice", allowed=BLOCKS)
        low, high = LIMITS["patience"]
        if not low <= self.patience <= high:
            raise LabInputError("patience", self.patience, "between", low=low, high=high)
        self.trace()

    def trace(self) -> TraceConfig:
        return TraceConfig(self.arrivals, self.system_tokens, self.seed)


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One way over the whole trace."""

    running: np.ndarray  # (T,) requests at work
    waiting: np.ndarray  # (T,)
    held: np.ndarray  # (T,) slots that belong to somebody
    written: np.ndarray  # (T,) slots with a token's keys and values in them
    largest_hole: np.ndarray  # (T,) free slots in one piece
    map: np.ndarray  # (T / MAP_EVERY, C) uint8
    finished: int
    refused: int  # went away while waiting
    preempted: int  # times that a request had to give its blocks back
    answered_tokens: int  # of finished requests

    @property
    def wasted_share(self) -> float:
        """Of the slots held, those without a token, over the whole run."""
        return 1 - self.written.sum() / max(1, self.held.sum())


@dataclass(frozen=True, slots=True, eq=False)
class ServerResult:
    requests: int
    ways: dict[str, Served]


class Contiguous:
    """Pieces in one row of slots; a new one goes to the first hole that is long enough."""

    def __init__(self, slots: int, size_of):
        self.slots, self.size_of = slots, size_of  # size_of(request) -> slots
        self.pieces: dict[str, list[int]] = {}  # request -> [start, size, written]

    def admit(self, request: Request) -> bool:
        size = self.size_of(request)
        for start, room in self.holes():
            if room >= size:
                self.pieces[request.name] = [start, size, len(request.prompt)]
                return True
        return False

    def holes(self) -> list[tuple[int, int]]:
        """Free places as (start, length), lowest address first."""
        found, at = [], 0
        for start, size, _ in sorted(self.pieces.values()):
            found.append((at, start - at))
            at = start + size
        return [*found, (at, self.slots - at)]

    def append(self, name: str) -> bool:
        self.pieces[name][2] += 1
        return True

    def release(self, name: str) -> None:
        del self.pieces[name]

    def map(self) -> np.ndarray:
        """(SLOTS,)"""
        cells = np.full(self.slots, FREE, np.uint8)
        for start, size, written in self.pieces.values():
            cells[start : start + size] = EMPTY
            cells[start : start + written] = WRITTEN
        return cells


class Paged:
    """`PagedMemory`, asked in the same words."""

    def __init__(self, slots: int, block_tokens: int, share: bool):
        self.memory = PagedMemory(slots // block_tokens, block_tokens, share)

    def admit(self, request: Request) -> bool:
        return self.memory.admit(request.name, request.prompt)

    def append(self, name: str) -> bool:
        return self.memory.append(name, -1)  # what is written does not matter, only that it is

    def release(self, name: str) -> None:
        self.memory.release(name)

    def map(self) -> np.ndarray:
        """(SLOTS,) by address: block after block"""
        cells = np.full((len(self.memory.blocks), self.memory.block_tokens), FREE, np.uint8)
        for row, block in zip(cells, self.memory.blocks, strict=True):
            if block.holders:
                row[:] = EMPTY
                row[: len(block.tokens)] = SHARED if block.holders > 1 else WRITTEN
        return cells.ravel()


def memory_for(way: str, block_tokens: int) -> Contiguous | Paged:
    if way == "reserved":
        return Contiguous(SLOTS, lambda request: MAX_LENGTH)
    if way == "exact":
        return Contiguous(SLOTS, lambda request: request.length)
    return Paged(SLOTS, block_tokens, share=way == "shared")


@dataclass(slots=True)
class Server:
    """Who waits, who runs, and what became of those who are gone."""

    memory: Contiguous | Paged
    patience: int
    waiting: deque[Request] = field(default_factory=deque)
    running: dict[str, list] = field(default_factory=dict)  # name -> [request, tokens written]
    finished: int = 0
    refused: int = 0
    preempted: int = 0
    answered_tokens: int = 0

    def step(self, now: int, arrivals: list[Request]) -> None:
        """Refuse who has waited too long, admit in order while there is room, write one token each."""
        self.waiting.extend(arrivals)
        staying = deque(one for one in self.waiting if now - one.arrival <= self.patience)
        self.refused += len(self.waiting) - len(staying)
        self.waiting = staying
        while self.waiting and self.memory.admit(self.waiting[0]):
            request = self.waiting.popleft()
            self.running[request.name] = [request, 0]
        for name in list(self.running):
            while name in self.running and not self.memory.append(name):
                self.preempt(next(reversed(self.running)))
            if name in self.running:
                self.wrote(name)

    def preempt(self, name: str) -> None:
        request, _ = self.running.pop(name)
        self.memory.release(name)
        self.waiting.appendleft(request)
        self.preempted += 1

    def wrote(self, name: str) -> None:
        self.running[name][1] += 1
        request, written = self.running[name]
        if written == request.answer_tokens:
            del self.running[name]
            self.memory.release(name)
            self.finished += 1
            self.answered_tokens += written


def serve(way: str, trace: list[Request], config: ServerConfig) -> Served:
    server = Server(memory_for(way, config.block_tokens), config.patience)
    rows, maps = [], []
    for now in range(STEPS):
        server.step(now, [request for request in trace if request.arrival == now])
        cells = server.memory.map()
        held, written = int((cells != FREE).sum()), int(np.isin(cells, (WRITTEN, SHARED)).sum())
        rows.append((len(server.running), len(server.waiting), held, written, largest_hole(cells)))
        if now % MAP_EVERY == 0:
            maps.append(cells)
    running, waiting, held, written, holes = np.array(rows).T
    return Served(
        running, waiting, held, written, holes, np.array(maps), server.finished, server.refused,
        server.preempted, server.answered_tokens,
    )  # fmt: skip


def largest_hole(cells: np.ndarray) -> int:
    """The longest run of free slots.

    >>> largest_hole(np.array([FREE, WRITTEN, FREE, FREE, EMPTY]))
    2
    """
    ends = np.flatnonzero(np.concatenate([[True], cells != FREE, [True]]))
    return int(np.diff(ends).max() - 1)


def run(config: ServerConfig) -> ServerResult:
    trace = draw_trace(config.trace())
    return ServerResult(len(trace), {way: serve(way, trace, config) for way in WAYS})
