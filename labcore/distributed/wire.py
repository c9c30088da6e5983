"""What travels: what the engine asked for, collective by collective, and what the kernel really sent.

The first is noted where PyTorch hands a collective to the backend; the second is read from Linux, which
counts the bytes of every TCP connection (`TCP_INFO`, man 7 tcp). Gloo talks over TCP, also to itself on
one machine, so each process can tell how much it sent to whom. Where there is no such counter (NCCL,
other systems) there is no second number.
"""

import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

OWN_SOCKETS = Path("/proc/self/fd")
TCP_INFO, TCP_INFO_BYTES = getattr(socket, "TCP_INFO", None), 216
# Offsets in Linux's struct tcp_info: 32-bit bytes not yet sent, 64-bit bytes sent and sent again.
NOT_YET, SENT, SENT_AGAIN = 144, 200, 208
ESTABLISHED = 1

Connection = tuple[int, int]  # my port, the other's port


def sent_so_far() -> dict[Connection, int]:
    """Bytes that this process has written to each open TCP connection; {} where nobody counts."""
    if TCP_INFO is None or not OWN_SOCKETS.exists():
        return {}
    sent = {}
    for entry in list(OWN_SOCKETS.iterdir()):
        with suppress(OSError, struct.error):  # a file, or closed meanwhile, or an older kernel
            if entry.readlink().name.startswith("socket:"):
                sent |= sent_over(int(entry.name))
    return sent


def sent_over(descriptor: int) -> dict[Connection, int]:
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.type != socket.SOCK_STREAM or connection.family == socket.AF_UNIX:
            return {}
        info = connection.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES)
        if info[0] != ESTABLISHED:
            return {}
        (waiting,) = struct.unpack_from("I", info, NOT_YET)
        sent, again = struct.unpack_from("QQ", info, SENT)
        ports = connection.getsockname()[1], connection.getpeername()[1]
        return {ports: sent - again + waiting}


def who_to_whom(by_rank: Iterable[dict[Connection, int]]) -> list[list[int]]:
    """Bytes from each process to each other: the two ends of a connection name the same two ports.

    >>> who_to_whom([{(5001, 6001): 70, (5001, 9): 3}, {(6001, 5001): 90}])
    [[0, 70], [90, 0]]
    """
    ends = [dict(sent) for sent in by_rank]
    sent = [[0] * len(ends) for _ in ends]
    for rank, mine in enumerate(ends):
        for other, theirs in enumerate(ends):
            if other != rank:
                sent[rank][other] = sum(
                    size for (here, there), size in mine.items() if (there, here) in theirs
                )
    return sent


@dataclass(frozen=True, slots=True)
class Asked:
    """Collectives of one kind in one step of one process."""

    collective: str  # a key of communication.PASSES, "broadcast" or "send"
    count: int
    payload_bytes: int  # what each is about, whole: all-gather's result, reduce-scatter's input


# How PyTorch names them inside, and which of an operation's tensors is the whole that it is about.
OPERATIONS = {
    "allreduce_": "all_reduce",
    "all_reduce": "all_reduce",
    "_allgather_base_": "all_gather",
    "_reduce_scatter_base_": "reduce_scatter",
    "broadcast_": "broadcast",
    "send": "send",
}


class Listener(TorchDispatchMode):
    """Within a `with` block, notes every collective that this process hands to its backend."""

    def __init__(self):
        super().__init__()
        self.heard: dict[str, list[int]] = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        space, _, name = operation.name().partition("::")
        collective = OPERATIONS.get(name.partition(".")[0])
        if collective and space in ("c10d", "_c10d_functional"):
            sizes = [part.nbytes for part in tree_leaves(args) if isinstance(part, Tensor)]
            self.heard.setdefault(collective, []).append(max(sizes))
        return operation(*args, **(kwargs or {}))

    def asked(self) -> list[Asked]:
        return [Asked(name, len(sizes), sum(sizes)) for name, sizes in sorted(self.heard.items())]
