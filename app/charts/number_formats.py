"""Pictures of number formats: bits to flip, how fine each grid is, and sums that stop growing."""

from collections.abc import Callable
from math import isfinite

import numpy as np
import pandas as pd

from app import theme
from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.pretraining.gradient_range import Fate, RangeResult
from labcore.pretraining.number_formats import FORMATS, Format, NumberResult, Parts, ladder
from labcore.pretraining.repeated_addition import AdditionConfig, AdditionResult

Text = Callable[..., str]

FIELDS = ("sign", "exponent", "mantissa")
GRIDS = ("fp32", "bf16", "fp16", "e4m3", "e5m2")


def bits(result: NumberResult, fixed: bool, text: Text) -> Figure:
    """The number's bits in every format.  Selects {"format", "bits"}: the pattern after a flip."""
    spec = {
        "alt": text("alt.bits", number=short(result.wanted)),
        "words": {name: text(f"field.{name}") for name in FIELDS} | {"hint": text("bits.hint")},
        "colours": {name: theme.MEANING[name] for name in FIELDS},
        "fixed": fixed,
        "rows": [
            {
                "format": parts.format,
                "bits": parts.bits,
                "fields": [[name, len(getattr(parts, name))] for name in FIELDS],
                "value": short(parts.value),
                "note": note(parts, result.wanted, text),
            }
            for parts in result.parts
        ],
    }
    return Figure("bits", spec, spec["alt"], lambda: _bits_table(result, text), selects=True)


def note(parts: Parts, wanted: float, text: Text) -> str:
    """What was lost on the way into the format."""
    if parts.kind in ("infinite", "nan") or not isfinite(wanted):
        return text(f"kind.{parts.kind}")
    if parts.error == 0:
        return text("bits.exact")
    share = text("bits.off", percent=f"{100 * parts.error / abs(wanted):+.3g}")
    return share if parts.kind == "normal" else f"{share}, {text(f'kind.{parts.kind}')}"


def short(value: float) -> str:
    """
    >>> short(0.10009765625), short(2.0), short(3.3895313892515355e38)
    ('0.10009765625', '2', '3.38953138925e+38')
    """
    return f"{value:.12g}"


def _bits_table(result: NumberResult, text: Text) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (p.format, p.sign, p.exponent, p.mantissa, repr(p.value), repr(p.error),
             repr(p.below), repr(p.above), text(f"kind.{p.kind}"))
            for p in result.parts
        ],
        columns=[
            text(f"column.{name}")
            for name in ("format", *FIELDS, "stored", "error", "below", "above", "kind")
        ],
    )  # fmt: skip


def grids(number: float, text: Text) -> Figure:
    """How far apart the numbers of each format are, relative to their size: precision and range at once.

    Both axes are powers of ten: 10 to the −45 is no label to read.
    """
    series = []
    for name in GRIDS:
        powers, shares = ladder(FORMATS[name])
        series.append(Series(name, np.log10(powers), np.log10(shares), name))
    size = abs(number)
    inside = 1e-45 < size < 1e38
    marks = [(float(np.log10(size)), text("mark.number"))] if inside else []
    figure = curve(
        series, x_title=text("axis.size"), y_title=text("axis.spacing"), marks=marks,
        x_range=(-45, 39), y_range=(-8, 0), alt=text("alt.grids"),
    )  # fmt: skip
    return _at_the_edge(figure)


def _at_the_edge(figure: Figure) -> Figure:
    """The vertical axis stays at the left although there is a 0 in the middle of the picture."""
    figure.spec["yAxis"][0]["axisLine"] = {"onZero": False}
    return figure


def sums(result: AdditionResult, config: AdditionConfig, text: Text) -> Figure:
    """The sum after each addition: exact, in three formats, and rounded by chance."""
    additions = np.arange(len(result.exact))
    series = [Series(text("series.exact"), additions, result.exact, "expected", dashed=True)]
    series += [Series(name, additions, values, name) for name, values in result.nearest.items()]
    spread = (result.chance.min(axis=0), result.chance.max(axis=0))
    name = text("series.chance", format=config.short)
    series.append(Series(name, additions, result.chance.mean(axis=0), "by_chance", spread=spread))
    ends = text("list.comma").join(f"{one.name} {one.y[-1]:.4g}" for one in series)
    return curve(
        series, x_title=text("axis.additions"), y_title=text("axis.sum"),
        x_range=(0, len(additions) - 1), alt=text("alt.sums", ends=ends),
    )  # fmt: skip


def gradients(
    result: RangeResult, shift: int, format: Format, fates: dict[str, Fate], text: Text
) -> Figure:
    """How many gradients of each size there are, and where the format ends."""
    power = result.exponents + shift
    series = [
        Series(text(f"series.{kind}"), power, 100 * counts / counts.sum(), role)
        for (kind, counts), role in zip(result.counts.items(), ("changed", "gradient"), strict=True)
    ]
    marks = [
        (format.lowest_exponent - format.mantissa_bits - 1, text("mark.zero")),
        (format.lowest_exponent, text("mark.subnormal")),
        (float(np.frexp(format.largest)[1]), text("mark.overflow")),
    ]
    left, right = -50, 20
    figure = curve(
        series, x_title=text("axis.power"), y_title=text("axis.share"), x_range=(left, right),
        y_range=(0, None), marks=[mark for mark in marks if left <= mark[0] <= right],
        alt=text("alt.gradients", zero=f"{fates['weights'].zero:.0%}", format=format.name),
    )  # fmt: skip
    return _at_the_edge(figure)
