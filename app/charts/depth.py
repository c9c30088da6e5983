"""Pictures of depth: what untrained layers do to a signal, and how low stacks of each kind come.

R seeds, L layers, T tokens, V variants, Q learning rates, P depths, N steps.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from app.charts.curves import Series, curve
from app.charts.maps import matrix
from app.figures import Figure
from labcore.architecture.deep_stacks import Design
from labcore.architecture.depth_signal import SignalResult
from labcore.architecture.depth_training import VARIANTS, Grid

Text = Callable[..., str]
MEASURES = ("size", "gradient", "alike", "apart")
LOGARITHMIC = ("size", "gradient", "apart")
HIGHEST_NATS = 8.0  # a guess that knows nothing pays 7.6; what lies above has come apart
PANEL_PIXELS = 270


def layers(chosen: SignalResult, standard: SignalResult | None, measure: str, text: Text) -> Figure:
    """One quantity, layer by layer: the chosen design over its seeds, the standard one behind it."""
    series = [_over_seeds(text("series.chosen"), getattr(chosen, measure), measure, "changed")]
    if standard is not None:
        name = text("series.standard")
        values = getattr(standard, measure)
        series.append(_over_seeds(name, values, measure, "baseline", dashed=True))
    first, last = (float(series[0].y[at]) for at in (0, -1))
    return curve(
        series, x_title=text("axis.layer"), y_title=text(f"axis.{measure}"),
        log_y=measure in LOGARITHMIC, y_range=(None, 1.0) if measure == "alike" else (None, None),
        x_range=(0, float(series[0].x[-1])),
        alt=text(f"alt.{measure}", first=f"{first:.3g}", last=f"{last:.3g}"), height=PANEL_PIXELS,
    )  # fmt: skip


def _over_seeds(
    name: str, values: np.ndarray, measure: str, role: str, dashed: bool = False
) -> Series:
    """The median over seeds, with the lowest and the highest around it.  (R, L) or (R, L+1)"""
    start = 1 if measure == "gradient" else 0  # layer 0 is the table of tokens
    numbers = np.arange(start, start + values.shape[1])
    spread = (values.min(axis=0), values.max(axis=0))
    middle = np.median(values, axis=0)
    few = len(numbers) <= 2
    return Series(name, numbers, middle, role, dashed=dashed, points=few, spread=spread)


def cosine_map(result: SignalResult, layer: int, title: str, text: Text) -> Figure:
    """How alike any two tokens of the first text are after `layer` layers."""
    values = result.cosines[layer]
    off_diagonal = values[~np.eye(len(values), dtype=bool)]
    return matrix(
        values, result.labels, result.labels, text, signed=True, bounds=(-1.0, 1.0), height=400,
        row_title=text("axis.token"), column_title=text("axis.token"),
        value_title=text("axis.cosine"),
        alt=text("alt.map", design=title, layer=layer, mean=f"{off_diagonal.mean():.2f}"),
    )  # fmt: skip


# Training.


def look(name: str) -> dict:
    """Colour and line of a variant: a hue for the architecture, dashes where something is left out."""
    design, warm_up = VARIANTS[name]
    return {"role": _role(design), "dashed": not (warm_up and design.scaled_writers)}


def _role(design: Design) -> str:
    if not design.residual:
        return "no_residual"
    return {"pre": "pre_norm", "post": "post_norm", "none": "no_norm"}[design.placement]


def by_depth(
    grid: Grid, names: Sequence[str], rate: float, live: Mapping[int, float], text: Text
) -> Figure:
    """Final loss against depth at one learning rate; `live` {depth: nats} is the learner's own run."""
    at = grid.rates.index(rate)
    cells = {name: grid.final_nats[grid.variants.index(name), at] for name in names}
    alt = text("alt.by_depth", rate=f"{rate:g}", depth=grid.depths[-1], ends=_ends(cells, text))
    return _finals(grid, cells, grid.depths, live, text("axis.depth"), alt, text)


def by_rate(
    grid: Grid, names: Sequence[str], depth: int, live: Mapping[float, float], text: Text
) -> Figure:
    """Final loss against the learning rate at one depth."""
    at = grid.depths.index(depth)
    cells = {name: grid.final_nats[grid.variants.index(name), :, at] for name in names}
    alt = text("alt.by_rate", rate=f"{grid.rates[-1]:g}", depth=depth, ends=_ends(cells, text))
    return _finals(grid, cells, grid.rates, live, text("axis.rate"), alt, text, log_x=True)


def _finals(
    grid: Grid, cells: Mapping[str, np.ndarray], x: Sequence[float], live: Mapping[float, float],
    x_title: str, alt: str, text: Text, log_x: bool = False,
) -> Figure:  # fmt: skip
    """Recorded medians with their spread, the level of a constant guess, the learner's own points."""
    series = [
        Series(
            text(f"option.variant.{name}"), x, np.median(values, axis=1), points=True,
            spread=(values.min(axis=1), values.max(axis=1)), **look(name),
        )
        for name, values in cells.items()
    ]  # fmt: skip
    level = np.full(len(x), grid.constant_nats)
    series.append(Series(text("series.constant"), x, level, "expected", dashed=True))
    if live:
        series.append(
            Series(text("series.live"), *zip(*live.items(), strict=True), "live", points=True)
        )
    floor = (grid.floor_nats, text("series.floor", nats=f"{grid.floor_nats:.2f}"))
    return curve(
        series, x_title=x_title, y_title=text("axis.nats"), floor=floor, log_x=log_x,
        x_range=(x[0], x[-1]), y_range=(0, HIGHEST_NATS), alt=alt, height=400,
    )  # fmt: skip


def _ends(cells: Mapping[str, np.ndarray], text: Text) -> str:
    """Each variant's last median, for the ear."""
    return text("list.comma").join(
        f"{text(f'option.variant.{name}')} {np.median(values[-1]):.2f}"
        for name, values in cells.items()
    )


def courses(losses: Mapping[int, Sequence[float]], steps: int, text: Text) -> Figure:
    """Training loss of the learner's run, one line per depth."""
    series = [
        Series(text("series.layers", layers=depth), np.arange(1, len(nats) + 1), nats)
        for depth, nats in losses.items()
    ]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, steps),
        y_range=(0, HIGHEST_NATS), alt=text("alt.courses", count=len(series)), height=280,
    )  # fmt: skip
