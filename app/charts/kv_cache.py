"""The cache's price and worth: time per token, work, bytes, and passes of every size.

Axes: N tokens written, R rounds, M sizes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from app import theme
from app.charts import bars
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.serving.batch_speed import BatchLook, BatchResult
from labcore.serving.cache_race import WAYS, RaceResult
from labcore.serving.cache_size import KINDS, HeldResult, SizeConfig, SizeResult

ROLES = {"cached": "changed", "uncached": "baseline"}
GB, MB, KB = 1e9, 1e6, 1e3


# With and without.


def per_token(milliseconds: Mapping[str, np.ndarray], text: Words) -> Figure:
    """How long each token took: median of the rounds, with the fastest and the slowest."""
    series = [
        _spread(text(f"way.{way}"), _numbers(milliseconds[way]), milliseconds[way], ROLES[way])
        for way in WAYS
    ]
    ends = {way: f"{np.median(milliseconds[way][:, -8:]):.1f}" for way in WAYS}
    return curve(
        series, x_title=text("axis.token"), y_title=text("axis.ms"), y_range=(0, None), height=300,
        alt=text("alt.per_token", **ends),
    )  # fmt: skip


def added_up(milliseconds: Mapping[str, np.ndarray], text: Words) -> Figure:
    """Seconds until each token was there."""
    sums = {way: milliseconds[way].cumsum(axis=1) / 1e3 for way in WAYS}
    series = [
        _spread(text(f"way.{way}"), _numbers(sums[way]), sums[way], ROLES[way]) for way in WAYS
    ]
    ends = {way: f"{np.median(sums[way][:, -1]):.2f}" for way in WAYS}
    return curve(
        series, x_title=text("axis.token"), y_title=text("axis.seconds"), height=280,
        alt=text("alt.added_up", **ends),
    )  # fmt: skip


def work(result: RaceResult, text: Words) -> Figure:
    """What was to be computed for each token, and what the cache holds by then."""
    tokens = _numbers(result.milliseconds["cached"])
    series = [
        Series(text(f"way.{way}"), tokens, result.flops[way] / 1e6, ROLES[way]) for way in WAYS
    ]
    held = Series(text("series.held"), tokens, result.cache_bytes / MB, "cache", True, right=True)
    sums = {way: f"{result.flops[way].sum() / 1e9:.3g}" for way in WAYS}
    return curve(
        [*series, held], x_title=text("axis.token"), y_title=text("axis.mflop"), log_y=True,
        right_title=text("axis.mb"), height=300, alt=text("alt.work", **sums),
    )  # fmt: skip


def _numbers(rows: np.ndarray) -> np.ndarray:
    return np.arange(1, rows.shape[1] + 1)


def _spread(name: str, x: np.ndarray, rows: np.ndarray, role: str, points: bool = False) -> Series:
    """Median of the rounds with a band from the lowest to the highest.  rows (R, N)"""
    band = (rows.min(axis=0), rows.max(axis=0)) if len(rows) > 1 else None
    return Series(name, x, np.median(rows, axis=0), role, points=points, spread=band)


# Memory.


def growth(result: SizeResult, config: SizeConfig, text: Words) -> Figure:
    """The cache of the batch over the length of its texts, and what room there is beside the weights."""
    series = [
        Series(_kind(kind, result, text), result.contexts / KB, result.curves[kind] / GB)
        for kind in KINDS
    ]
    room = (result.memory_bytes - result.weight_bytes) / GB
    return curve(
        series, x_title=text("axis.context"), y_title=text("axis.gb"), log_x=True, log_y=True,
        floor=(room, text("series.room")) if room > 0 else None,
        marks=[(config.context / KB, text("series.chosen"))], height=360, alt=text("alt.growth"),
    )  # fmt: skip


def parts(result: SizeResult, text: Words) -> Figure:
    """Weights and cache of each kind, with the memory that there is."""
    names = [_kind(kind, result, text) for kind in KINDS]
    caches = [result.cache_bytes[kind] / GB for kind in KINDS]
    figure = bars.stacked(
        [
            (text("part.weights"), [result.weight_bytes / GB] * len(KINDS), "parameters"),
            (text("part.cache"), caches, "cache"),
        ],
        names, text, alt=text("alt.parts"), value_title=text("axis.gb"),
    )  # fmt: skip
    label = {"formatter": text("series.memory"), "position": "start"}
    line = {
        "silent": True, "symbol": "none",
        "lineStyle": {"color": theme.MEANING["floor"], "type": "dashed"},
        "data": [{"xAxis": result.memory_bytes / GB, "label": label}],
    }  # fmt: skip
    spec = dict(figure.spec)
    spec["series"] = [spec["series"][0] | {"markLine": line}, *spec["series"][1:]]
    spec["grid"] = spec["grid"] | {"top": 60}
    # so that the line is never beyond the picture
    most = max(result.memory_bytes, result.weight_bytes + max(result.cache_bytes.values())) / GB
    spec["xAxis"] = spec["xAxis"] | {"max": float(f"{most * 1.05:.3g}")}
    return replace(figure, spec=spec, height=300)


def size_table(result: SizeResult, text: Words) -> pd.DataFrame:
    """Per token, for the batch, and how many such texts fit."""
    return pd.DataFrame(
        {
            text("column.kind"): [_kind(kind, result, text) for kind in KINDS],
            text("column.per_token"): [
                f"{result.per_token_bytes[kind] / KB:,.1f} kB" for kind in KINDS
            ],
            text("column.batch"): [f"{result.cache_bytes[kind] / GB:,.2f} GB" for kind in KINDS],
            text("column.fits"): [result.fits[kind] for kind in KINDS],
        }
    )


def held_table(result: HeldResult, text: Words) -> pd.DataFrame:
    return pd.DataFrame(
        {
            text("column.kind"): [text(f"kind.{kind}") for kind in KINDS],
            text("column.formula"): [int(result.formula_bytes[kind]) for kind in KINDS],
            text("column.held"): [int(result.held_bytes[kind]) for kind in KINDS],
        }
    )


def _kind(kind: str, result: SizeResult, text: Words) -> str:
    name = text(f"kind.{kind}")
    return text("kind.published", kind=name) if kind == result.published_kind else name


# Passes of every size.


def throughput(shown: BatchLook | BatchResult, sizes: Sequence[int], text: Words) -> Figure:
    """Tokens per second over the tokens in a pass."""
    sizes = np.asarray(sizes)
    rates = {"decode": sizes / shown.decode_seconds, "prefill": sizes / shown.prefill_seconds}
    return _passes(rates, sizes, text("axis.rate"), text("alt.throughput"), text)


def latency(shown: BatchLook | BatchResult, sizes: Sequence[int], text: Words) -> Figure:
    """How long a pass takes: what each text of the batch waits for its next token."""
    times = {"decode": shown.decode_seconds * 1e3, "prefill": shown.prefill_seconds * 1e3}
    return _passes(times, np.asarray(sizes), text("axis.pass_ms"), text("alt.latency"), text)


def _passes(
    rows: Mapping[str, np.ndarray], sizes: np.ndarray, title: str, alt: str, text: Words
) -> Figure:
    series = [
        _spread(text(f"pass.{kind}"), sizes, rows[kind], role, points=True)
        for kind, role in (("decode", "changed"), ("prefill", "value"))
    ]
    return curve(
        series, x_title=text("axis.size"), y_title=title, log_x=True,
        x_range=(1, int(sizes[-1])), y_range=(0, None), height=300, alt=alt,
    )  # fmt: skip


def use(result: BatchResult, text: Words) -> Figure:
    """What decoding makes of the machine: operations and bytes per second."""
    flops = result.decode_flops / result.decode_seconds / 1e9
    moved = result.decode_bytes / result.decode_seconds / GB
    series = [
        _spread(text("series.flops"), result.sizes, flops, "changed", points=True),
        replace(
            _spread(text("series.bytes"), result.sizes, moved, "cache", points=True), right=True,
            dashed=True,
        ),
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.size"), y_title=text("axis.gflops"), log_x=True,
        x_range=(1, int(result.sizes[-1])), right_title=text("axis.gbs"), y_range=(0, None),
        height=280, alt=text("alt.use"),
    )  # fmt: skip
