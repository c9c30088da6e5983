"""What was measured: errors beside those of other ways, work, time, memory, and what training keeps."""

import numpy as np
import pandas as pd

from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.serving.tile_backward import GRADIENTS, Backward
from labcore.serving.tile_backward import WAYS as BACKWARD_WAYS
from labcore.serving.tile_exactness import FORMATS, Exactness
from labcore.serving.tile_speed import WAYS, Speed
from labcore.serving.tiled_model import TiledModel

ROLES = {
    "plain": "baseline", "tiled": "measured", "fused": "chosen", "unfused": "key",
    "ours": "measured",
}  # fmt: skip
FORMAT_ROLES = {"fp64": "value", "fp32": "query", "bf16": "key", "bf16-fp32": "divergence"}


def errors(result: Exactness, text: Words) -> Figure:
    """How many decimals are right, −log₁₀ of the largest difference, over the size of a tile."""
    half = np.repeat(result.half[:, None], len(result.sizes), axis=1)
    lines = [(text(f"format.{form}"), result.tiled[form], FORMAT_ROLES[form]) for form in FORMATS]
    lines += [
        (text("series.forgotten"), result.forgotten, "dropped"),
        (text("series.half"), half, "baseline"),
    ]
    with np.errstate(divide="ignore"):  # no difference at all has no logarithm and is left out
        series = [
            _spread(name, result.sizes, -np.log10(wrong), role) for name, wrong, role in lines
        ]
    worst = {form.replace("-", "_"): f"{result.tiled[form].max():.1e}" for form in FORMATS}
    return curve(
        series, x_title=text("axis.tile"), y_title=text("axis.decimals"), log_x=True,
        x_range=_ends(result.sizes), y_range=(-3, 18), height=380,
        alt=text("alt.errors", **worst),
    )  # fmt: skip


def _ends(values: np.ndarray) -> tuple[float, float]:
    """The ends of a logarithmic axis: without them ECharts goes on to the next powers of ten."""
    return float(values[0]), float(values[-1])


def _spread(name: str, x: np.ndarray, values: np.ndarray, role: str) -> Series:
    """values (E, N): the mean over seeds with the lowest and the highest behind it"""
    band = values.min(axis=0), values.max(axis=0)
    return Series(name, x, values.mean(axis=0), role, points=True, spread=band)


def beside(result: Exactness, text: Words) -> pd.DataFrame:
    """By format: the error of the plain way, of torch's kernel, of tiles; lowest to highest seed."""

    def span(values: np.ndarray) -> str:
        return f"{values.min():.1e} … {values.max():.1e}"

    return pd.DataFrame(
        {
            text("column.format"): [text(f"format.{form}") for form in FORMATS],
            text("way.plain"): [span(result.plain[form]) for form in FORMATS],
            text("way.fused"): [span(result.torch[form]) for form in FORMATS],
            text("way.tiled"): [span(result.tiled[form]) for form in FORMATS],
        }
    )


def work(result: Exactness, text: Words) -> Figure:
    """Operations, which grow with T² either way, and scores held at one time, which need not."""
    lengths = result.lengths
    return curve(
        [
            Series(text("series.flops_plain"), lengths, result.flops["plain"], "baseline"),
            Series(text("series.flops_tiled"), lengths, result.flops["tiled"], "measured", True),
            Series(text("series.flops_causal"), lengths, result.flops["causal"], "value"),
            Series(text("series.held_plain"), lengths, result.held["plain"], "dropped", points=True),
            Series(text("series.held_tiled"), lengths, result.held["tiled"], "key", points=True),
        ],
        x_title=text("axis.length"), y_title=text("axis.work"), log_x=True, log_y=True,
        x_range=_ends(lengths), height=360,
        alt=text("alt.work"),
    )  # fmt: skip


