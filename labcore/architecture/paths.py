"""The residual stream as paths through space: one point per token and stage, flattened to three axes.

A stream has hundreds of numbers per token. Principal component analysis turns the cloud of all points
so that its first axes hold as much of the spread as three axes can, and says how much that is.

Axes: R stages (the embedding, then each block), T tokens, D width.
"""

from dataclasses import dataclass

import numpy as np

from labcore.architecture.dataflow import Walk
from labcore.architecture.lens import stream_names

AXES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    stages: tuple[str, ...]  # (R,) trace names of the streams
    labels: tuple[str, ...]  # (T,)
    points: np.ndarray  # (R, T, 3)
    explained: np.ndarray  # (3,) share of the whole spread that each axis holds


def stream_paths(walk: Walk) -> Paths:
    """Where each token stands after each block.

    subtle: streams grow with depth, some tokens' by a factor of a hundred. Each point is divided by its
    own length, as the next norm would do, or the picture would show lengths and nothing else.
    """
    stages = stream_names(walk)
    streams = np.stack([walk.arrays[name] for name in stages]).astype(np.float64)  # (R, T, D)
    directions = streams / np.linalg.norm(streams, axis=-1, keepdims=True).clip(min=1e-12)
    points, explained = principal_components(directions.reshape(-1, streams.shape[-1]), AXES)
    return Paths(stages, walk.tokens.labels, points.reshape(*streams.shape[:2], AXES), explained)


def principal_components(points: np.ndarray, axes: int) -> tuple[np.ndarray, np.ndarray]:
    """The points along the axes of greatest spread, and each axis' share of the spread.

    (N, D) -> (N, axes), (axes,). With the centred cloud X = U·S·Vᵀ the axes are V's first columns and
    the spread along them is S². The sign of an axis is free; here its largest entry is positive.
    """
    centred = points - points.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    found = min(axes, len(spread))
    largest = np.abs(directions[:found]).argmax(axis=1)
    signs = np.sign(directions[np.arange(found), largest])
    turned, shares = np.zeros((len(points), axes)), np.zeros(axes)
    turned[:, :found] = centred @ (directions[:found] * signs[:, None]).T
    shares[:found] = spread[:found] ** 2 / max((spread**2).sum(), 1e-300)
    return turned, shares
