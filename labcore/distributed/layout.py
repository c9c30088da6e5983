"""One way of spreading a model over a cluster, and the memory each of its pipeline stages then needs.

A `Layout`'s fields are numbers, or arrays with one entry per candidate: the same formulas serve both.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from labcore.distributed.cluster import Cluster, Numbers
from labcore.distributed.memory import (
    FULL,
    WEIGHT_BYTES,
    Memory,
    head_activations,
    in_flight,
    layer_activations,
    layers_of_stage,
    zero_states,
)
from labcore.distributed.workload import Workload


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be trained, where, and what is taken for granted."""

    model: Workload
    cluster: Cluster
    batch: int = 512  # sequences of one optimizer step, all replicas together
    sequence: int = 8192  # tokens of one sequence
    schedule: str = "1f1b"
    chunks: int = 1  # v: pieces of the model per device, interleaved schedule only
    optimizer_bytes: float = 12  # per parameter
    gradient_bytes: float = 2  # 4 where gradients are summed in 32 bits
    flash: bool = True  # attention that never writes its scores to memory
    sequence_parallel: bool = True  # what tensor parallelism leaves whole is cut along the tokens
    peak_share: float = 0.6  # of the peak that products with weights reach
    attention_share: float = 0.4  # the same for fused attention
    launch_seconds: float = 50e-6  # one layer forward: starting its kernels
    overlap: float = 0.8  # of the compute behind which communication may hide
    tensor_overlap: float = 0.0  # the same for tensor and expert parallelism
    with_masked: bool = False  # whether MFU counts masked scores, as Megatron and PaLM do
    reserve: float = 0.1  # of the memory: context, buffers, fragmentation


@dataclass(frozen=True, slots=True)
class Layout:
    """Ways of each kind of parallelism; dp · tp · pp · cp devices, experts within dp · cp."""

    dp: Numbers = 1
    tp: Numbers = 1
    pp: Numbers = 1
    cp: Numbers = 1
    ep: Numbers = 1
    zero: Numbers = 0
    micro_batch: Numbers = 1  # b, in sequences
    recompute: Numbers = 0  # memory.NONE, SELECTIVE or FULL

    @property
    def replicas(self) -> Numbers:
        """Devices with the same weights: what ZeRO shares among, and gradients are summed over."""
        return self.dp * self.cp

    def take(self, where: np.ndarray | int) -> "Layout":
        """Some of many layouts; a single one comes out as plain ints."""
        picked = {field.name: getattr(self, field.name)[where] for field in fields(self)}
        if np.ndim(where) == 0 and not isinstance(where, slice):
            picked = {name: int(value) for name, value in picked.items()}
        return replace(self, **picked)


def micro_batches(task: Task, layout: Layout) -> Numbers:
    """m: how many micro-batches each replica works through per step; whole only if it divides."""
    return task.batch / (layout.dp * layout.micro_batch)


def chunks_of(task: Task, layout: Layout) -> Numbers:
    """v: only an interleaved pipeline of several stages has more than one chunk per device."""
    if task.schedule != "interleaved":
        return 1
    return np.where(layout.pp > 1, task.chunks, 1)


def stage_parameters(model: Workload, layout: Layout, stage: Numbers) -> tuple[Numbers, Numbers]:
    """(dense, expert) parameters on one device of a stage, before ZeRO shares them."""
    layers = layers_of_stage(model.layers, layout.pp, stage)
    first, last = stage == 0, stage == layout.pp - 1
    ends = first * model.embedding_parameters + last * model.head_parameters
    if model.tied:  # on one stage the two ends are one matrix
        ends = ends - (layout.pp == 1) * model.vocabulary * model.hidden
    dense = (layers * model.split_parameters + ends) / layout.tp + layers * model.whole_parameters
    experts = layers * model.expert_parameters / (layout.tp * layout.ep)
    return dense, experts


def stage_memory(task: Task, layout: Layout, stage: Numbers) -> Memory:
    """Bytes on one device of pipeline stage `stage` (from 0) at its fullest moment."""
    model = task.model
    dense, experts = stage_parameters(model, layout, stage)
    states = [
        here + there
        for here, there in zip(
            share(task, layout, dense, layout.replicas),
            share(task, layout, experts, layout.replicas / layout.ep),
            strict=True,
        )
    ]
    states[0] = states[0] + gathered(model, layout)
    return Memory(*states, stage_activations(task, layout, stage))


def share(task: Task, layout: Layout, parameters: Numbers, ways: Numbers):
    return zero_states(parameters, layout.zero, ways, task.optimizer_bytes, task.gradient_bytes)


def gathered(model: Workload, layout: Layout) -> Numbers:
    """Stage 3 brings whole layers together as they are needed: the present one and the next."""
    layer = model.split_parameters / layout.tp + model.expert_parameters / (layout.tp * layout.ep)
    spread = 1 - 1 / np.maximum(layout.replicas, 1)
    return np.where(
        layout.zero >= 3, 2 * WEIGHT_BYTES * (layer + model.whole_parameters) * spread, 0
    )


def stage_activations(task: Task, layout: Layout, stage: Numbers) -> Numbers:
    """Layers of the stage, times the micro-batches that wait there; recomputing needs room for a layer."""
    model = task.model
    tokens = layout.micro_batch * task.sequence / layout.cp
    waiting = in_flight(
        task.schedule, micro_batches(task, layout), layout.pp, stage, chunks_of(task, layout)
    )

    def layer(recompute: Numbers) -> Numbers:
        return layer_activations(
            model, tokens, task.sequence, layout.tp, recompute, task.sequence_parallel, task.flash
        )

    layers = layers_of_stage(model.layers, layout.pp, stage)
    working = np.where(layout.recompute == FULL, layer(np.zeros_like(layout.recompute)), 0)
    head = head_activations(model, tokens, layout.tp, task.sequence_parallel)
    return layers * waiting * layer(layout.recompute) + working + (stage == layout.pp - 1) * head


def fullest_stage(task: Task, layout: Layout) -> Numbers:
    """Bytes on the fullest device: of the first stage, the second, or the last.

    From the second stage on fewer and fewer micro-batches wait and no stage has more layers, so the
    others cannot be fuller; the first has the embedding, the last the head.
    """
    stages = (0, np.minimum(1, layout.pp - 1), layout.pp - 1)
    totals = [stage_memory(task, layout, stage).total for stage in stages]
    return np.max(np.broadcast_arrays(*totals), axis=0)
