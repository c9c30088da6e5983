"""Who sends what to whom: the messages that each kind of parallelism needs, and how often in a step."""

from dataclasses import dataclass

import numpy as np

from labcore.distributed.cluster import Numbers, members_per_node
from labcore.distributed.communication import Message, all_to_all, ring, send
from labcore.distributed.layout import Layout, Task, chunks_of, micro_batches, stage_parameters
from labcore.distributed.memory import FULL, WEIGHT_BYTES, boundary_bytes, layers_of_stage


def tokens_of(task: Task, layout: Layout) -> Numbers:
    """Tokens of one micro-batch on one device."""
    return layout.micro_batch * task.sequence / layout.cp


def forward_passes(layout: Layout) -> Numbers:
    """Of each micro-batch: one, or two where the backward pass computes everything again."""
    return 1 + (layout.recompute == FULL)


# One layer, one micro-batch: the message, and how many of them.


def tensor_message(task: Task, layout: Layout) -> tuple[Message, Numbers]:
    """The partial sums of the stream, all-reduced twice in a forward and twice in a backward pass.

    Sequence parallelism cuts each all-reduce into its two halves and sends as much.
    """
    size = boundary_bytes(task.model, tokens_of(task, layout), 1, False)
    times = np.where(layout.tp > 1, 2 * forward_passes(layout) + 2, 0)
    return ring(task.cluster, "all_reduce", size, layout.tp, 1), times


def context_message(task: Task, layout: Layout) -> tuple[Message, Numbers]:
    """Keys and values go round the ring: once forward and, with their gradients, twice as much backward."""
    model = task.model
    key_values = 2 * model.key_value_heads * model.head_dim * tokens_of(task, layout) / layout.tp
    # The ring is as slow as its slowest hop, the one that closes it.
    stride = np.where(layout.cp > 1, layout.tp * (layout.cp - 1), layout.tp)
    times = (forward_passes(layout) + 2) * (layout.cp - 1)
    return send(task.cluster, WEIGHT_BYTES * key_values, stride), times


def expert_message(task: Task, layout: Layout) -> tuple[Message, Numbers]:
    """Tokens travel to their experts and back, twice in a forward and twice in a backward pass."""
    copies = tokens_of(task, layout) * task.model.active_experts
    size = boundary_bytes(task.model, copies, layout.tp, task.sequence_parallel)
    times = np.where(layout.ep > 1, 2 * forward_passes(layout) + 2, 0)
    return all_to_all(task.cluster, size, layout.ep, layout.tp * layout.cp), times


# One stage.


def pipeline_message(task: Task, layout: Layout) -> tuple[Message, Numbers]:
    """The stream goes on to the next stage, its gradient comes back: for each micro-batch and chunk."""
    size = boundary_bytes(task.model, tokens_of(task, layout), layout.tp, task.sequence_parallel)
    times = np.where(layout.pp > 1, 2 * chunks_of(task, layout) * micro_batches(task, layout), 0)
    return send(task.cluster, size, task.cluster.devices // layout.pp), times


def replica_messages(task: Task, layout: Layout) -> dict[str, tuple[Message, Numbers]]:
    """Gradients summed over the replicas and weights gathered again, as the ZeRO stage has it.

    Stages 0 and 1 sum once per step: an all-reduce, or a reduce-scatter and an all-gather, which send as
    much. Stage 2 keeps no whole gradients, so it reduces after every micro-batch. Stage 3 keeps no whole
    weights either, so it gathers them for every forward and every backward pass.
    """
    dense, experts = heaviest_stage(task, layout)
    groups = {
        "": (dense, layout.replicas, layout.tp),
        "_experts": (experts, layout.replicas / layout.ep, layout.tp * layout.ep),
    }
    m, zero = micro_batches(task, layout), layout.zero
    reductions = np.where(zero >= 2, m, 1)
    gathers = np.where(zero >= 3, 2 * m, 1)
    gathered = np.where(zero == 0, task.gradient_bytes, WEIGHT_BYTES)  # an all-reduce gathers sums
    messages = {}
    for suffix, (parameters, ways, stride) in groups.items():
        reduced = parameters * task.gradient_bytes
        messages[f"reduce{suffix}"] = (
            ring(task.cluster, "reduce_scatter", reduced, ways, stride), reductions * (ways > 1),
        )  # fmt: skip
        messages[f"gather{suffix}"] = (
            ring(task.cluster, "all_gather", parameters * gathered, ways, stride), gathers * (ways > 1),
        )  # fmt: skip
    return messages


def heaviest_stage(task: Task, layout: Layout) -> tuple[Numbers, Numbers]:
    """(dense, expert) parameters of the stage with most of each: the first, the second or the last."""
    stages = (0, np.minimum(1, layout.pp - 1), layout.pp - 1)
    held = [stage_parameters(task.model, layout, stage) for stage in stages]
    dense, experts = (
        np.max(np.broadcast_arrays(*kind), axis=0) for kind in zip(*held, strict=True)
    )
    return dense, experts


# The whole step, for one layout, as a table.


@dataclass(frozen=True, slots=True)
class Flow:
    """One row: what one device of the busiest stage sends in a step, and how long if nothing hides it."""

    kind: str  # "tensor", "context", "expert", "pipeline", "reduce", "gather", "…_experts"
    collective: str
    ways: int
    members: int  # of them in one node
    times: int
    sent_bytes: float
    seconds: float


def traffic(task: Task, layout: Layout) -> list[Flow]:
    """Every kind of message that occurs."""
    stage = min(1, layout.pp - 1)
    per_layer = int(layers_of_stage(task.model.layers, layout.pp, stage)) * micro_batches(
        task, layout
    )
    messages = {
        "tensor": (tensor_message(task, layout), per_layer),
        "context": (context_message(task, layout), per_layer),
        "expert": (expert_message(task, layout), per_layer),
        "pipeline": (pipeline_message(task, layout), 1),
        **{kind: (pair, 1) for kind, pair in replica_messages(task, layout).items()},
    }
    flows = []
    for kind, ((message, times), repeat) in messages.items():
        count = round(float(times) * repeat)
        sent, seconds = count * float(message.sent_bytes), count * float(message.seconds)
        if count and sent:
            ways = int(layout.cp if kind == "context" else message.ways)
            near = int(
                members_per_node(task.cluster, neighbour_stride(kind, layout, message), ways)
            )
            flows.append(Flow(kind, message.collective, ways, near, count, sent, seconds))
    return flows


def neighbour_stride(kind: str, layout: Layout, message: Message) -> Numbers:
    return layout.tp if kind == "context" else message.stride