def times(speed: Speed, text: Words) -> Figure:
    """Milliseconds over length: medians, with the fastest and the slowest round behind them."""
    series = [
        Series(
            text(f"way.{way}"), speed.lengths, np.median(rounds, axis=1), ROLES[way], points=True,
            spread=(rounds.min(axis=1), rounds.max(axis=1)),
        )
        for way, rounds in zip(WAYS, speed.milliseconds, strict=True)
    ]  # fmt: skip
    last = {way: f"{speed.median[index, -1]:.3g}" for index, way in enumerate(WAYS)}
    return curve(
        series, x_title=text("axis.length"), y_title=text("axis.milliseconds"), log_x=True,
        log_y=True, x_range=_ends(speed.lengths), height=360,
        alt=text("alt.times", length=f"{speed.lengths[-1]:,}", **last),
    )  # fmt: skip


def memory(speed: Speed, text: Words) -> Figure:
    """The most that one call held at one time."""
    series = [
        Series(text(f"way.{way}"), speed.lengths, held / 1e6, ROLES[way], points=True)
        for way, held in zip(WAYS, speed.peak_bytes, strict=True)
    ]
    last = {way: f"{speed.peak_bytes[index, -1] / 1e6:.3g}" for index, way in enumerate(WAYS)}
    return curve(
        series, x_title=text("axis.length"), y_title=text("axis.megabytes"), log_x=True, log_y=True,
        x_range=_ends(speed.lengths), height=320,
        alt=text("alt.memory", length=f"{speed.lengths[-1]:,}", **last),
    )  # fmt: skip


def sizes(speed: Speed, text: Words) -> Figure:
    """The Python loop with tiles from small to as large as the text, beside the plain way."""
    rounds = speed.by_size  # (Z, R)
    plain = float(speed.median[WAYS.index("plain"), list(speed.lengths).index(speed.sizes_at)])
    return curve(
        [
            Series(
                text("way.tiled"), speed.sizes, np.median(rounds, axis=1), "measured", points=True,
                spread=(rounds.min(axis=1), rounds.max(axis=1)),
            ),
        ],
        x_title=text("axis.tile"), y_title=text("axis.milliseconds"), log_x=True, log_y=True,
        x_range=_ends(speed.sizes), floor=(plain, text("way.plain")), height=280,
        alt=text("alt.sizes", length=speed.sizes_at),
    )  # fmt: skip


def kept(result: Backward, text: Words) -> Figure:
    """Bytes that autograd keeps between the passes."""
    series = [
        Series(
            text(f"way.{way}"), result.lengths, result.kept_bytes[way] / 1e3, ROLES[way],
            dashed=way == "ours", points=True,
        )
        for way in BACKWARD_WAYS
    ]  # fmt: skip
    last = {way: f"{result.kept_bytes[way][-1] / 1e3:,.0f}" for way in BACKWARD_WAYS}
    return curve(
        series, x_title=text("axis.length"), y_title=text("axis.kilobytes"), log_x=True, log_y=True,
        x_range=_ends(result.lengths), height=320,
        alt=text("alt.kept", length=int(result.lengths[-1]), **last),
    )  # fmt: skip


def gradients(result: Backward, text: Words) -> pd.DataFrame:
    """Largest difference to autograd's gradient, lowest to highest seed."""

    def span(values: np.ndarray) -> str:
        return f"{values.min():.1e} … {values.max():.1e}"

    rows = [[span(of[name]) for name in GRADIENTS] for of in result.errors.values()]
    rows += [[span(result.without_sum), "", ""]]
    table = pd.DataFrame(rows, columns=[f"d{name.upper()}" for name in GRADIENTS])
    names = [text(f"format.{form}") for form in result.errors] + [text("series.without_sum")]
    table.insert(0, text("column.format"), names)
    return table


def model(result: TiledModel, text: Words) -> pd.DataFrame:
    """What tiles, and tiles without the shrinking, do to a model's answers."""
    return pd.DataFrame(
        {
            text("column.way"): [text("way.tiled"), text("series.forgotten")],
            text("column.logits"): [
                f"{wrong:.1e}" for wrong in (result.difference, result.forgotten_difference)
            ],
            text("column.same"): [f"{same:.0%}" for same in (result.same, result.forgotten_same)],
        }
    )
