"""What each positional encoding looks like, and what it does to a score over distance.

Two pictures tell it. One is the encoding's own matrix: waves, angles, a bias, a table. The other is the
attention that is left when every word is the same: then position alone decides where to look.

Axes: T positions, S key positions, D width, d head width, H heads, P pairs of channels, K distances.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.positions_length import ENCODINGS, T5_BUCKETS, T5_MAX_DISTANCE
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.attention import masked_softmax
from labcore.model.positions import (
    alibi_bias,
    alibi_slopes,
    rope_frequencies,
    rotate,
    rotation,
    sinusoidal,
    t5_bucket,
)

WIDTHS = (8, 16, 32, 64, 128)
HEADS = (1, 2, 4, 8)
THETAS = (100.0, 1_000.0, 10_000.0, 500_000.0)
REACHES = (64, 256, 1024, 4096)
DRAWS = 200  # random queries behind the measured curve of RoPE
POINTS = 200  # distances drawn at most, so that far reaches stay quick
FAR = 37  # a second place from which distances are counted: any will do


@lab_config
class ShapesConfig:
    width: int = 64  # numbers per vector: a head's for RoPE, an embedding's for the others
    theta: float = 10_000.0  # RoPE's base
    heads: int = 4
    tokens: int = 32  # rows of a matrix
    reach: int = 256  # the largest distance of a curve
    seed: int = 0  # of the untrained tables and of the random queries

    def __post_init__(self):
        if self.width not in WIDTHS:
            raise LabInputError("width", self.width, "known_choice", allowed=WIDTHS)
        if self.heads not in HEADS:
            raise LabInputError("heads", self.heads, "known_choice", allowed=HEADS)
        if not self.theta > 1:
            raise LabInputError("theta", self.theta, "above", limit=1)
        for name, low, high in (("tokens", 2, 64), ("reach", 2, 4096)):
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One curve over distance; `low` and `high` where it is a mean over random draws."""

    name: str
    distance: np.ndarray  # (K,)
    value: np.ndarray  # (K,)
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One encoding."""

    matrix: np.ndarray  # (T, D), (T, P), (H, T, S) or (T, S): see `matrix_of`
    alone: np.ndarray  # (T, S) causal attention weights when all words are the same, head 0
    lines: list[Line]


@dataclass(frozen=True, slots=True, eq=False)
class ShapesResult:
    shapes: dict[str, Shape]  # {encoding: Shape}
    slopes: np.ndarray  # (H,) ALiBi's
    wavelengths: np.ndarray  # (P,) tokens that each pair of RoPE needs for a full turn
    codes_agree: float  # largest difference of a score between the two codes of RoPE
    codes_mixed: float  # the same with one code on the other's weights


def run(config: ShapesConfig) -> ShapesResult:
    """All six at once: they are compared, and each takes a few milliseconds."""
    shapes = {
        encoding: Shape(
            matrix_of(encoding, config).numpy(),
            attention_of_equals(scores_of_equals(encoding, config)).numpy(),
            lines_of(encoding, config),
        )
        for encoding in ENCODINGS
    }
    frequencies = rope_frequencies(config.width, config.theta)
    return ShapesResult(
        shapes,
        np.array(alibi_slopes(config.heads)),
        (2 * np.pi / frequencies).numpy(),
        *compare_codes(config),
    )


def places(config: ShapesConfig) -> Tensor:
    return torch.arange(config.tokens)


def table(config: ShapesConfig, rows: int) -> Tensor:
    """Learned positions before any training: one random row per place, of length about √D.  (rows, D)"""
    return torch.randn(rows, config.width, generator=torch.Generator().manual_seed(config.seed))


def t5_table(config: ShapesConfig) -> Tensor:
    """T5's table before any training: one random number per bucket and head.  (buckets, H)"""
    rng = torch.Generator().manual_seed(config.seed)
    return torch.randn(T5_BUCKETS, config.heads, generator=rng)


