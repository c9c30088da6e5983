"""How a process meets the others that torchrun started, speaks to the launcher, and leaves with it."""

import json
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

CPU = torch.device("cpu")
LEASH = "LLM_LAB_LEASH"  # set by a launcher that must not be outlived


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process stands: its number, how many there are, and the device it computes on."""

    rank: int = 0
    ways: int = 1  # p
    device: torch.device = CPU


def join(init_method: str, use_gpu: bool = True) -> tuple[Place, DeviceMesh | None]:
    """Meet the others: over NCCL where there are GPUs, else over gloo. Without torchrun there are none."""
    ways, rank, local = (
        int(os.environ.get(name, alone))
        for name, alone in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0))
    )
    device, backend = CPU, "gloo"
    if use_gpu and torch.cuda.is_available():
        device, backend = torch.device("cuda", local), "nccl"
        torch.cuda.set_device(device)
    if "RANK" not in os.environ:
        return Place(device=device), None
    if init_method.startswith("file:"):
        # subtle: a restart must not find what the first attempt left in its file
        meeting = Path(f"{init_method.removeprefix('file:')}.{attempt()}")
        init_method = meeting.resolve().as_uri()
    dist.init_process_group(backend, init_method=init_method, rank=rank, world_size=ways)
    return Place(rank, ways, device), init_device_mesh(device.type, (ways,))


def attempt() -> int:
    """0 at first; torchrun counts how often it has started the processes again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


def tell(event: str, place: Place, **facts: Any) -> None:
    """One line on standard output, in one write: a pipe keeps short writes of several processes apart."""
    who = {"rank": place.rank, "attempt": attempt()}
    sys.stdout.write(json.dumps({"event": event, **who, **facts}) + "\n")
    sys.stdout.flush()


def leave_with_the_launcher() -> None:
    """End this process when the launcher's end of standard input closes, however it came to die."""
    if not os.environ.get(LEASH):
        return

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
