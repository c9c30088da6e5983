"""Train a whole scaling sweep, here or on a Dask cluster, and write its points as a table.

python -m labcore.recipes.scaling_sweep
    what the page runs live, on this core
python -m labcore.recipes.scaling_sweep --sweep recorded --processes 4
    what came with the lab, on four processes of this machine
LLM_LAB_DASK=tcp://scheduler:8786 python -m labcore.recipes.scaling_sweep --sweep recorded
    the same, wherever that cluster's workers are
"""

import argparse
import csv
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from labcore.events import drain
from labcore.scaling import sweep
from labcore.scaling.sweep import Progress, SweepConfig, SweepResult

CONFIGS = {"live": SweepConfig(), "recorded": sweep.RECORDED, "held-out": sweep.HELD_OUT}
COLUMNS = (
    "width", "seed", "blocks", "table", "tokens", "annealed_nats", "passing_nats", "cosine",
)  # fmt: skip


def main(arguments: list[str]) -> None:
    asked = parser().parse_args(arguments)
    config = CONFIGS[asked.sweep]
    if asked.exponent is not None:
        config = replace(config, exponent=asked.exponent)
    torch.set_num_threads(1)
    with ExitStack() as stack:
        if asked.processes:
            os.environ[sweep.ADDRESS] = stack.enter_context(local_cluster(asked.processes))
        result = drain(sweep.sweep(config), say)
    write(result, asked.out)
    print(
        f"{len(result.width)} points, {result.cpu_seconds:.0f} CPU seconds, "
        f"floor {result.floor_nats:.4f} nats -> {asked.out}"
    )


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", choices=CONFIGS, default="live")
    parser.add_argument("--exponent", type=float, help="of the text's word frequencies")
    parser.add_argument("--processes", type=int, default=0, help="start so many on this machine")
    parser.add_argument("--out", type=Path, default=Path("sweep.csv"))
    return parser


def local_cluster(processes: int):
    """Processes of one thread each; the context gives the address of their scheduler."""
    from distributed import LocalCluster

    class Address(LocalCluster):
        def __enter__(self) -> str:
            return super().__enter__().scheduler_address

    return Address(n_workers=processes, threads_per_worker=1, dashboard_address=None)


def say(progress: Progress) -> None:
    point = progress.point
    print(
        f"{progress.share:4.0%}  width {point.width:3}  seed {point.seed}  {point.tokens:9,} tokens  "
        f"{point.annealed_nats:.4f} nats, in passing {point.passing_nats:.4f}"
        f"{'  (cosine)' if progress.cosine else ''}",
        flush=True,
    )


def write(result: SweepResult, path: Path) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(zip(*(getattr(result, name).tolist() for name in COLUMNS), strict=True))


if __name__ == "__main__":
    main(sys.argv[1:])
