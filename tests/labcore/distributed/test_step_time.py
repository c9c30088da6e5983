"""Step times: formulas of the papers, cases worked by hand, one formula for numbers and for arrays."""

from dataclasses import fields, replace

import numpy as np
import pytest

from labcore.distributed.cluster import DEVICES, Cluster
from labcore.distributed.layout import Layout, Task
from labcore.distributed.memory import FULL, NONE, SELECTIVE
from labcore.distributed.search import candidates
from labcore.distributed.step_time import (
    StepTime,
    exposed,
    hardware_flops,
    model_flops,
    step_time,
    utilisation,
)
from labcore.distributed.traffic import traffic
from labcore.distributed.workload import preset_workload, workload
from labcore.model.presets import gpt2

GPT3 = preset_workload("gpt3-175b")
LLAMA = preset_workload("llama-3-8b")


def test_model_operations_are_those_of_the_paper():
    """72·B·L·s·h²(1 + s/6h + v/12hL) per step, masked scores counted (arXiv:2205.05198, eq. 7)."""
    h, layers, s, v, batch = 12288, 96, 2048, 51200, 64
    model = workload(gpt2(h, layers, 96).with_(vocab_size=v, max_positions=2048))
    task = Task(model, Cluster(DEVICES["a100-80"], 8), batch, s, with_masked=True)
    paper = 72 * batch * layers * s * h**2 * (1 + s / (6 * h) + v / (12 * h * layers))
    assert model_flops(task) == pytest.approx(paper)
    again = 72 * batch * layers * s * h**2 * (1 + s / (3 * h) + v / (12 * h * layers))
    selective = float(hardware_flops(task, Layout(recompute=SELECTIVE)))
    # Equation 8 has s/3h, rounded up from the 4/3 of s/6h that one more forward pass of three makes.
    assert paper < selective < again
    assert selective == pytest.approx(paper + 4 * batch * layers * s**2 * h)
    full = float(hardware_flops(task, Layout(recompute=FULL)))
    assert full == pytest.approx(paper * 4 / 3, rel=0.01)  # the head is not computed twice


def test_operations_of_a_huge_step_do_not_overflow():
    """A trillion parameters, 3,072 sequences: more operations than a 64-bit integer holds."""
    model = workload(gpt2(25600, 128, 160).with_(vocab_size=51200, max_positions=2048))
    task = Task(model, Cluster(DEVICES["a100-80"], 384), 3072, 2048)
    many = Layout(np.array([6]), np.array([8]), np.array([64]), recompute=np.array([FULL]))
    assert hardware_flops(task, many)[0] > 2**64 > model_flops(task) / 100


def test_one_device_alone_computes_and_updates_and_nothing_else():
    """GPT-2 on one A100 at shares of 1, nothing started or stored: exactly FLOPs over the peak."""
    device = replace(DEVICES["a100-80"], memory_bandwidth=float("inf"))
    task = Task(
        preset_workload("gpt2"), Cluster(device, 1, 1), 4, 1024,
        flash=False, peak_share=1.0, launch_seconds=0.0, with_masked=True,
    )  # fmt: skip
    time = step_time(task, Layout())
    assert float(time.compute) == pytest.approx(model_flops(task) / 312e12)
    assert float(time.total) == pytest.approx(float(time.compute))
    assert utilisation(task, model_flops(task), float(time.total)) == pytest.approx(1.0)


def test_a_fused_kernel_does_half_the_scores_and_five_products_for_two():
    """Causal attention of Llama 3 8B at 8K: forward 4·h·s·s/2 FLOPs per layer, backward 2.5 times that."""
    task = Task(LLAMA, Cluster(DEVICES["h100"], 1, 1), 1, 8192, attention_share=0.5, peak_share=1.0)
    attention = 3.5 * 32 * 4 * 4096 * 8192**2 / 2 / (989e12 * 0.5)
    products = 3 * 8192 * (32 * LLAMA.layer_flops + LLAMA.head_flops) / 989e12
    assert float(step_time(task, Layout()).compute) == pytest.approx(attention + products)


