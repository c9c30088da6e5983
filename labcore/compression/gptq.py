"""GPTQ: round one input's weights, and let those not yet rounded make up for the error.

Rounding to nearest treats every weight alone. But inputs go together: if one weight came out too large, its
neighbours can be made a little smaller, and the output stays. Which neighbour makes up for how much follows
from the inputs' second moments H. When w_i becomes q_i, the best correction of the weights from there on is

    δ = −(w_i − q_i) / [F⁻¹]_ii · [F⁻¹]_i,:      F: H of the columns from i on

(optimal brain surgeon). The rows of all these inverses, each divided by its own root, are the rows of one
triangular matrix: the upper Cholesky factor of H⁻¹. That is the whole trick that makes it fast.

Source: Frantar et al., arXiv:2210.17323.
Axes: O outputs, I inputs.
"""

import torch
from torch import Tensor

from labcore.compression.rounding import Grid, GridConfig, Quantised, blocks_of, fitted_grid
from labcore.errors import LabInputError

LAZY_COLUMNS = 128  # corrections to columns far away are saved up: the same sum, in one product


def inverse_factor(moments: Tensor, damping: float) -> Tensor:
    """U, upper triangular, with UᵀU = (H + λI)⁻¹; λ is `damping` times the mean of H's diagonal.

    (I, I) -> (I, I). An input that never fires would make H singular; it gets λ as well.
    """
    if not damping > 0:
        raise LabInputError("damping", damping, "positive")
    # subtle: with no input at all H is 0 and every correction is as good as another; 1 keeps it solvable.
    size = moments.diagonal().mean().clamp(min=1e-12) * damping
    damped = moments + size * torch.eye(len(moments), dtype=moments.dtype)
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)


def gptq(
    weight: Tensor,
    moments: Tensor,
    config: GridConfig,
    damping: float = 0.01,
    by_size: bool = False,
) -> Quantised:
    """Quantise a matrix column by column, each error passed on.  (O, I), (I, I) float64

    `by_size` (the paper's "act order") takes the inputs that are large first, while many columns are left
    to make up for their error; with grids by group it would tear the groups apart, and is refused.
    """
    if by_size and config.granularity == "group":
        raise LabInputError("by_size", by_size, "not_with_groups")
    order = torch.arange(weight.shape[1])
    if by_size:
        order = moments.diagonal().argsort(descending=True)
    w = weight.double()[:, order].clone()
    factor = inverse_factor(moments[order][:, order], damping)
    codes = torch.empty_like(w)
    grids = Grids(weight, config)
    columns, lazy = w.shape[1], grids.whole_groups(LAZY_COLUMNS)
    for start in range(0, columns, lazy):
        stop = min(start + lazy, columns)
        errors = torch.zeros(len(w), stop - start, dtype=w.dtype)
        for i in range(start, stop):
            grid = grids.at(i, w)
            codes[:, i] = grid.codes(w[:, i : i + 1])[:, 0]
            error = (w[:, i] - grid.values(codes[:, i : i + 1])[:, 0]) / factor[i, i]  # (O,)
            w[:, i:stop] -= error[:, None] * factor[i, i:stop]
            errors[:, i - start] = error
        w[:, stop:] -= errors @ factor[start:stop, stop:]  # the rest hears of them all at once
    put_back = torch.empty_like(codes)
    put_back[:, order] = codes
    return Quantised(put_back.to(config.dtype), grids.all())


class Grids:
    """The grid that holds at each column: made once for all, or afresh where a group begins."""

    def __init__(self, weight: Tensor, config: GridConfig):
        self.config = config
        blocks = blocks_of(weight.float(), config)  # complains if groups do not fit
        self.groups = [] if config.granularity == "group" else [fitted_grid(blocks, config)]

    def whole_groups(self, columns: int) -> int:
        """At least so many columns, without tearing a group apart."""
        size = self.config.group_size if self.config.granularity == "group" else 1
        return -(-columns // size) * size

    def at(self, column: int, weight: Tensor) -> Grid:
        """subtle: a group's grid is fitted when its turn comes, to the weights as corrected by then."""
        size = self.config.group_size
        if self.config.granularity == "group" and column % size == 0:
            group = weight[:, column : column + size].float()  # (O, E)
            self.groups.append(fitted_grid(group, self.config))
        return self.groups[-1]

    def all(self) -> Grid:
        """One row of the grid for each block of the matrix, in the order of `rounding.blocks_of`."""
        scale, zero = (
            torch.stack([getattr(grid, part) for grid in self.groups], dim=1).reshape(-1, 1)
            for part in ("scale", "zero")
        )
        return Grid(scale, zero, self.config)
