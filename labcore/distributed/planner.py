"""Parallel training planner: the fastest way to train a model on a cluster, and why not another.

A step has to fit twice: into the memory of each device, and into as little time as possible. Every way of
splitting costs something, so all of them are computed and compared (`search`): copies of the model (dp)
with their states shared (ZeRO), matrices cut (tp, with sequence parallelism), layers dealt out (pp),
sequences cut (cp), experts dealt out (ep), activations computed again.
"""

from dataclasses import dataclass, replace

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.cluster import DEVICES, NETWORKS, Cluster
from labcore.distributed.layout import Layout, Task, micro_batches, stage_memory
from labcore.distributed.memory import FULL, OPTIMIZER_BYTES, Memory, in_flight
from labcore.distributed.schedules import SCHEDULES
from labcore.distributed.search import WITHOUT, Judged, judge, search, without
from labcore.distributed.simulation import PipelineConfig, bubble_formula, simulate
from labcore.distributed.step_time import (
    StepTime,
    hardware_flops,
    model_flops,
    step_time,
    utilisation,
)
from labcore.distributed.traffic import Flow, traffic
from labcore.distributed.workload import preset_workload
from labcore.errors import LabInputError
from labcore.model.presets import PRESETS


@lab_config
class PlannerConfig:
    preset: str = "gpt3-175b"
    device: str = "a100-80"
    nodes: int = 128
    per_node: int = 8
    network: str = "network-200"
    batch_tokens: int = 2**22  # of one optimizer step
    sequence: int = 2048
    schedule: str = "1f1b"
    chunks: int = 2  # interleaved schedule only
    optimizer: str = "adamw"
    gradient_bytes: int = 2
    flash: bool = True
    sequence_parallel: bool = True
    # What is taken for granted; see `Task` and `Cluster`.
    peak_share: float = 0.7
    attention_share: float = 0.4
    link_share: float = 0.8
    latency_us: float = 10.0
    overlap: float = 0.8
    tensor_overlap: float = 0.0
    reserve: float = 0.1

    def __post_init__(self):
        known = {
            "preset": PRESETS, "device": DEVICES, "network": NETWORKS, "schedule": SCHEDULES,
            "optimizer": OPTIMIZER_BYTES,
        }  # fmt: skip
        for name, allowed in known.items():
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice")
        for name in ("nodes", "per_node", "sequence", "chunks", "gradient_bytes"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)
        for name in ("peak_share", "attention_share", "link_share"):
            if not 0.001 <= getattr(self, name) <= 1:
                raise LabInputError(name, getattr(self, name), "between", low=0.001, high=1)
        for name in ("overlap", "tensor_overlap", "reserve"):
            if not 0 <= getattr(self, name) <= 1:
                raise LabInputError(name, getattr(self, name), "between", low=0, high=1)
        if self.latency_us < 0:
            raise LabInputError("latency_us", self.latency_us, "at_least", limit=0)
        if self.batch_tokens < self.sequence:
            raise LabInputError("batch_tokens", self.batch_tokens, "at_least", limit=self.sequence)
        model = PRESETS[self.preset].config
        if model.positions == "learned" and self.sequence > model.max_positions:
            raise LabInputError(
                "sequence", self.sequence, "max_positions", limit=model.max_positions
            )

    def task(self) -> Task:
        cluster = Cluster(
            DEVICES[self.device], self.nodes, self.per_node, NETWORKS[self.network],
            self.link_share, self.latency_us * 1e-6,
        )  # fmt: skip
        return Task(
            preset_workload(self.preset), cluster,
            batch=self.batch_tokens // self.sequence, sequence=self.sequence,
            schedule=self.schedule, chunks=self.chunks,
            optimizer_bytes=OPTIMIZER_BYTES[self.optimizer], gradient_bytes=self.gradient_bytes,
            flash=self.flash, sequence_parallel=self.sequence_parallel,
            peak_share=self.peak_share, attention_share=self.attention_share,
            overlap=self.overlap, tensor_overlap=self.tensor_overlap, reserve=self.reserve,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlanReport:
    """One plan in full."""

    layout: Layout  # ints
    micro_batches: float  # m; not whole if the batch cannot be dealt out
    verdict: int  # index into search.VERDICTS
    stages: tuple[int, ...]  # the pipeline stages on show, from 0
    waiting: tuple[float, ...]  # micro-batches held by each of them at once
    memory: Memory  # arrays, one entry per stage on show
    memory_bytes: float  # of the fullest stage of all
    limit_bytes: float
    capacity_bytes: float
    time: StepTime  # floats
    seconds: float
    mfu: float
    hfu: float
    tokens_per_second: float
    flows: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class PlannerResult:
    devices: int
    parameters: int
    active_parameters: int
    batch: int  # sequences
    judged: Judged  # all candidates
    best: PlanReport | None
    nearest: PlanReport | None  # where nothing fits: what lacks least
    without: dict[str, PlanReport | None]  # the best plan that does without one thing


def run(config: PlannerConfig) -> PlannerResult:
    """Judge every candidate; look closer at the best one and at what would be without its parts."""
    task = config.task()
    judged = search(task)

    def look(index: int | None) -> PlanReport | None:
        return None if index is None else report(task, judged.layouts.take(index))

    best = judged.best()
    return PlannerResult(
        task.cluster.devices, task.model.total_parameters, task.model.active_parameters, task.batch,
        judged, look(best), None if best is not None else look(judged.nearest()),
        {what: look(without(judged, what)) for what in WITHOUT},
    )  # fmt: skip


MOST_STAGES = 8  # bars on show


def report(task: Task, layout: Layout) -> PlanReport:
    """Everything about one plan."""
    stages = shown_stages(layout.pp)
    m = float(micro_batches(task, layout))
    here = np.array(stages)
    memory = stage_memory(task, layout, here)
    held = in_flight(task.schedule, m, layout.pp, here, task.chunks if layout.pp > 1 else 1)
    times = step_time(task, layout)
    seconds = float(times.total)
    judged = judge(task, layout)
    return PlanReport(
        layout, m, int(judged.verdict), stages,
        tuple(float(n) for n in np.broadcast_to(held, here.shape)),
        Memory(*(np.broadcast_to(np.asarray(part, float), here.shape) for part in parts(memory))),
        float(judged.memory_bytes), judged.limit_bytes, task.cluster.device.memory_bytes,
        StepTime(*(float(part) for part in parts(times))), seconds,
        float(utilisation(task, model_flops(task), seconds)),
        float(utilisation(task, hardware_flops(task, layout), seconds)),
        task.batch * task.sequence / seconds, tuple(traffic(task, layout)),
    )  # fmt: skip


def parts(record: Memory | StepTime) -> list:
    return [getattr(record, name) for name in type(record).__dataclass_fields__]


def shown_stages(stages: int) -> tuple[int, ...]:
    """All of them, or the first, some between, the last."""
    if stages <= MOST_STAGES:
        return tuple(range(stages))
    between = np.linspace(2, stages - 2, MOST_STAGES - 3).round().astype(int)
    return tuple(sorted({0, 1, *between.tolist(), stages - 1}))


MOST_PASSES = 8_000  # of a pipeline that is simulated beside its formula


def simulated_bubble(config: PlannerConfig, plan: PlanReport) -> tuple[float, float] | None:
    """Idle share of the plan's pipeline by simulation and by formula; None without one, or if too long.

    Recomputing belongs to the backward pass, whose parts take as long as the forward pass.
    """
    layout, chunks = plan.layout, config.chunks if config.schedule == "interleaved" else 1
    passes = 3 * layout.pp * plan.micro_batches * chunks
    if layout.pp == 1 or plan.verdict > 1 or passes > MOST_PASSES:
        return None
    backward = 2.0 if layout.recompute == FULL else 1.0
    pipeline = PipelineConfig(
        config.schedule, layout.pp, int(plan.micro_batches), chunks, 1.0, backward, 1.0
    )
    return simulate(pipeline).bubble_share, bubble_formula(pipeline)


# A plan of one's own.


def evaluate(config: PlannerConfig, layout: Layout) -> PlanReport:
    """A layout that the learner chose, by the same formulas."""
    task = config.task()
    check_layout(task, layout)
    return report(task, layout)


def check_layout(task: Task, layout: Layout) -> None:
    """What does not divide cannot be split."""
    model, devices = task.model, task.cluster.devices
    split = layout.tp * layout.pp * layout.cp
    if layout.dp * split != devices:
        raise LabInputError("dp", layout.dp, "uses_all_devices", devices=devices)
    if model.heads % layout.tp or model.key_value_heads % layout.tp:
        raise LabInputError("tp", layout.tp, "splits_heads", heads=model.key_value_heads)
    if layout.pp > model.layers:
        raise LabInputError("pp", layout.pp, "at_most", limit=model.layers)
    if task.sequence % layout.cp:
        raise LabInputError("cp", layout.cp, "divides_sequence", sequence=task.sequence)
    if model.experts % layout.ep or layout.replicas % layout.ep:
        raise LabInputError("ep", layout.ep, "divides_experts", experts=model.experts)


def zero_ladder(config: PlannerConfig, layout: Layout) -> list[PlanReport]:
    """The same layout under ZeRO 0, 1, 2 and 3."""
    return [evaluate(config, replace(layout, zero=stage)) for stage in range(4)]


# More devices for the same batch.


@dataclass(frozen=True, slots=True)
class Scaling:
    """S cluster sizes; NaN where nothing fits."""

    devices: np.ndarray  # (S,)
    tokens_per_second: np.ndarray  # (S,)
    mfu: np.ndarray  # (S,)
    plans: tuple[Layout | None, ...]


def strong_scaling(config: PlannerConfig) -> Scaling:
    """The best plan on smaller and larger clusters of the same kind, for the same batch."""
    sizes = sorted({max(1, round(config.nodes * 2.0**k)) for k in range(-3, 5)})
    rows = []
    for nodes in sizes:
        task = replace(config, nodes=nodes).task()
        judged = search(task)
        best = judged.best()
        tokens = task.batch * task.sequence
        rows.append(
            (task.cluster.devices, np.nan, np.nan, None)
            if best is None
            else (
                task.cluster.devices, tokens / judged.seconds[best], judged.mfu[best],
                judged.layouts.take(best),
            )
        )  # fmt: skip
    devices, speed, mfu, plans = zip(*rows, strict=True)
    return Scaling(np.array(devices), np.array(speed), np.array(mfu), plans)
