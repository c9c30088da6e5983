"""How long one optimizer step takes, and on what: compute, communication that nothing hides, idling.

Products run at a fixed share of the peak, everything else at memory bandwidth, messages by the α-β model.
What can run beside compute hides behind a share of it (`Task.overlap`); only the rest is "exposed" and
counts. A pipeline goes at the pace of its slowest stage.
"""

from dataclasses import dataclass, fields

import numpy as np

from labcore.distributed.cluster import Numbers
from labcore.distributed.layout import Layout, Task, chunks_of, micro_batches
from labcore.distributed.memory import (
    FULL,
    SELECTIVE,
    WEIGHT_BYTES,
    layer_activations,
    layers_of_stage,
)
from labcore.distributed.traffic import (
    context_message,
    expert_message,
    heaviest_stage,
    pipeline_message,
    replica_messages,
    tensor_message,
    tokens_of,
)


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of one step, part by part."""

    compute: Numbers  # the products that the model needs
    pointwise: Numbers  # norms, activations, sums: bound by memory bandwidth, and starting kernels
    recompute: Numbers  # what is done a second time, to save memory
    tensor: Numbers  # exposed communication, by what causes it
    context: Numbers
    expert: Numbers
    pipeline: Numbers
    data: Numbers
    uneven: Numbers  # waiting for the stage that has most to do
    bubble: Numbers  # waiting for the pipeline to fill and to empty
    update: Numbers  # the optimizer, bound by memory bandwidth

    @property
    def total(self) -> Numbers:
        return sum(getattr(self, field.name) for field in fields(self))


def exposed(seconds: Numbers, compute: Numbers, share: float) -> Numbers:
    """What is left of a communication after a share of the compute beside it has hidden its part."""
    return np.maximum(0, seconds - share * compute)


def step_time(task: Task, layout: Layout) -> StepTime:
    """One step of `task` laid out as `layout`."""
    model, m, p = task.model, micro_batches(task, layout), layout.pp
    layer, head = layer_seconds(task, layout), head_seconds(task, layout)
    per_layer = sum(layer.values())
    # The second stage has as many layers as any; the last one has the head as well.
    most = layers_of_stage(model.layers, p, np.minimum(1, p - 1)) * per_layer
    last = layers_of_stage(model.layers, p, p - 1) * per_layer + head
    slowest, mean = np.maximum(most, last), (model.layers * per_layer + head) / p
    parts = {name: m * model.layers / p * seconds for name, seconds in layer.items()}
    parts["compute"] = parts["compute"] + m * head / p
    return StepTime(
        **parts,
        pipeline=pipeline_seconds(task, layout, slowest),
        data=data_seconds(task, layout, mean),
        uneven=m * (slowest - mean),
        bubble=(p - 1) * slowest * bubble_factor(task, layout),
        update=update_seconds(task, layout),
    )


# One layer and one micro-batch, forward and backward.


def layer_seconds(task: Task, layout: Layout) -> dict[str, Numbers]:
    """By part. A backward pass has two products for each of the forward pass, hence 1 + 2 = 3."""
    products = tokens_of(task, layout) * task.model.layer_flops / (product_rate(task) * layout.tp)
    scores, attention = attention_seconds(task, layout)
    pointwise = pointwise_seconds(task, layout)
    again = np.where(layout.recompute == FULL, products + scores + pointwise, 0)
    again = np.where(layout.recompute == SELECTIVE, scores, again)
    busy = 3 * (products + pointwise) + attention + again
    waits = {
        "tensor": (tensor_message(task, layout), busy, task.tensor_overlap),
        "context": (context_message(task, layout), attention, task.overlap),
        "expert": (expert_message(task, layout), busy, task.tensor_overlap),
    }
    return {
        "compute": 3 * products + attention,
        "pointwise": 3 * pointwise,
        "recompute": again,
        **{
            name: exposed(times * message.seconds, beside, share)
            for name, ((message, times), beside, share) in waits.items()
        },
    }


def product_rate(task: Task) -> float:
    return task.cluster.device.peak_flops * task.peak_share


def attention_seconds(task: Task, layout: Layout) -> tuple[Numbers, Numbers]:
    """Scores and weighted sums: forward alone, and forward with backward.

    A fused kernel leaves out what is masked, computes the scores again on its way back (five products
    for two) and reaches a smaller share of the peak.
    """
    tokens = tokens_of(task, layout)
    flops = tokens * task.sequence * task.model.score_flops_per_key / layout.tp
    if not task.flash:
        forward = flops / product_rate(task)
        return forward, 3 * forward
    needed = flops / 2 if task.model.causal else flops
    forward = needed / (task.cluster.device.peak_flops * task.attention_share)
    return forward, 3.5 * forward


def pointwise_seconds(task: Task, layout: Layout) -> Numbers:
    """Forward: whatever is kept for the backward pass was written once and read once."""
    kept = layer_activations(
        task.model, tokens_of(task, layout), task.sequence, layout.tp,
        np.zeros_like(layout.recompute), task.sequence_parallel, task.flash,
    )  # fmt: skip
    return task.launch_seconds + 2 * kept / task.cluster.device.memory_bandwidth


def head_seconds(task: Task, layout: Layout) -> Numbers:
    return 3 * tokens_of(task, layout) * task.model.head_flops / (product_rate(task) * layout.tp)


# The whole step.


def pipeline_seconds(task: Task, layout: Layout, stage_seconds: Numbers) -> Numbers:
    """Handing on hides behind the next micro-batch, except while the pipeline fills and empties."""
    message, times = pipeline_message(task, layout)
    m = micro_batches(task, layout)
    steady = m * exposed(times / m * message.seconds, stage_seconds, task.overlap)
    return steady + 2 * (layout.pp - 1) * message.seconds


def bubble_factor(task: Task, layout: Layout) -> Numbers:
    """The bubble in units of (p - 1) stage times, by schedule.

    Interleaving divides it by v; ZB-H1 fills it with weight gradients until F + B - W of F + B + W is
    left (arXiv:2401.10241), where recomputing belongs to B.
    """
    if task.schedule == "interleaved":
        return 1 / chunks_of(task, layout)
    if task.schedule == "zb-h1":
        again = layout.recompute == FULL
        return (1 + again) / (3 + again)
    return 1.0


def data_seconds(task: Task, layout: Layout, micro_batch_seconds: Numbers) -> Numbers:
    """What summing gradients and gathering weights add.

    Reducing hides behind backward passes and gathering behind forward ones: those of one micro-batch
    where it happens once a step, of all where ZeRO-2 and ZeRO-3 do it every time. An all-reduce has only
    the backward pass, for the optimizer waits for its end.
    """
    messages, m = replica_messages(task, layout), micro_batches(task, layout)
    spent = {name: times * message.seconds for name, (message, times) in messages.items()}
    reduce = spent["reduce"] + spent["reduce_experts"]
    gather = spent["gather"] + spent["gather_experts"]
    forward, backward = micro_batch_seconds / 3, micro_batch_seconds * 2 / 3
    share = task.overlap
    return np.select(
        [layout.zero == 0, layout.zero == 1, layout.zero == 2],
        [
            exposed(reduce + gather, backward, share),
            exposed(reduce, backward, share) + exposed(gather, forward, share),
            exposed(reduce, m * backward, share) + exposed(gather, forward, share),
        ],
        exposed(reduce + gather, m * micro_batch_seconds, share),
    )


def update_seconds(task: Task, layout: Layout) -> Numbers:
    """Optimizer states read and written, gradients read, weights written, at memory speed."""
    dense, experts = heaviest_stage(task, layout)
    shared = layout.zero >= 1
    mine = dense / np.where(shared, layout.replicas, 1)
    mine = mine + experts / np.where(shared, layout.replicas / layout.ep, 1)
    touched = 2 * task.optimizer_bytes + task.gradient_bytes + WEIGHT_BYTES
    return touched * mine / task.cluster.device.memory_bandwidth


# Utilisation.


def model_flops(task: Task) -> float:
    """What one step needs, forward and backward, whatever is recomputed."""
    return 3.0 * task.batch * task.model.forward_flops(task.sequence, task.with_masked)


def hardware_flops(task: Task, layout: Layout) -> Numbers:
    """The same with the products that are done a second time; fused attention's own are not counted."""
    model, s = task.model, task.sequence
    keys = s / 2 if model.causal and not task.with_masked else s
    scores = keys * model.score_flops_per_key
    again = np.where(layout.recompute == FULL, model.layer_flops + scores, 0)
    again = np.where(layout.recompute == SELECTIVE, scores, again)
    return (
        model_flops(task) + float(task.batch * s * model.layers) * again
    )  # beyond 64-bit integers


def utilisation(task: Task, flops: Numbers, seconds: Numbers) -> Numbers:
    """Operations over what all devices could have done in the time: MFU, or HFU of hardware FLOPs."""
    return flops / (task.cluster.devices * task.cluster.device.peak_flops * seconds)
