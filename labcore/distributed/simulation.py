"""When each pass of a pipeline schedule runs: every device works down its own list and waits for others.

A pass starts when its device is free and what it needs has arrived:

- F of a piece needs F of the piece before, same micro-batch;
- B needs B of the piece after, and its own F;
- W needs its own B.

What crosses from one device to another takes `hop_seconds` more. There is no clock tick: times follow from
the order alone, so idle time is found, not assumed.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.schedules import SCHEDULES, Pass, order_of_passes
from labcore.errors import LabInputError

MOST_PASSES = 20_000


@lab_config
class PipelineConfig:
    schedule: str = "1f1b"
    stages: int = 4  # p
    micro_batches: int = 8  # m
    chunks: int = 2  # v, interleaved only
    forward_ms: float = 10.0  # F: one micro-batch through one stage
    backward_ms: float = 10.0  # B: gradient of the input, recomputation included
    weight_ms: float = 10.0  # W: gradient of the weights
    hop_ms: float = 0.0  # from one stage to the next

    def __post_init__(self):
        if self.schedule not in SCHEDULES:
            raise LabInputError("schedule", self.schedule, "known_choice", allowed=SCHEDULES)
        for name in ("stages", "micro_batches", "chunks"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)
        for name in ("forward_ms", "backward_ms", "weight_ms"):
            if not getattr(self, name) > 0:
                raise LabInputError(name, getattr(self, name), "positive")
        if not self.hop_ms >= 0:
            raise LabInputError("hop_ms", self.hop_ms, "at_least", limit=0)
        if 3 * self.stages * self.micro_batches * self.pieces > MOST_PASSES:
            raise LabInputError("micro_batches", self.micro_batches, "too_many_passes")

    @property
    def pieces(self) -> int:
        """Chunks of the model on each device."""
        return self.chunks if self.schedule == "interleaved" and self.stages > 1 else 1

    def milliseconds(self, kind: str) -> float:
        """Of one pass; unless W is apart, B does both."""
        apart = self.schedule == "zb-h1"
        backward = self.backward_ms + (0 if apart else self.weight_ms)
        return {"F": self.forward_ms, "B": backward, "W": self.weight_ms}[kind] / self.pieces


@dataclass(frozen=True, slots=True)
class Timeline:
    """N passes, in the order in which they start; p stages."""

    stage: np.ndarray  # (N,) int
    kind: np.ndarray  # (N,) "F", "B", "W"
    micro_batch: np.ndarray  # (N,) int
    chunk: np.ndarray  # (N,) int
    start_ms: np.ndarray  # (N,)
    end_ms: np.ndarray  # (N,)
    total_ms: float
    busy_ms: np.ndarray  # (p,)
    held: np.ndarray  # (p,) most micro-batches whose activations wait on a stage

    @property
    def bubble_share(self) -> float:
        """Idle time over the whole: of total · p device-milliseconds, those in which nothing ran."""
        return 1 - self.busy_ms.sum() / (self.total_ms * len(self.busy_ms))

    @property
    def bubble_over_work(self) -> float:
        """The other usual definition: idle time over busy time."""
        return self.bubble_share / (1 - self.bubble_share)


def simulate(config: PipelineConfig) -> Timeline:
    """Run the schedule: whenever a stage's next pass has what it needs, it runs."""
    p, v = config.stages, config.pieces
    orders = [order_of_passes(config.schedule, s, p, config.micro_batches, v) for s in range(p)]
    done: dict[tuple[int, Pass], float] = {}  # when a pass ended
    free, next_pass = [0.0] * p, [0] * p
    rows = []
    while any(next_pass[s] < len(orders[s]) for s in range(p)):
        moved = False
        for s in range(p):
            while next_pass[s] < len(orders[s]):
                this = orders[s][next_pass[s]]
                needs = needed(this, s, p, v)
                if any(need not in done for need, _ in needs):
                    break
                ready = max((done[need] + config.hop_ms * far for need, far in needs), default=0.0)
                start = max(free[s], ready)
                free[s] = done[s, this] = start + config.milliseconds(this.kind)
                rows.append((start, s, this))
                next_pass[s] += 1
                moved = True
        if not moved:
            raise RuntimeError("the schedule waits for itself")
    return timeline(config, rows)


def needed(this: Pass, stage: int, stages: int, chunks: int) -> list[tuple[tuple[int, Pass], bool]]:
    """The passes that must have ended before `this`, and whether they ran on another device."""
    piece, last = this.chunk * stages + stage, stages * chunks - 1
    if this.kind == "W":
        return [((stage, Pass("B", this.micro_batch, this.chunk)), False)]
    if this.kind == "F":
        return [neighbour("F", this, piece - 1, stage, stages)] if piece > 0 else []
    own = ((stage, Pass("F", this.micro_batch, this.chunk)), False)
    return [own, neighbour("B", this, piece + 1, stage, stages)] if piece < last else [own]


def neighbour(kind: str, this: Pass, piece: int, stage: int, stages: int):
    chunk, where = divmod(piece, stages)
    return (where, Pass(kind, this.micro_batch, chunk)), where != stage


def timeline(config: PipelineConfig, rows: list[tuple[float, int, Pass]]) -> Timeline:
    rows = sorted(rows, key=lambda row: (row[0], row[1]))
    stage = np.array([s for _, s, _ in rows])
    kind = np.array([one.kind for _, _, one in rows])
    start = np.array([begin for begin, _, _ in rows])
    length = np.array([config.milliseconds(one) for one in kind])
    busy = np.bincount(stage, weights=length, minlength=config.stages)
    return Timeline(
        stage, kind,
        np.array([one.micro_batch for _, _, one in rows]),
        np.array([one.chunk for _, _, one in rows]),
        start, start + length, float((start + length).max()), busy,
        held=np.array([most_held(config, kind[stage == s]) for s in range(config.stages)]),
    )  # fmt: skip


def most_held(config: PipelineConfig, kinds: np.ndarray) -> float:
    """Activations come with F and go with the last pass that needs them: W, or B where it does both."""
    last = "W" if config.schedule == "zb-h1" else "B"
    change = (kinds == "F").astype(int) - (kinds == last)
    return float(np.cumsum(change).max()) / config.pieces


def bubble_formula(config: PipelineConfig) -> float:
    """The share of the whole that stands idle, without hops: x / (m·(F+B+W) + x) with the bubble x.

    x is (p-1)(F+B+W) for GPipe and 1F1B, a v-th of it when interleaved, (p-1)(F+B-W) for ZB-H1 (with
    B + F ≥ W, and enough micro-batches to fill the pipeline).
    """
    f, b, w = config.forward_ms, config.backward_ms, config.weight_ms
    bubble = (config.stages - 1) * (f + b + w) / config.pieces
    if config.schedule == "zb-h1":
        bubble = (config.stages - 1) * (f + b - w)
    return bubble / (config.micro_batches * (f + b + w) + bubble)