def test_tensor_messages_by_hand():
    """GPT-3, 8 ways, one sequence: 4 all-reduces per layer of 2·s·h = 50.3 MB, 7/4 of it sent each time."""
    task = Task(GPT3, Cluster(DEVICES["a100-80"], 1, 8, latency_seconds=0.0), 1, 2048)
    flow = {one.kind: one for one in traffic(task, Layout(tp=8))}["tensor"]
    size = 2 * 2048 * 12288
    assert (flow.times, flow.ways, flow.members) == (4 * 96, 8, 8)
    assert flow.sent_bytes == pytest.approx(4 * 96 * size * 7 / 4)
    assert flow.seconds == pytest.approx(4 * 96 * size * 7 / 4 / (300e9 * 0.8))
    time = step_time(task, Layout(tp=8))
    assert float(time.tensor) == pytest.approx(flow.seconds)  # nothing hides it


def test_full_recomputation_repeats_the_forward_messages():
    task = Task(GPT3, Cluster(DEVICES["a100-80"], 1, 8), 1, 2048)
    plain, again = (float(step_time(task, Layout(tp=8, recompute=r)).tensor) for r in (NONE, FULL))
    assert again == pytest.approx(plain * 6 / 4)


@pytest.mark.parametrize("tp", [2, 8])
def test_sequence_parallelism_sends_as_much_and_works_less(tp):
    """Its two halves of an all-reduce carry the same bytes; norms are done once instead of tp times."""
    task = Task(GPT3, Cluster(DEVICES["a100-80"], 1, 8), 8, 2048)
    without = replace(task, sequence_parallel=False)
    layout = Layout(tp=tp, dp=8 // tp)
    assert traffic(task, layout)[0] == traffic(without, layout)[0]
    ours, theirs = step_time(task, layout), step_time(without, layout)
    assert float(ours.pointwise) < float(theirs.pointwise)


def replica_bytes(zero: int, micro_batches: int = 1) -> float:
    task = Task(LLAMA, Cluster(DEVICES["h100"], 1, 8), 8 * micro_batches, 8192)
    return sum(flow.sent_bytes for flow in traffic(task, Layout(dp=8, zero=zero)))


def test_what_each_zero_stage_sends():
    """arXiv:1910.02054, section 7: stages 1 and 2 as much as plain data parallelism, 2Ψ numbers (times
    (n-1)/n), stage 3 one and a half times as much. Several micro-batches: stage 2 reduces and stage 3
    does everything for each of them."""
    plain = replica_bytes(0)
    assert plain == pytest.approx(2 * 7 / 8 * 2 * LLAMA.total_parameters)
    assert [replica_bytes(zero) / plain for zero in (1, 2, 3)] == pytest.approx([1, 1, 1.5])
    assert replica_bytes(0, 4) == plain
    assert [replica_bytes(zero, 4) / plain for zero in (1, 2, 3)] == pytest.approx([1, 2.5, 6])


def test_pipeline_messages_by_hand():
    """GPT-3, 8 stages, 64 micro-batches: 50.3 MB forward and back for each, on the network card."""
    task = Task(GPT3, Cluster(DEVICES["a100-80"], 8, 8, 25e9), 64, 2048, sequence_parallel=False)
    flow = {one.kind: one for one in traffic(task, Layout(dp=1, tp=8, pp=8))}["pipeline"]
    assert flow.times == 128
    assert flow.sent_bytes == pytest.approx(128 * 2 * 2048 * 12288)
    interleaved = replace(task, schedule="interleaved", chunks=3)
    three = {one.kind: one for one in traffic(interleaved, Layout(dp=1, tp=8, pp=8))}["pipeline"]
    assert three.sent_bytes == pytest.approx(3 * flow.sent_bytes)


def test_context_messages_by_hand():
    """Llama 3 8B at 32K over 4: 2·K·d numbers per token of a piece, 3 hops forward, 6 back."""
    task = Task(LLAMA, Cluster(DEVICES["h100"], 1, 8), 2, 32768)
    flow = {one.kind: one for one in traffic(task, Layout(dp=2, cp=4))}["context"]
    assert flow.times == 9 * 32
    assert flow.sent_bytes == pytest.approx(9 * 32 * 2 * (2 * 8 * 128) * 32768 / 4)


def test_expert_messages_by_hand():
    """Mixtral, 8 experts on 8 devices: two copies of each token, 7/8 of them leave, 4 times per layer."""
    model = preset_workload("mixtral-8x7b")
    task = Task(model, Cluster(DEVICES["h100"], 1, 8), 8, 4096)
    flow = {one.kind: one for one in traffic(task, Layout(dp=8, ep=8))}["expert"]
    assert flow.times == 4 * 32
    assert flow.sent_bytes == pytest.approx(4 * 32 * 7 / 8 * 2 * 2 * 4096 * 4096)


def test_a_dense_model_on_one_device_sends_nothing():
    task = Task(LLAMA, Cluster(DEVICES["h200"], 1, 1), 1, 8192)
    assert traffic(task, Layout()) == []


def test_compute_hides_no_more_than_there_is_to_hide():
    assert exposed(1.0, 10.0, 0.8) == 0
    assert exposed(10.0, 10.0, 0.8) == pytest.approx(2.0)
    assert exposed(10.0, 10.0, 0.0) == 10.0


@pytest.mark.parametrize(
    ("schedule", "chunks", "share"),
    [("gpipe", 1, 1), ("1f1b", 1, 1), ("interleaved", 2, 1 / 2), ("zb-h1", 1, 1 / 3)],
)
def test_the_bubble_by_schedule(schedule, chunks, share):
    """(p-1) stage times, divided by v, or by 3 where W fills two thirds (the simulation finds the same)."""
    task = Task(GPT3, Cluster(DEVICES["a100-80"], 8, 8), 64, 2048, schedule, chunks)
    time = step_time(task, Layout(tp=8, pp=8))
    stage = (
        float(time.total) - float(time.bubble) - float(time.pipeline) - float(time.update)
    ) / 64
    assert float(time.bubble) == pytest.approx(7 * share * stage, rel=1e-6)


def test_a_model_that_does_not_deal_out_evenly_waits():
    """81 layers' worth of work over 80 stages: the head makes the last stage slower, uneven > 0; with one
    stage nothing is uneven."""
    task = Task(preset_workload("llama-3-70b"), Cluster(DEVICES["h100"], 80, 1), 80, 8192)
    assert float(step_time(task, Layout(pp=80)).uneven) > 0
    assert float(step_time(task, Layout(dp=80)).uneven) == 0


@pytest.mark.parametrize("schedule", ["1f1b", "interleaved", "zb-h1"])
def test_one_plan_alone_gets_the_times_it_gets_among_thousands(schedule):
    task = Task(
        preset_workload("mixtral-8x7b"), Cluster(DEVICES["h100"], 2, 8), 64, 4096, schedule, 2
    )
    layouts = candidates(task)
    together = step_time(task, layouts)
    for index in range(0, len(layouts.dp), 97):
        alone = step_time(task, layouts.take(index))
        for field in fields(StepTime):
            many = np.broadcast_to(getattr(together, field.name), layouts.dp.shape)
            assert many[index] == pytest.approx(float(getattr(alone, field.name))), field.name


def test_no_part_of_any_plan_is_negative_or_endless():
    task = Task(preset_workload("mixtral-8x7b"), Cluster(DEVICES["rtx4090"], 3, 4), 96, 4096)
    times = step_time(task, candidates(task))
    for field in fields(StepTime):
        values = np.asarray(getattr(times, field.name))
        assert (values >= 0).all(), field.name
        assert np.isfinite(values).all(), field.name
