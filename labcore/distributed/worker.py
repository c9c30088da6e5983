"""One process of a parallel run, from joining the others to its last report.

    torchrun --nproc-per-node 2 -m labcore.recipes.pretrain --way ddp --out runs/first

It reports on standard output, a line of JSON for each event, and leaves its gradients of the first step
and its last weights in the folder, so that somebody else can compare.
"""

import json
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from signal import SIGKILL
from typing import Any

import safetensors.torch
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from labcore.distributed import parallel_checkpoint, wire
from labcore.distributed.parallel_config import ParallelConfig
from labcore.distributed.parallel_training import (
    Place,
    StepDone,
    fresh_model,
    train,
    weights,
    whole_gradients,
    whole_weights,
)
from labcore.distributed.parallel_ways import make_optimizer, spread

DONE = "done"
LEASH = "LLM_LAB_LEASH"  # set by a launcher that must not be outlived


def main(configs: Sequence[ParallelConfig], out: Path, init_method: str = "env://") -> None:
    """Join the others, do the runs one after another, report, leave."""
    torch.set_num_threads(1)
    if os.environ.get(LEASH):
        leave_with_the_launcher()
    place, mesh = join(init_method)
    for number, config in enumerate(configs):
        if not is_done(out, number):
            carry_out(number, config, place, mesh, out)
    if mesh is not None:
        dist.destroy_process_group()


def join(init_method: str) -> tuple[Place, DeviceMesh | None]:
    """Meet the other processes that torchrun started; without torchrun there are none."""
    ways, rank = (int(os.environ.get(name, at)) for name, at in (("WORLD_SIZE", 1), ("RANK", 0)))
    on_gpu = torch.cuda.is_available()
    device = (
        torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        if on_gpu
        else torch.device("cpu")
    )
    if on_gpu:
        torch.cuda.set_device(device)
    if "RANK" not in os.environ:
        return Place(device=device), None
    if init_method.startswith("file:"):
        # subtle: a restart must not find what the first attempt left in its file
        meeting = Path(f"{init_method.removeprefix('file:')}.{attempt()}")
        init_method = meeting.resolve().as_uri()
    backend = "nccl" if on_gpu else "gloo"
    dist.init_process_group(backend, init_method=init_method, rank=rank, world_size=ways)
    return Place(rank, ways, device), init_device_mesh(device.type, (ways,))


def carry_out(
    number: int, config: ParallelConfig, place: Place, mesh: DeviceMesh | None, out: Path
) -> None:
    model = spread(fresh_model(config).to(place.device), config, mesh)
    optimizer = make_optimizer(model, config, mesh)
    folder = folder_of(out, number)
    done = parallel_checkpoint.load(folder, model, optimizer)
    tell(number, place, "joined", after_step=done, sent=sent())
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
            os.kill(os.getpid(), SIGKILL)  # no handler can catch it, nothing is tidied up
    leave(folder, place, "weights", whole_weights(model))
    asked = [asdict(one) for one in listener.asked()]
    tell(number, place, "done", asked=asked, held=held_bytes(model, optimizer))
    if mesh is not None:
        dist.barrier()  # everybody's evidence is there
    (folder / DONE).touch()


def report(number: int, place: Place, made: StepDone, folder: Path) -> None:
    if made.gradients is not None:
        leave(folder, place, "gradients", made.gradients)
    tell(
        number, place, "step", step=made.step, loss_sum=made.loss_sum, targets=made.targets,
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
    return [
        sum(mine(tensor).nbytes for tensor in tensors)
        for tensors in (held, [weight.grad for weight in held], states)
    ]


def mine(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def tell(number: int, place: Place, event: str, **facts: Any) -> None:
    """One line, in one write: a pipe keeps short writes of several processes apart."""
    who = {"run": number, "rank": place.rank, "attempt": attempt()}
    line = json.dumps({"event": event, **who, **facts})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


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


def attempt() -> int:
    """0 at first; torchrun counts how often it has started the processes again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


def leave_with_the_launcher() -> None:
    """End this process when the launcher's end of standard input closes, however it came to die."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