def t5_distances(distance: Tensor) -> Tensor:
    """The bucket of each distance back, in a decoder."""
    return t5_bucket(-distance, T5_BUCKETS, T5_MAX_DISTANCE, bidirectional=False)


# The encoding's own matrix.


def matrix_of(encoding: str, config: ShapesConfig) -> Tensor:
    """What the encoding holds.

    learned (T, D) the table; sinusoidal (T, D) the waves; rope (T, P) the cosine of each pair's angle;
    alibi (H, T, S) the bias; t5 (T, S) the number of the bucket; none (T, S) what the mask alone leaves.
    """
    here = places(config)
    if encoding == "learned":
        return table(config, config.tokens)
    if encoding == "sinusoidal":
        return sinusoidal(here, config.width)
    if encoding == "rope":
        cos, _ = rotation(here[None], rope_frequencies(config.width, config.theta))
        return cos[0, 0]
    if encoding == "alibi":
        return alibi_bias(here[None], here[None], config.heads)[0].tril()
    if encoding == "t5":
        return t5_distances(here[:, None] - here[None, :]).tril()
    return attention_of_equals(torch.zeros(config.tokens, config.tokens))


# Only position speaks: the score of two equal words.


def scores_of_equals(encoding: str, config: ShapesConfig) -> Tensor:
    """The score between equal words, up to a constant: what the encoding alone says.  -> (T, S)

    Vectors have d numbers of size about 1 and the score is divided by √d, as in the model. For RoPE it is
    the mean over random words, see `rope_overlap`.
    """
    here = places(config)
    distance = here[:, None] - here[None, :]
    if encoding in ("learned", "sinusoidal"):
        vectors = matrix_of(encoding, config).float()
        return vectors @ vectors.T / config.width**0.5
    if encoding == "rope":
        return config.width**0.5 * rope_overlap(distance, config.width, config.theta)
    if encoding == "alibi":
        return matrix_of("alibi", config)[0]
    if encoding == "t5":
        return t5_table(config)[t5_distances(distance), 0]
    return torch.zeros(distance.shape)


def attention_of_equals(scores: Tensor) -> Tensor:
    """Causal softmax.  (T, S) -> (T, S), rows sum to 1"""
    allowed = torch.ones(scores.shape, dtype=torch.bool).tril()
    return masked_softmax(scores[None, None], allowed[None, None])[0, 0]


# Over distance.


def rope_overlap(distance: Tensor, width: int, theta: float) -> Tensor:
    """Mean of (R_m x)·(R_n x) / |x|² over random x, m - n = distance: the mean of cos(distance · ω_p).

    Each pair keeps its length and is turned against itself by the angle distance · ω_p, so it keeps the
    cosine of that angle of its product; all pairs are equally long on average.  (…) -> (…)
    """
    angles = distance[..., None] * rope_frequencies(width, theta)  # (…, P)
    return angles.cos().mean(dim=-1)


def measured_overlap(config: ShapesConfig, distance: Tensor, place: int) -> Tensor:
    """The same measured: random vectors, turned as the model turns them, multiplied.  -> (DRAWS, K)"""
    rng = torch.Generator().manual_seed(config.seed)
    words = torch.randn(DRAWS, 1, 1, config.width, generator=rng)  # (B, H, T, d)
    frequencies = rope_frequencies(config.width, config.theta)
    query = rotate(words, *rotation(torch.tensor([[place]]), frequencies))  # (B, 1, 1, d)
    keys = words.expand(-1, -1, len(distance), -1)
    keys = rotate(keys, *rotation((place - distance)[None], frequencies))  # (B, 1, K, d)
    return (query @ keys.transpose(-2, -1))[:, 0, 0] / words[:, 0, 0].square().sum(-1, keepdim=True)


