"""One matrix with zeros in it: how it can be kept, how many bytes that takes, and how fast it multiplies.

A dense kernel multiplies by zero as fast as by anything else. To be faster, a form must know where the
zeros are, and knowing costs bytes and detours: CSR spends a column number on every value that is
left. A matrix with fewer rows knows nothing and detours nowhere.

Sources: 2:4 arXiv:2104.08378, section 2 (two bits of position per value).
Axes: O outputs, I inputs, N values left, T tokens, F shares, R rounds.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.compression.pruning import PruningConfig, keep_mask
from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain

SHARES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
TIMED = ("dense", "csr", "smaller")
STORED = ("dense", "bitmap", "csr", "smaller")
WARM_UP = 2  # rounds that do not count
LIMITS = {"size": (64, 2048), "tokens": (1, 256), "rounds": (3, 60)}


@lab_config
class FormsConfig:
    size: int = 1024  # O = I
    tokens: int = 1  # multiplied at once; one is a model that writes
    rounds: int = 15
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Round:
    share: float  # of the rounds done


@dataclass(frozen=True, slots=True, eq=False)
class FormsResult:
    shares: np.ndarray  # (F,) of the weights gone
    milliseconds: dict[str, np.ndarray]  # form: (F, R) of one product
    stored_bytes: dict[str, np.ndarray]  # form: (F,) in 32 bits a value
    two_four_bytes: int
    largest_difference: float  # between the products of CSR and of the dense matrix
    seconds: float


def run(config: FormsConfig) -> FormsResult:
    return drain(measure(config))


@torch.no_grad()
def measure(config: FormsConfig) -> Generator[Round, None, FormsResult]:
    """Time every form at every share, in turns, so that a busy moment hits all alike."""
    started = time.perf_counter()
    rng = torch.Generator().manual_seed(config.seed)
    weight = torch.randn(config.size, config.size, generator=rng)
    x = torch.randn(config.tokens, config.size, generator=rng)
    sparse = [weight * keep_mask(weight.abs(), PruningConfig(share)) for share in SHARES]
    products = {
        name: [ready(name, w, s, x) for w, s in zip(sparse, SHARES, strict=True)] for name in TIMED
    }
    times = np.zeros((len(TIMED), len(SHARES), config.rounds + WARM_UP))
    for turn in range(config.rounds + WARM_UP):
        for form, calls in enumerate(products.values()):
            for at, call in enumerate(calls):
                times[form, at, turn] = timed(call)
        yield Round((turn + 1) / (config.rounds + WARM_UP))
    pairs = zip(products["csr"], products["dense"], strict=True)
    return FormsResult(
        shares=np.array(SHARES),
        milliseconds=dict(zip(TIMED, times[:, :, WARM_UP:], strict=True)),
        stored_bytes={
            name: np.array([stored_bytes(name, w, s) for w, s in zip(sparse, SHARES, strict=True)])
            for name in STORED
        },
        two_four_bytes=sum(part.nbytes for part in pack_two_four(two_four(weight))),
        largest_difference=max(float((a() - b()).abs().max()) for a, b in pairs),
        seconds=time.perf_counter() - started,
    )


def ready(form: str, weight: Tensor, share: float, x: Tensor) -> Callable[[], Tensor]:
    """The product x Wᵀ of one form, prepared as far as a model would prepare it.  -> (T, O)"""
    if form == "dense":
        return lambda: F.linear(x, weight)
    if form == "csr":
        csr, column = to_csr(weight), x.T.contiguous()
        return lambda: (csr @ column).T
    rows = weight[: rows_left(weight, share)].contiguous()
    return lambda: F.linear(x, rows)


def timed(call: Callable[[], Tensor], repeats: int = 4) -> float:
    """Milliseconds of one call, the fastest of a few: whatever else the machine does only adds.

    The first call is not counted; it brings the matrix back into the cache, whatever ran before.
    """
    call()
    fastest = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - started)
    return 1e3 * fastest


def rows_left(weight: Tensor, share: float) -> int:
    return max(1, round((1 - share) * weight.shape[0]))


def to_csr(weight: Tensor) -> Tensor:
    """Values row by row, the column of each, and where each row begins; numbers of 32 bits."""
    csr = weight.to_sparse_csr()
    return torch.sparse_csr_tensor(
        csr.crow_indices().int(), csr.col_indices().int(), csr.values(), csr.shape,
        check_invariants=False,  # made from a matrix just now
    )  # fmt: skip


def stored_bytes(form: str, weight: Tensor, share: float) -> int:
    """What a form of the matrix takes, counted on the arrays themselves."""
    if form == "dense":
        return weight.numel() * weight.element_size()
    if form == "smaller":
        return rows_left(weight, share) * weight.shape[1] * weight.element_size()
    if form == "bitmap":
        return sum(part.nbytes for part in pack_bitmap(weight))
    csr = to_csr(weight)
    parts = (csr.values(), csr.col_indices(), csr.crow_indices())
    return sum(part.numel() * part.element_size() for part in parts)


def pack_bitmap(weight: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """One bit a weight for "is there something", and the values that are.  (O, I) -> (O·I/8,), (N,)"""
    kept = weight != 0
    return np.packbits(kept.numpy()), weight[kept].numpy()


def unpack_bitmap(bits: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """Inverse of `pack_bitmap`.  -> (O, I)"""
    weight = np.zeros(shape, values.dtype)
    weight[np.unpackbits(bits, count=weight.size).astype(bool).reshape(shape)] = values
    return torch.from_numpy(weight)


def two_four(weight: Tensor) -> Tensor:
    """The two largest of every four neighbours.  (O, I) -> (O, I)"""
    return weight * keep_mask(weight.abs(), PruningConfig(compared="n:m"))


def pack_two_four(weight: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Half of the values, and two bits for the place of each.  (O, I) -> (O, I/2), (O·I/8,) bytes

    Worked by hand: 0 5 0 7 keeps 5 and 7 and their places 1 and 3.
    """
    groups = weight.reshape(-1, 4)
    # subtle: a kept weight may be zero by itself; the two largest are then as good as any
    places = groups.abs().topk(2, dim=1).indices.sort(dim=1).values  # (O·I/4, 2)
    values = groups.gather(1, places).reshape(len(weight), -1)
    codes = places.reshape(-1, 4).numpy().astype(np.uint8)  # four places fill one byte
    return values.numpy(), codes @ np.array([1, 4, 16, 64], np.uint8)


def unpack_two_four(values: np.ndarray, codes: np.ndarray) -> Tensor:
    """Inverse of `pack_two_four`.  -> (O, I)"""
    places = torch.from_numpy((codes[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3).long()
    pairs = torch.from_numpy(values).reshape(-1, 2)
    groups = torch.zeros(len(pairs), 4).scatter_(1, places.reshape(-1, 2), pairs)
    return groups.reshape(len(values), -1)
