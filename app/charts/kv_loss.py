"""What is lost with a shorter cache, and with a coarser one.

Texts are shown as three groups, each a mean; the band reaches from the lowest group to the highest.
Axes: R texts, M bins of positions or numbers of bits, C context tokens, d head_dim.
"""

import numpy as np

from app.charts import maps
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.serving.cache_bits import NAMES, BitsResult
from labcore.serving.forgetting import WAYS, ForgetResult

ROLES = {"full": "baseline", "window": "dropped", "sinks": "kept", "others": "key"}
GROUPS = 3
SHOWN_TOKENS = 24  # rows of a map
COLOURED = 0.98  # of the numbers; the few that are larger have the colour of the largest of these


def over_position(result: ForgetResult, text: Words) -> Figure:
    """Loss along the text, for each way of forgetting."""
    series = []
    for way in WAYS:
        nats = result.nats[way].mean(axis=0)
        name = text(f"way.{way}")
        series.append(Series(name, result.positions, nats, ROLES[way], dashed=way == "full"))
    beyond = {way: f"{result.beyond(way).mean():.2f}" for way in WAYS}
    return curve(
        series, x_title=text("axis.position"), y_title=text("axis.nats"),
        marks=[(result.window, str(result.window))], height=340,
        alt=text("alt.over_position", **beyond),
    )  # fmt: skip


def against_full(result: ForgetResult, text: Words) -> Figure:
    """The same as a difference to the whole cache, position by position."""
    series = []
    for way in WAYS[1:]:
        groups = _groups(result.nats[way] - result.nats["full"])
        series.append(
            Series(
                text(f"way.{way}"), result.positions, groups.mean(axis=0), ROLES[way],
                spread=(groups.min(axis=0), groups.max(axis=0)),
            )
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.position"), y_title=text("axis.extra"), height=300,
        floor=(0.0, text("way.full")), marks=[(result.window, str(result.window))],
        alt=text("alt.against_full"),
    )  # fmt: skip


def rounding_cost(result: BitsResult, parts: tuple[str, ...], text: Words) -> Figure:
    """Extra loss over bits per number in the cache; full bits would be at zero."""
    series = [_cost(result, name, text) for name in NAMES if name.split("-")[0] in parts]
    return curve(
        series, x_title=text("axis.bits"), y_title=text("axis.extra"), height=320,
        floor=(0.0, text("series.whole")), alt=text("alt.rounding_cost"),
    )  # fmt: skip


def _cost(result: BitsResult, name: str, text: Words) -> Series:
    groups = _groups(result.extra(name).T)  # nosec B610 # no database: (GROUPS, M)
    part, axis = name.split("-")
    role = {"keys": "key", "values": "value"}.get(part, "kept" if axis == "mixed" else "changed")
    return Series(
        text(f"rounded.{name}"), result.bits_per_number, groups.mean(axis=0), role,
        axis == "token", True,
        spread=(groups.min(axis=0), groups.max(axis=0)),
    )  # fmt: skip


def numbers(values: np.ndarray, text: Words, what: str) -> Figure:
    """Keys or values of one head: tokens down, channels across."""
    values = values[:SHOWN_TOKENS].astype(np.float32)
    end = float(np.quantile(np.abs(values), COLOURED))
    return maps.matrix(
        values, [str(t) for t in range(values.shape[0])], [str(c) for c in range(values.shape[1])],
        text, alt=text(f"alt.{what}"), row_title=text("axis.token_row"),
        column_title=text("axis.channel"), value_title=text(f"axis.{what}"), signed=True,
        bounds=(-end, end),
    )  # fmt: skip


def _groups(rows: np.ndarray) -> np.ndarray:
    """(R, M) -> (GROUPS, M): means of three groups of texts"""
    return np.stack([rows[at::GROUPS].mean(axis=0) for at in range(GROUPS)])
