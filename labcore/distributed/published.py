"""Runs that were measured and published, to hold the planner's figures to.

Megatron on A100s: arXiv:2104.04473, table 1. The same with sequence parallelism and selective recomputation:
arXiv:2205.05198, tables 3 and 5. Llama 3 405B on H100s: arXiv:2407.21783, table 4. What the papers leave
open is set to what they describe and said where it is set. Two figures of the planner were chosen with
these runs at hand, the share of the peak for A100 (0.7) and for H100 (0.6); everything else was not.
"""

from dataclasses import dataclass, replace

from labcore.distributed.cluster import DEVICES, NETWORKS, Cluster
from labcore.distributed.layout import Layout, Task, fullest_stage
from labcore.distributed.memory import FULL, SELECTIVE
from labcore.distributed.step_time import hardware_flops, model_flops, step_time, utilisation
from labcore.distributed.workload import Workload, preset_workload, workload
from labcore.model.presets import gpt2

A100 = Cluster(DEVICES["a100-80"], 1, 8, NETWORKS["network-200"])  # Selene: one HDR card per GPU
H100 = Cluster(DEVICES["h100"], 1, 8, NETWORKS["network-400"])


@dataclass(frozen=True, slots=True)
class PublishedRun:
    title: str
    source: str
    task: Task
    layout: Layout
    share: float  # of the peak, as published
    counts_recompute: bool  # whether the share counts operations done twice (HFU) or not (MFU)


@dataclass(frozen=True, slots=True)
class Comparison:
    title: str
    source: str
    devices: int
    published: float
    expected: float  # by this planner
    seconds: float
    memory_bytes: float


def megatron(hidden: int, layers: int, heads: int) -> Workload:
    """GPT with a vocabulary of 51,200 and dropout, as both Megatron papers measure."""
    config = gpt2(hidden, layers, heads).with_(vocab_size=51200, max_positions=2048, dropout=0.1)
    return workload(config)


def megatron_2021(
    title: str, model: Workload, tp: int, pp: int, gpus: int, batch: int, share: float
) -> PublishedRun:
    """All activations recomputed, no sequence parallelism, shares that count what is recomputed.

    Not stated per row: micro-batches (here 4 where that divides, else 2 or 1) and interleaving (here two
    pieces where the layers allow it).
    """
    dp = gpus // (tp * pp)
    micro_batch = next(b for b in (4, 2, 1) if batch % (dp * b) == 0 and b * model.hidden <= 32768)
    chunks = 2 if pp > 1 and model.layers % (2 * pp) == 0 else 1
    task = Task(
        model, replace(A100, nodes=gpus // 8), batch, 2048,
        schedule="interleaved" if chunks > 1 else "1f1b", chunks=chunks,
        flash=False, sequence_parallel=False, with_masked=True, peak_share=A100.device.peak_share,
    )  # fmt: skip
    layout = Layout(dp, tp, pp, micro_batch=micro_batch, recompute=FULL)
    return PublishedRun(title, "arXiv:2104.04473", task, layout, share, True)


def megatron_2022(
    title: str, model: Workload, pp: int, batch: int, share: float, micro_batch=1, chunks=1
) -> PublishedRun:
    """One replica, eight ways of tensor and sequence parallelism, selective recomputation, MFU."""
    task = Task(
        model, replace(A100, nodes=pp), batch, 2048,
        schedule="interleaved" if chunks > 1 else "1f1b", chunks=chunks,
        flash=False, with_masked=True, peak_share=A100.device.peak_share,
    )  # fmt: skip
    layout = Layout(1, 8, pp, micro_batch=micro_batch, recompute=SELECTIVE)
    return PublishedRun(title, "arXiv:2205.05198", task, layout, share, False)


def llama_405b(
    title: str, gpus: int, cp: int, dp: int, sequence: int, share: float
) -> PublishedRun:
    """16.8 million tokens a step, no recomputation, optimizer shared, layers of a stage interleaved.

    Not stated: whether MFU counts masked scores (here not), and the number of pieces (here seven).
    """
    task = Task(
        preset_workload("llama-3.1-405b"), replace(H100, nodes=gpus // 8), 2**24 // sequence,
        sequence, schedule="interleaved", chunks=7, peak_share=H100.device.peak_share,
    )  # fmt: skip
    return PublishedRun(
        title, "arXiv:2407.21783", task, Layout(dp, 8, 16, cp, zero=1), share, False
    )


MEGATRON_2021 = (  # billions, width, layers, heads, tp, pp, GPUs, sequences, share of the peak
    (1.7, 2304, 24, 24, 1, 1, 32, 512, 0.44),
    (3.6, 3072, 30, 32, 2, 1, 64, 512, 0.44),
    (7.5, 4096, 36, 32, 4, 1, 128, 512, 0.46),
    (18.4, 6144, 40, 48, 8, 1, 256, 1024, 0.43),
    (39.1, 8192, 48, 64, 8, 2, 512, 1536, 0.44),
    (76.1, 10240, 60, 80, 8, 4, 1024, 1792, 0.45),
    (145.6, 12288, 80, 96, 8, 8, 1536, 2304, 0.47),
    (310.1, 16384, 96, 128, 8, 16, 1920, 2160, 0.50),
    (529.6, 20480, 105, 128, 8, 35, 2520, 2520, 0.52),
    (1008.0, 25600, 128, 160, 8, 64, 3072, 3072, 0.52),
)


def published_runs() -> list[PublishedRun]:
    return [
        *(
            megatron_2021(f"GPT {size:g}B", megatron(*sizes), tp, pp, gpus, batch, share)
            for size, *sizes, tp, pp, gpus, batch, share in MEGATRON_2021
        ),
        megatron_2022("GPT 22B", megatron(6144, 48, 64), 1, 4, 0.415, micro_batch=4),
        megatron_2022("GPT-3 175B", megatron(12288, 96, 96), 8, 64, 0.514, chunks=3),
        megatron_2022("MT-NLG 530B", megatron(20480, 105, 128), 35, 280, 0.560, chunks=3),
        megatron_2022("GPT 1T", megatron(25600, 128, 160), 64, 512, 0.563),
        llama_405b("Llama 3 405B, 8K", 8192, 1, 64, 8192, 0.43),
        llama_405b("Llama 3 405B, 8K", 16384, 1, 128, 8192, 0.41),
        llama_405b("Llama 3 405B, 128K", 16384, 16, 8, 131072, 0.38),
    ]


def compare() -> list[Comparison]:
    """Every published run beside what the planner's formulas expect of the same layout."""
    rows = []
    for run in published_runs():
        task, layout = run.task, run.layout
        seconds = float(step_time(task, layout).total)
        flops = hardware_flops(task, layout) if run.counts_recompute else model_flops(task)
        rows.append(
            Comparison(
                run.title, run.source, task.cluster.devices, run.share,
                float(utilisation(task, flops, seconds)), seconds,
                float(fullest_stage(task, layout)),
            )
        )  # fmt: skip
    return rows
