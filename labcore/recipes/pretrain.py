"""Pre-train the lab's decoder on stories of the micro-world, in one process or in many.

On this machine, in two processes; on a cluster, the same line on every node:

    torchrun --nproc-per-node 2 -m labcore.recipes.pretrain --way ddp --out runs/first
    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint node0:29500 \
        -m labcore.recipes.pretrain --way zero3 --steps 200 --checkpoint-every 50 --out /shared/run

Several values of an option are several runs, one after another. A run that finds its checkpoint in the
folder goes on from there, also with another number of processes, or spread another way.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from labcore.distributed import worker
from labcore.distributed.parallel_config import ParallelConfig
from labcore.errors import LabInputError

DEFAULT = ParallelConfig()


def configs(options: argparse.Namespace) -> list[ParallelConfig]:
    """The n-th run takes the n-th value of each option that has several, and the only one of the others."""
    values = {field.name: getattr(options, field.name) for field in fields(ParallelConfig)}
    runs = max(map(len, values.values()))
    for name, given in values.items():
        if len(given) not in (1, runs):
            raise LabInputError(name, len(given), "one_or_all", limit=runs)
    return [
        ParallelConfig(**{name: given[run % len(given)] for name, given in values.items()})
        for run in range(runs)
    ]


def parser() -> argparse.ArgumentParser:
    """One option for each field of `ParallelConfig`."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for field in fields(ParallelConfig):
        value = getattr(DEFAULT, field.name)
        found.add_argument(
            f"--{field.name.replace('_', '-')}", nargs="+", type=type(value), default=[value]
        )
    found.add_argument("--out", type=Path, required=True)
    found.add_argument("--init-method", default="env://")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    worker.main(configs(options), options.out, options.init_method)


if __name__ == "__main__":
    main()