def rotate_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE as the paper writes it: the pairs are (2i, 2i + 1).  (…, T, d) -> (…, T, d)"""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)


def compare_codes(config: ShapesConfig) -> tuple[float, float]:
    """Both codes of RoPE on the same words: with W_q's and W_k's rows reordered, and without.

    Reordering the rows of W_q and W_k reorders the channels of q and k, here done directly.
    -> largest difference of a score when reordered, and when not
    """
    rng = torch.Generator().manual_seed(config.seed)
    q, k = torch.randn(2, 1, 1, config.tokens, config.width, generator=rng)  # (B, H, T, d) each
    turn = rotation(places(config)[None], rope_frequencies(config.width, config.theta))
    order = torch.arange(config.width).view(-1, 2).T.flatten()  # 0, 2, 4, …, 1, 3, 5, …

    def scores(turned, channels=slice(None)) -> Tensor:
        query, key = turned(q[..., channels], *turn), turned(k[..., channels], *turn)
        return query @ key.transpose(-2, -1) / config.width**0.5

    paper = scores(rotate_interleaved)
    reordered, mixed = scores(rotate, order), scores(rotate)
    return float((reordered - paper).abs().max()), float((mixed - paper).abs().max())


def lines_of(encoding: str, config: ShapesConfig) -> list[Line]:
    """What the encoding makes of distance, in its own unit."""
    points = min(POINTS, config.reach) + 1
    distance = torch.linspace(0, config.reach, points).round().long().unique()
    return LINES[encoding](config, distance)


def rope_lines(config: ShapesConfig, distance: Tensor) -> list[Line]:
    """What random vectors really give, turned by the model's own code, and the formula for their mean."""
    measured = measured_overlap(config, distance, place=config.reach)
    low, high = torch.quantile(measured, torch.tensor([0.05, 0.95]), dim=0)
    formula = rope_overlap(distance, config.width, config.theta)
    return [
        Line("measured", *arrays(distance, measured.mean(0), low, high)),
        Line("formula", *arrays(distance, formula)),
    ]


def vector_lines(vectors: Callable[[Tensor], Tensor], distance: Tensor) -> list[Line]:
    """p_m · p_n as a share of p_m · p_m, counted from two places: one line if only distance matters."""
    lines = []
    for name, start in (("from_start", 0), ("from_later", FAR)):
        first, others = vectors(torch.tensor([start]))[0], vectors(start + distance)
        lines.append(Line(name, *arrays(distance, others @ first / (first @ first))))
    return lines


def sinusoidal_lines(config: ShapesConfig, distance: Tensor) -> list[Line]:
    return vector_lines(lambda places: sinusoidal(places, config.width).float(), distance)


def learned_lines(config: ShapesConfig, distance: Tensor) -> list[Line]:
    rows = table(config, config.reach + FAR + 1)
    return vector_lines(lambda places: rows[places], distance)


def alibi_lines(config: ShapesConfig, distance: Tensor) -> list[Line]:
    """One straight line per head."""
    bias = alibi_bias(distance[-1:][None], (distance[-1] - distance)[None], config.heads)[0, :, 0]
    return [Line(f"head {head}", *arrays(distance, line)) for head, line in enumerate(bias)]


def t5_lines(config: ShapesConfig, distance: Tensor) -> list[Line]:
    """A staircase per head: what is in one bucket gets one number."""
    rows = t5_table(config)[t5_distances(distance)]  # (K, H)
    return [Line(f"head {head}", *arrays(distance, line)) for head, line in enumerate(rows.T)]


def none_lines(config: ShapesConfig, distance: Tensor) -> list[Line]:
    """Nothing at any distance; but a token that sees n others spreads itself over n + 1."""
    return [
        Line("nothing", *arrays(distance, torch.zeros(len(distance)))),
        Line("first_token", *arrays(distance, 1 / (distance + 1.0))),
    ]


def arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.numpy().astype(np.float32) for tensor in tensors]


LINES = {
    "rope": rope_lines,
    "alibi": alibi_lines,
    "t5": t5_lines,
    "none": none_lines,
    "sinusoidal": sinusoidal_lines,
    "learned": learned_lines,
}
