"""How large inputs are, all of them and not only the largest: the histogram behind an outlier's harm.

A static scale is set by the largest input of a whole matrix. Every input smaller than half a step of it
becomes zero, and a few large channels make that step large.

Axes: L norms, K bins of a logarithmic axis, T positions, D width.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from labcore.compression.scaling import readers

EDGES = np.geomspace(1e-3, 1e3, 61)  # ten bins for a factor of ten


@dataclass(frozen=True, slots=True, eq=False)
class InputSizes:
    counts: (
        np.ndarray
    )  # (L, K) inputs by |x|; what lies beyond an end stands in the bin at that end
    vanished: np.ndarray  # (L,) share that a static scale rounds to zero


@torch.no_grad()
def input_sizes(
    model: nn.Module, rows: Iterable[Tensor], largest: np.ndarray, bits: int
) -> InputSizes:
    """Sizes of what each norm hands on.  rows each (B, T) tokens, largest (L,) the static scale's end"""
    steps = largest / (2 ** (bits - 1) - 1)  # (L,)
    norms = [norm for norm, _ in readers(model)]
    counts = np.zeros((len(norms), len(EDGES) - 1), dtype=np.int64)
    zeros = np.zeros(len(norms))

    def note(at: int, x: Tensor) -> None:
        size = x.abs().flatten().double().numpy()
        counts[at] += np.histogram(np.clip(size, EDGES[0], EDGES[-1]), EDGES)[0]
        zeros[at] += np.count_nonzero(np.round(size / steps[at]) == 0)

    hooks = [
        norm.register_forward_hook(lambda _, __, out, at=at: note(at, out))
        for at, norm in enumerate(norms)
    ]
    try:
        for tokens in rows:
            model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return InputSizes(counts, zeros / counts.sum(axis=1))
