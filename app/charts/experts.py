"""A small mixture beside dense models: courses, loads of its experts, and who goes where.

Axes: N variants, R those with experts, S seeds, M looks, L layers, E experts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.charts.bars import grouped, stacked
from app.charts.curves import Series, curve
from app.charts.maps import matrix
from app.figures import Figure
from app.i18n import Words
from labcore.scaling.experts import ExpertsResult, Progress, experts_in_use, guessed

Text = Callable[..., str]
AGAINST = ("step", "operations", "seconds")
KEYS = ("token", "before", "language", "none")
HIGHEST_LOAD = 4.0  # times an even share; more is drawn as dark


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A live run so far: the seed under way, in the fields of a result."""

    names: tuple[str, ...]
    routed: tuple[str, ...]
    seeds: tuple[int, ...]
    experts: int
    steps: np.ndarray  # (M,)
    loss_nats: np.ndarray  # (N, 1, M)
    right: np.ndarray  # (N, 1, M)
    load: np.ndarray  # (R, 1, M, L, E)
    step_seconds: np.ndarray  # (N, 1)


def course_of(events: Sequence[Progress], routed: tuple[str, ...]) -> Course:
    """The looks of the latest seed."""
    last = events[-1]
    seen = [event for event in events if event.looks and event.seed == last.seed]

    def of(field: str) -> np.ndarray:
        return np.array([[getattr(look, field) for look in event.looks] for event in seen]).T[
            :, None
        ]

    places = [last.names.index(name) for name in routed]
    load = np.array([[event.looks[place].load for event in seen] for place in places])
    return Course(
        last.names, routed, (last.seed,), load.shape[-1] if routed else 0,
        np.array([event.step for event in seen]), of("loss_nats"), of("right"), load[:, None],
        np.array(last.seconds)[:, None] / max(1, last.step),
    )  # fmt: skip


def courses(
    shown: ExpertsResult | Course, measure: str, against: str, flops: np.ndarray,
    floor: float | None, text: Text,
) -> Figure:  # fmt: skip
    """Right answers or loss of every variant over steps, over operations, or over processor time.

    `flops` (N,): what one step of each variant takes.
    """
    lines = []
    for number, name in enumerate(shown.names):
        values = getattr(shown, "right" if measure == "right" else "loss_nats")[number]  # (S, M)
        values = 100 * values if measure == "right" else values
        per_step = {
            "step": 1.0, "operations": float(flops[number]) / 1e9,
            "seconds": float(shown.step_seconds[number].mean()),
        }[against]  # fmt: skip
        spread = (values.min(axis=0), values.max(axis=0)) if len(values) > 1 else None
        lines.append(
            Series(text(f"variant.{name}"), shown.steps * per_step, values.mean(axis=0), name,
                   points=True, spread=spread)
        )  # fmt: skip
    ends = text("list.comma").join(f"{line.name} {float(line.y[-1]):.3g}" for line in lines)
    level = (
        None
        if floor is None or measure == "right"
        else (floor, text("series.floor", nats=f"{floor:.2f}"))
    )
    return curve(
        lines, x_title=text(f"axis.{against}"), y_title=text(f"axis.{measure}"), floor=level,
        y_range=(0, 100) if measure == "right" else (0, None), height=400,
        alt=text(f"alt.{measure}", ends=ends),
    )  # fmt: skip


def in_use(shown: ExpertsResult | Course, layer: int, text: Text) -> Figure:
    """How many experts are in use, by the entropy of their loads, look by look."""
    used = experts_in_use(shown.load)[..., layer]  # (R, S, M)
    lines = [
        Series(
            text(f"variant.{name}"), shown.steps, values.mean(axis=0), name, points=True,
            spread=(values.min(axis=0), values.max(axis=0)) if len(values) > 1 else None,
        )
        for name, values in zip(shown.routed, used, strict=True)
    ]  # fmt: skip
    ends = text("list.comma").join(f"{line.name} {float(line.y[-1]):.1f}" for line in lines)
    return curve(
        lines, x_title=text("axis.step"), y_title=text("axis.in_use"), height=340,
        y_range=(0, float(shown.experts)),
        alt=text("alt.in_use", layer=layer + 1, experts=shown.experts, ends=ends),
    )  # fmt: skip


