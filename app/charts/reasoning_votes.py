"""Pictures of many chains: their votes, their steps, and what choosing among them brings.

Axes: M chains, W steps, K numbers of chains, S seeds, Q questions.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.masked import cell, words_table
from app.figures import Figure
from app.i18n import Words
from labcore.frontier.voting import majority_of_two
from labcore.reasoning.chains import SYMBOLS
from labcore.reasoning.cost_study import CHAIN_TOKENS, CurvesStudy, StepStudy, tokens
from labcore.reasoning.vote import Votes
from labcore.reasoning.vote_curves import Curves

ROLES = {
    "majority": "changed", "own": "guess", "outcome": "dropped", "process": "kept",
    "weighted": "divergence", "steps": "divergence",
}  # fmt: skip
DRAWN_WAYS = ("majority", "own", "outcome", "process")
SHOWN_CHAINS = 10
RIGHT_TONE, WRONG_TONE = theme.MEANING["kept"], theme.MEANING["dropped"]


def votes(result: Votes, text: Words) -> Figure:
    """How many chains end in each digit, and how many of them have no wrong step."""
    whole = result.valid.all(axis=1)
    sound = np.bincount(result.answers[whole], minlength=10)
    counts = result.counts
    bars = [f"{digit} ✓" if digit == result.truth else str(digit) for digit in range(10)]
    if unread := len(result.answers) - counts.sum():
        sound, counts = np.append(sound, 0), np.append(counts, unread)
        bars.append(text("bar.no_digit"))
    return stacked(
        [
            (text("series.sound"), sound, "kept"),
            (text("series.faulty"), counts - sound, "dropped"),
        ],
        bars, text, value_title=text("axis.chains"), height=360,
        alt=text(
            "alt.votes", truth=result.truth, right=int(result.counts[result.truth]),
            chains=len(result.written), most=int(result.counts.argmax()),
        ),
    )  # fmt: skip


def chains(result: Votes, text: Words) -> Figure:
    """The first chains, step by step; the shade is the process verifier's doubt."""
    columns = [str(digit) for digit in result.question] + [text("column.answer")]
    columns = [
        f"+{label}" if place < len(columns) - 1 else label for place, label in enumerate(columns)
    ]
    shown = range(min(SHOWN_CHAINS, len(result.written)))
    cells = [[_step(result, row, place, text) for place in range(len(columns))] for row in shown]
    return words_table(
        [_row_name(result, row, text) for row in shown], columns, cells,
        text("alt.chains", chains=len(shown)), text("hint.chains"),
        [(text("fate.valid"), RIGHT_TONE), (text("fate.invalid"), WRONG_TONE)],
    )  # fmt: skip


def _row_name(result: Votes, row: int, text: Words) -> str:
    right = result.answers[row] == result.truth
    return f"{row + 1} {'✓' if right else '✗'}"


def _step(result: Votes, row: int, place: int, text: Words) -> dict:
    valid = bool(result.valid[row, place])
    note = text(
        "note.step", fate=text("fate.valid" if valid else "fate.invalid"),
        process=f"{result.believed['process'][row, place]:.0%}",
        outcome=f"{result.believed['outcome'][row, place]:.0%}",
    )  # fmt: skip
    return cell(
        SYMBOLS[result.written[row, place]], 0.25 if valid else 0.75,
        RIGHT_TONE if valid else WRONG_TONE, note,
    )  # fmt: skip


