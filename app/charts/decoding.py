"""Speculative decoding in pictures: rounds of guesses, speed, and the test of exactness.

Axes: K numbers of guesses, R rounds or repeats, O outcomes, S seeds.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped, stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.masked import cell, words_table
from app.figures import Figure
from app.i18n import Words
from labcore.serving.exactness import WAYS, Exactness
from labcore.serving.exactness_study import ExactnessStudy
from labcore.serving.first_token import FirstToken
from labcore.serving.speculating import Round, Speculation
from labcore.serving.speculating_speed import Repeat, Speed

TONES = {
    "kept": theme.MEANING["kept"],
    "refused": theme.MEANING["dropped"],
    "unread": theme.MEANING["neutral"],
    "instead": theme.MEANING["guess"],
    "free": theme.MEANING["changed"],
}
FULL, PALE = 0.6, 0.15
WORDS = ("A", "B", "C", "D", "E", "F")  # the small vocabulary
SHOWN_OUTCOMES = 8
ROLES = {"plain": "measured", "exact": "kept", "likelier": "dropped", "redraw": "divergence"}


# Rounds.


def rounds(result: Speculation, guesses: int, text: Words) -> Figure:
    """One line per round: what was guessed, what became of it, and the target's own token."""
    columns = [str(place + 1) for place in range(guesses)] + [text("column.own")]
    cells = [_round(one, result.labels, guesses, text) for one in result.rounds]
    return words_table(
        [str(number + 1) for number in range(len(cells))], columns, cells,
        text("alt.rounds", rounds=len(cells), kept=result.kept, checked=result.checked),
        text("hint.rounds"), [(text(f"fate.{name}"), tone) for name, tone in TONES.items()],
    )  # fmt: skip


def _round(one: Round, labels: dict[int, str], guesses: int, text: Words) -> list[dict]:
    row = []
    for place, token in enumerate(one.guesses):
        fate = "kept" if place < one.kept else "refused" if place < one.checked else "unread"
        note = text("note.agreement", share=f"{one.agreement[place]:.0%}")
        row.append(_cell(labels[token], fate, text, note))
    if len(one.tokens) == one.kept:  # the story ended in the midst of the guesses
        return [*row, cell("", 0.0)]
    fate = "free" if one.kept == guesses else "instead"
    return [*row, _cell(labels[one.tokens[-1]], fate, text, "")]


def _cell(word: str, fate: str, text: Words, note: str) -> dict:
    share = PALE if fate == "unread" else FULL
    return cell(word, share, TONES[fate], f"{text(f'fate.{fate}')} {note}")


# Speed.


def speed_ups(result: Speed, text: Words) -> Figure:
    """How much faster than plain writing, measured and by formula."""
    ups = result.speed_ups  # (K, R)
    median = np.median(ups, axis=1)
    measured = Series(
        text("series.measured"), result.guesses, median, "measured", points=True,
        spread=(ups.min(axis=1), ups.max(axis=1)),
    )  # fmt: skip
    formula = Series(text("series.formula"), result.guesses, result.formula, "formula", True)
    return curve(
        [measured, formula], x_title=text("axis.guesses"), y_title=text("axis.speed_up"),
        y_range=(0, None), floor=(1.0, text("series.plain_speed")), height=300,
        alt=text("alt.speed", best=f"{median.max():.2f}", formula=f"{result.formula.max():.2f}"),
    )  # fmt: skip


def tokens_per_round(result: Speed, text: Words) -> Figure:
    """What a round brings, measured and by formula."""
    measured = Series(
        text("series.measured"), result.guesses, result.tokens_per_round, "measured", points=True
    )
    expected = Series(
        text("series.formula"), result.guesses, result.expected_tokens, "formula", True
    )
    return curve(
        [measured, expected], x_title=text("axis.guesses"), y_title=text("axis.per_round"),
        y_range=(0, None), height=260,
        alt=text("alt.per_round", most=f"{result.tokens_per_round.max():.1f}"),
    )  # fmt: skip