def loads(shown: ExpertsResult | Course, name: str, layer: int, seed: int, text: Words) -> Figure:
    """Every expert's load at every look, as multiples of an even share; one seed."""
    values = shown.load[shown.routed.index(name), shown.seeds.index(seed), :, layer].T  # (E, M)
    busiest = float(values[:, -1].max() * shown.experts)
    return matrix(
        values * shown.experts, [str(expert + 1) for expert in range(shown.experts)],
        [str(step) for step in shown.steps], text, signed=False, bounds=(0.0, HIGHEST_LOAD),
        row_title=text("axis.expert"), column_title=text("axis.step"),
        value_title=text("axis.load"), height=360,
        alt=text("alt.loads", variant=text(f"variant.{name}"), layer=layer + 1, busiest=f"{busiest:.1f}"),
    )  # fmt: skip


# Who goes where.


def guesses(result: ExpertsResult, name: str, text: Text) -> Figure:
    """How often a token's expert can be named from what the token is, what stood before it, its language."""
    routes = result.routes[result.routed.index(name)]  # (L, P)
    keys = {
        "token": result.tokens, "before": result.before, "language": result.is_chinese,
        "none": np.zeros(len(result.tokens), int),
    }  # fmt: skip
    if result.text == "facts":
        del keys["language"]
    parts = [
        (
            text("series.layer", layer=layer + 1),
            [100 * guessed(values, route) for values in keys.values()],
            role,
        )
        for layer, (route, role) in enumerate(zip(routes, ("changed", "kept"), strict=True))
    ]
    token = max(values[0] for _, values, _ in parts)
    chance = max(values[-1] for _, values, _ in parts)
    return grouped(
        parts, [text(f"key.{key}") for key in keys], text, value_title=text("axis.guessed"),
        alt=text("alt.guesses", token=f"{token:.0f}", chance=f"{chance:.0f}"),
    )  # fmt: skip


def by_language(result: ExpertsResult, name: str, layer: int, text: Text) -> Figure:
    """What each expert is given: tokens of English and of Chinese stories."""
    route = result.routes[result.routed.index(name), layer]
    counts = {
        language: np.bincount(route[result.is_chinese == told], minlength=result.experts)
        for language, told in (("en", False), ("zh", True))
    }
    parts = [(text(f"language.{key}"), values, key) for key, values in counts.items()]
    share = counts["zh"] / np.maximum(1, counts["en"] + counts["zh"])
    return stacked(
        parts, [text("bar.expert", expert=e + 1) for e in range(result.experts)], text,
        value_title=text("axis.judged"), height=100 + 24 * result.experts,
        alt=text("alt.by_language", low=f"{100 * share.min():.0f}", high=f"{100 * share.max():.0f}"),
    )  # fmt: skip


MOST_TOKENS = 8


def commonest(result: ExpertsResult, name: str, layer: int, text: Text) -> pd.DataFrame:
    """The tokens that each expert is given most often."""
    route = result.routes[result.routed.index(name), layer]
    labels = [label.replace("property ", "p") for label in result.labels]
    label = dict(zip(np.unique(result.tokens).tolist(), labels, strict=True))
    rows = []
    for expert in range(result.experts):
        given, counts = np.unique(result.tokens[route == expert], return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MOST_TOKENS]
        rows.append(
            {
                text("axis.expert"): expert + 1,
                text("column.given"): int(counts.sum()),
                text("column.commonest"): "  ".join(
                    label[token] for token in given[order].tolist()
                ),
            }
        )
    return pd.DataFrame(rows)


def summary(result: ExpertsResult, text: Text) -> pd.DataFrame:
    """One row per variant: what it is, what it reached, what it took."""
    final, right = result.loss_nats[:, :, -1], 100 * result.right[:, :, -1]
    return pd.DataFrame(
        [
            {
                text("column.variant"): text(f"variant.{name}"),
                text("column.count"): int(result.parameters[number]),
                text("column.kiloflops"): round(float(result.flops_per_token[number]) / 1e3, 1),
                text("column.step_ms"): round(1e3 * float(result.step_seconds[number].mean()), 1),
                text("column.loss"): spread(final[number], 2),
                text("column.right"): spread(right[number], 0),
            }
            for number, name in enumerate(result.names)
        ]
    )


def spread(values: np.ndarray, digits: int) -> str:
    """
    >>> spread(np.array([0.5, 0.7]), 2), spread(np.array([3.0]), 1)
    ('0.60 (0.50 – 0.70)', '3.0')
    """
    mean = f"{values.mean():.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({values.min():.{digits}f} – {values.max():.{digits}f})"
