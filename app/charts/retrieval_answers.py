"""Pictures of answers: how often they are right with which passages, and with how long a prompt.

Axes: Q questions, N lengths, P depths.
"""

import numpy as np
import pandas as pd

from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.retrieval.answering import Answer
from labcore.retrieval.answering_study import GIVEN, AnsweringStudy, by_kind
from labcore.retrieval.library import KINDS
from labcore.retrieval.long_study import LongStudy

KIND_ROLES = {"words": "changed", "meaning": "guess"}
LINE_ROLES = ("uniform", "changed", "divergence")


def accuracy(study: AnsweringStudy, text: Words) -> Figure:
    """Share of right answers by what the model was given."""
    values = {what: by_kind(study, what) for what in GIVEN}
    parts = [
        (text(f"kind.{kind}"), [float(values[what][n]) for what in GIVEN], KIND_ROLES[kind])
        for n, kind in enumerate(KINDS)
    ]
    said = ", ".join(f"{text(f'given.{what}')} {study.right[what].mean():.0%}" for what in GIVEN)
    return grouped(
        parts, [text(f"given.{what}") for what in GIVEN], text, value_title=text("axis.right"),
        alt=text("alt.accuracy", values=said),
    )  # fmt: skip


def costs(study: AnsweringStudy, text: Words) -> pd.DataFrame:
    """What each way costs, and whether the answer was among the passages at all."""
    return pd.DataFrame(
        {
            text("column.given"): [text(f"given.{what}") for what in GIVEN],
            text("column.had"): [
                f"{study.found[what].mean():.0%}" if what in study.found
                else {"right": "100%"}.get(what, "0%") for what in GIVEN
            ],
            text("column.right"): [f"{study.right[what].mean():.0%}" for what in GIVEN],
            text("column.tokens"): [round(study.tokens[what]) for what in GIVEN],
            text("column.seconds"): [f"{study.seconds[what]:.1f}" for what in GIVEN],
        }
    )  # fmt: skip


def examples(study: AnsweringStudy, text: Words) -> pd.DataFrame:
    """Some answers as they were written."""
    rows = [
        (question, text(f"given.{what}"), answer, wanted)
        for question, what, answer, wanted in study.examples
    ]
    names = ("column.question", "column.given", "column.answer", "column.wanted")
    return pd.DataFrame(rows, columns=[text(name) for name in names])


def borne(answer: Answer, text: Words) -> pd.DataFrame:
    """Each word of the answer, and the passages that have it."""
    return pd.DataFrame(
        {
            text("column.word"): [one.word for one in answer.borne],
            text("column.stands"): [
                ", ".join(f"[{n}]" for n in one.passages) or text("nowhere") for one in answer.borne
            ],
        }
    )


def depth(study: LongStudy, text: Words) -> Figure:
    """Share right over the depth at which the answer stands, for each length of the prompt."""
    mean = study.right.mean(axis=2)  # (N, P)
    series = [
        Series(
            text("series.documents", count=int(count), tokens=f"{study.tokens[n]:.0f}"),
            study.depths, mean[n], LINE_ROLES[n], points=True,
        )
        for n, count in enumerate(study.counts)
    ]  # fmt: skip
    found = float(study.found_right.mean())
    said = "; ".join(f"{one.name}: " + ", ".join(f"{y:.0%}" for y in one.y) for one in series)
    return curve(
        series, x_title=text("axis.depth"), y_title=text("axis.right"), y_range=(0, 1),
        floor=(found, text("floor.found", tokens=f"{study.found_tokens:.0f}")), height=360,
        alt=text("alt.depth", values=said, found=f"{found:.0%}"),
    )  # fmt: skip


def lengths(study: LongStudy, text: Words) -> pd.DataFrame:
    """Tokens read, seconds and right answers, of all lengths and of the search."""
    names = [text("series.whole_documents", count=int(count)) for count in study.counts]
    right = [*study.right.mean(axis=(1, 2)), study.found_right.mean()]
    return pd.DataFrame(
        {
            text("column.given"): [*names, text("series.found")],
            text("column.tokens"): np.rint([*study.tokens, study.found_tokens]).astype(int),
            text("column.seconds"): [
                f"{value:.1f}" for value in (*study.seconds, study.found_seconds)
            ],
            text("column.right"): [f"{value:.0%}" for value in right],
        }
    )


def compared(long: Answer, found: Answer, text: Words) -> pd.DataFrame:
    """One question, both ways."""
    pair = (long, found)
    return pd.DataFrame(
        {
            text("column.given"): [
                text("series.whole_documents", count=len(long.passages)), text("series.found"),
            ],
            text("column.answer"): [one.text for one in pair],
            text("column.judged"): ["✓" if one.right else "✗" for one in pair],
            text("column.tokens"): [one.prompt_tokens for one in pair],
            text("column.seconds"): [f"{one.seconds:.1f}" for one in pair],
        }
    )  # fmt: skip
