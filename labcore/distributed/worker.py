"""One process of a parallel run, from joining the others to its last report.

    torchrun --nproc-per-node 2 -m labcore.recipes.pretrain --way ddp --out runs/first

It reports on standard output, a line of JSON for each event, and leaves its gradients of the first step
and its last weights in the folder, so that somebody else can compare.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import safetensors.torch
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from labcore.distributed import parallel_checkpoint, wire
from labcore.distributed.meeting import Place, attempt, join, leave_with_the_launcher, tell
from labcore.distributed.parallel_config import ParallelConfig
from labcore.distributed.parallel_training import (
    StepDone,
    fresh_model,
    train,
    weights,
    whole_gradients,
    whole_weights,
)
from labcore.distributed.parallel_ways import make_optimizer, spread

DONE = "done"


def main(configs: Sequence[ParallelConfig], out: Path, init_method: str = "env://") -> None:
    """Join the others, do the runs one after another, report, leave."""
    torch.set_num_threads(1)
    leave_with_the_launcher()
    place, mesh = join(init_method)
    for number, config in enumerate(configs):
        if not is_done(out, number):
            carry_out(number, config, place, mesh, out)
    if mesh is not None:
        dist.destroy_process_group()


def carry_out(
    number: int, config: ParallelConfig, place: Place, mesh: DeviceMesh | None, out: Path
) -> None:
    model = spread(fresh_model(config).to(place.device), config, mesh)
    optimizer = make_optimizer(model, config, mesh)
    folder = folder_of(out, number)
    done = parallel_checkpoint.load(folder, model, optimizer)
    tell("joined", place, run=number, after_step=done, sent=sent())
    listener = wire.Listener()
    steps = train(model, optimizer, config, place, done + 1, whole_gradients)
    for step in range(done + 1, config.steps + 1):
        # The last step stands for all: the first ones of DDP also settle the order of its buckets.
        with listener if step == config.steps else nullcontext():
            made = next(steps)
        report(number, place, made, folder)
        if config.checkpoint_every and step % config.checkpoint_every == 0:
            parallel_checkpoint.save(folder, model, optimizer, step)
        if step == config.die_at and attempt() == 0 and place.rank == place.ways - 1:
            os.kill(os.getpid(), signal.SIGKILL)  # no handler can catch it, nothing is tidied up
    leave(folder, place, "weights", whole_weights(model))
    asked = [asdict(one) for one in listener.asked()]
    tell("done", place, run=number, asked=asked, held=held_bytes(model, optimizer))
    if mesh is not None:
        dist.barrier()  # everybody's evidence is there
    (folder / DONE).touch()


def report(number: int, place: Place, made: StepDone, folder: Path) -> None:
    if made.gradients is not None:
        leave(folder, place, "gradients", made.gradients)
    tell(
        "step", place, run=number, step=made.step, loss_sum=made.loss_sum, targets=made.targets,
        seconds=round(made.seconds, 6), sent=sent(),
    )  # fmt: skip


def sent() -> list[list[int]]:
    """Every connection as [my port, the other's port, bytes so far]."""
    return [[*ports, size] for ports, size in wire.sent_so_far().items()]


def held_bytes(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[int]:
    """What this process holds between two steps: weights, gradients, optimizer states, in bytes."""
    held = [weight for _, weight in weights(model)]
    inner = parallel_checkpoint.kept_here(optimizer)
    states = [value for state in inner.state.values() for value in state.values()]
    gradients = [weight.grad for weight in held if weight.grad is not None]
    return [sum(mine(tensor).nbytes for tensor in part) for part in (held, gradients, states)]


def mine(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def leave(folder: Path, place: Place, what: str, tensors: dict[str, torch.Tensor]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(tensors, evidence(folder, what, place.rank))


def evidence(folder: Path, what: str, rank: int) -> Path:
    return folder / f"{what}-{rank}.safetensors"


def folder_of(out: Path, number: int) -> Path:
    return out / f"run-{number}"


def is_done(out: Path, number: int) -> bool:
    """Whether an earlier attempt finished this run."""
    return (folder_of(out, number) / DONE).exists()