def choices(result: Votes, text: Words) -> pd.DataFrame:
    """What each way of choosing takes from these chains."""
    rows = []
    for way, answer in result.chosen.items():
        rows.append(
            {
                text("column.way"): text(f"way.{way}"), text("column.answer"): SYMBOLS[answer],
                text("column.right"): "✓" if answer == result.truth else "✗",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def curves(study: CurvesStudy, text: Words) -> Figure:
    """Accuracy over the number of chains: mean of the seeds, the band from lowest to highest."""
    series = [
        _banded(text(f"way.{way}"), study.counts, study.accuracy[way], ROLES[way])
        for way in DRAWN_WAYS
    ]
    passed = _banded(text("series.passed"), study.counts, study.passed, "uniform")
    return _curves([*series, passed], float(study.greedy.mean()), text)


def curves_now(result: Curves, text: Words) -> Figure:
    """The same of one run."""
    series = [
        Series(text(f"way.{way}"), result.counts, result.accuracy[way], ROLES[way], points=True)
        for way in DRAWN_WAYS
    ]
    passed = Series(text("series.passed"), result.counts, result.passed, "uniform", points=True)
    return _curves([*series, passed], result.greedy, text)


def _curves(series: Sequence[Series], greedy: float, text: Words) -> Figure:
    last = {
        one: f"{line.y[-1]:.0%}" for one, line in zip((*DRAWN_WAYS, "passed"), series, strict=True)
    }
    return curve(
        series, x_title=text("axis.count"), y_title=text("axis.accuracy"), y_range=(0, 1),
        floor=(greedy, text("floor.greedy")), log_x=True,
        x_range=(1, float(max(series[0].x[-1], 2))), height=380, alt=text("alt.curves", **last),
    )  # fmt: skip


def _banded(
    name: str, x: np.ndarray, values: np.ndarray, role: str, dashed: bool = False
) -> Series:
    """(S, K)"""
    spread = (values.min(axis=0), values.max(axis=0))
    return Series(name, x, values.mean(axis=0), role, dashed, points=True, spread=spread)


def questions(right: np.ndarray, wrong: np.ndarray, text: Words) -> Figure:
    """One dot per question: votes for the right answer against votes for the commonest wrong one."""
    lost = wrong > right
    traces = [
        go.Scatter(
            x=right[chosen], y=wrong[chosen], mode="markers", name=text(name), opacity=0.6,
            marker={"size": 8, "color": colour},
            hovertemplate="%{x:.0%} · %{y:.0%}<extra></extra>",
        )
        for name, chosen, colour in (
            ("series.mode_right", ~lost, RIGHT_TONE), ("series.mode_wrong", lost, WRONG_TONE),
        )
    ]  # fmt: skip
    traces.append(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            showlegend=False,
            hoverinfo="skip",
            line={"color": theme.MEANING["neutral"], "dash": "dash", "width": 1},
        )
    )
    spec = plotly_figure(
        *traces, x_title=text("axis.right_share"), y_title=text("axis.wrong_share")
    )
    spec.update_xaxes(range=[-0.02, 1.02], tickformat=".0%")
    spec.update_yaxes(range=[-0.02, 1.02], tickformat=".0%")
    table = pd.DataFrame({text("axis.right_share"): right, text("axis.wrong_share"): wrong})
    alt = text("alt.questions", lost=int(lost.sum()), questions=len(lost))
    return Figure("plotly", spec, alt, table, 380)


def condorcet(right: float, text: Words) -> Figure:
    """A majority between two answers, over the number of votes; analytic."""
    counts = np.arange(1, 102, 2)
    chances = [majority_of_two(right, int(count)) for count in counts]
    return curve(
        [Series(text("way.majority"), counts, chances, "formula")],
        x_title=text("axis.count"), y_title=text("axis.right_chance"), y_range=(0, 1),
        floor=(0.5, text("floor.coin")), height=260,
        alt=text("alt.condorcet", one=f"{right:.0%}", many=f"{chances[-1]:.1%}"),
    )  # fmt: skip


def cost(
    study: CurvesStudy, steps: StepStudy, writer: str, own: tuple[int, float], text: Words
) -> Figure:
    """All ways over the tokens that they spend on one question; `own` is a search made just now."""
    series = [
        _banded(text(f"way.{way}"), tokens(way, study.counts), study.accuracy[way], ROLES[way])
        for way in DRAWN_WAYS
    ]
    found = steps.accuracy[writer]
    series.append(_banded(text("way.steps"), steps.tokens, found, ROLES["steps"]))
    greedy = study.greedy[:, None]
    series.append(_banded(text("way.greedy"), np.array([CHAIN_TOKENS]), greedy, "baseline"))
    series.append(Series(text("series.own"), [own[0]], [own[1]], "uniform", points=True))
    return curve(
        series, x_title=text("axis.tokens"), y_title=text("axis.accuracy"), y_range=(0, 1),
        floor=(0.1, text("floor.guess")), log_x=True,
        x_range=(10, 2000), height=400,
        alt=text(
            "alt.cost", majority=f"{study.accuracy['majority'].mean(axis=0)[-1]:.0%}",
            process=f"{study.accuracy['process'].mean(axis=0)[-1]:.0%}",
            steps=f"{found.mean(axis=0)[-1]:.0%}",
        ),
    )  # fmt: skip