def speed_so_far(told: Sequence[Repeat], guesses: Sequence[int], text: Words) -> Figure:
    """A run under way: repeat by repeat."""
    ups = np.array([[one.plain / each for each in one.speculative] for one in told])
    line = Series(text("series.measured"), guesses, np.median(ups, axis=0), "measured", points=True)
    return curve(
        [line], x_title=text("axis.guesses"), y_title=text("axis.speed_up"), y_range=(0, None),
        floor=(1.0, text("series.plain_speed")), height=300, alt=text("alt.speed_so_far"),
    )  # fmt: skip


# Exactness.


def first_token(result: FirstToken, text: Words) -> Figure:
    """What comes out, in its two parts, beside what the target wants and the draft guesses."""
    names = [name for word in WORDS for name in (f"{word} p", f"{word} q", f"{word} →")]
    nothing = np.zeros_like(result.p)
    parts = [
        (text("series.target"), _between(result.p, nothing, nothing), "baseline"),
        (text("series.draft"), _between(nothing, result.q, nothing), "guess"),
        (text("series.kept"), _between(nothing, nothing, result.kept), "kept"),
        (text("series.replaced"), _between(nothing, nothing, result.replaced), "changed"),
    ]
    return stacked(
        parts, names, text, value_title=text("axis.probability"),
        alt=text("alt.first_token", distance=f"{result.distance:.3f}"),
        height=90 + 22 * len(names),
    )  # fmt: skip


def _between(*columns: np.ndarray) -> np.ndarray:
    """One value of each in turn.  (V,), (V,), (V,) -> (3V,)"""
    return np.stack(columns, axis=1).ravel()


def outcomes(result: Exactness, way: str, text: Words) -> Figure:
    """The likeliest beginnings: the target's own chance, and how often they were drawn."""
    shown = min(SHOWN_OUTCOMES, len(result.outcomes) - 1)
    draws = result.counts[way].sum()
    parts = [(text("series.exact"), result.expected[:shown], "expected")]
    for name in dict.fromkeys(("plain", way)):
        shares = result.counts[name][:shown] / draws
        parts.append((text(f"way.{name}"), shares, ROLES[name]))
    alt = text("alt.outcomes", distance=f"{result.distance(way):.3f}")
    return grouped(
        parts, result.outcomes[:shown], text, alt=alt, value_title=text("axis.probability")
    )


def verdicts(result: Exactness, text: Words) -> pd.DataFrame:
    """Each way's distance from the target, and whether the test lets it pass."""
    return pd.DataFrame(
        {
            text("column.way"): [text(f"way.{way}") for way in WAYS],
            text("column.distance"): [f"{result.distance(way):.3f}" for way in WAYS],
            text("column.p_value"): [_p_value(result.p_value(way)) for way in WAYS],
            text("column.verdict"): [
                text("verdict.passes" if result.p_value(way) > 0.01 else "verdict.fails")
                for way in WAYS
            ],
        }
    )


def _p_value(p: float) -> str:
    return f"{p:.2g}" if p > 1e-100 else "< 1e-100"


def distances(study: ExactnessStudy, text: Words) -> Figure:
    """Total variation of every way, one dot per seed; plain sampling is the noise."""
    traces = [
        go.Scatter(
            x=study.distances[way], y=[text(f"way.{way}")] * len(study.seeds), mode="markers",
            marker={"size": 11, "color": theme.MEANING[ROLES[way]]}, opacity=0.8,
            hovertemplate="%{x:.4f}<extra></extra>",
        )
        for way in WAYS
    ]  # fmt: skip
    figure = plotly_figure(*traces, x_title=text("axis.distance"), showlegend=False)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(rangemode="tozero")
    table = pd.DataFrame(
        [
            {
                text("column.way"): text(f"way.{way}"), text("column.seed"): seed,
                text("column.distance"): round(float(far), 4), text("column.p_value"): _p_value(p),
            }
            for way in WAYS
            for seed, far, p in zip(
                study.seeds, study.distances[way], study.p_values[way], strict=True
            )
        ]
    )  # fmt: skip
    return Figure("plotly", figure, text("alt.distances"), table, 90 + 42 * len(WAYS))
