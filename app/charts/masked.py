"""Pictures of masked language modelling on one sentence: the rule at work, and blanks being filled.

T tokens, G blanks, C candidates, F fates.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from app import theme
from app.charts import bars, maps
from app.figures import Figure
from app.i18n import Words
from labcore.pretraining.masked_fill import FillResult
from labcore.pretraining.masked_rule import Rule, RuleResult
from labcore.text.masking import FATES, HIDDEN, KEPT, SHOWN, SWAPPED

TONES = {
    SHOWN: theme.MEANING["neutral"],
    HIDDEN: theme.MEANING["changed"],
    SWAPPED: theme.MEANING["dropped"],
    KEPT: theme.MEANING["kept"],
}
ASKED_TONE = theme.MEANING["guess"]
FULL, PALE = 0.85, 0.3
NOTHING = "·"
MASK = "[MASK]"  # as the literature writes it; the lab's own token is called <|mask|>


def cell(
    word: str,
    share: float = 0.0,
    tone: str | None = None,
    note: str = "",
    candidates: Sequence[tuple[str, float]] = (),
) -> dict:
    """One cell of a table of words: `tone` is its own colour, `share` how much of it."""
    told = [[name, f"{value:.3f}"] for name, value in candidates] or [[word, ""]]
    return {
        "word": word, "share": round(share, 3), "tone": tone, "answer": False,
        "candidates": told, "note": note,
    }  # fmt: skip


def numbered(labels: Sequence[str]) -> list[str]:
    return [f"{place} {label}" for place, label in enumerate(labels)]


def words_table(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[dict]], alt: str,
    hint: str, legend: Sequence[tuple[str, str]], selects: bool = False, first: int = 0,
) -> Figure:  # fmt: skip
    """Rows of words over numbered tokens; column `first` is in sight from the start."""
    spec = {
        "alt": alt, "corner": "", "rows": list(rows), "columns": list(columns),
        "cells": [list(row) for row in cells], "value_title": "", "high": "", "hint": hint,
        "legend": [list(pair) for pair in legend], "first": first,
    }  # fmt: skip

    def frame() -> pd.DataFrame:
        table = pd.DataFrame([[entry["word"] for entry in row] for row in cells], columns=columns)
        table.insert(0, " ", list(rows))
        return table

    return Figure("cells", spec, alt, frame, selects=selects)


# The rule.


def disguise(result: RuleResult, text: Words) -> Figure:
    """The sentence, what the model reads, and what it is asked."""
    names = [text(f"fate.{name}") for name in FATES]
    read = [
        cell(
            MASK if fate == HIDDEN else word,
            0.0 if fate == SHOWN else FULL,
            TONES[fate],
            names[fate],
        )
        for word, fate in zip(result.read, result.fates.tolist(), strict=True)
    ]
    asked = [
        cell(label, PALE, ASKED_TONE, text("asked.note"))
        if wanted
        else cell(NOTHING, note=text("asked.nothing"))
        for label, wanted in zip(result.labels, result.asked.tolist(), strict=True)
    ]
    true = [cell(label) for label in result.labels]
    counts = np.bincount(result.fates, minlength=len(FATES))
    return words_table(
        [text("row.true"), text("row.read"), text("row.asked")],
        numbered([""] * len(true)),
        [true, read, asked],
        text(
            "alt.disguise", tokens=len(true), hidden=counts[HIDDEN], swapped=counts[SWAPPED],
            kept=counts[KEPT],
        ),
        text("hint.disguise"),
        [
            *((names[fate], TONES[fate]) for fate in (HIDDEN, SWAPPED, KEPT)),
            (text("row.asked"), ASKED_TONE),
        ],
    )  # fmt: skip


def expected(rule: Rule) -> np.ndarray:
    """The shares that a rule names, of all tokens.  (F,)"""
    chosen = rule.rate
    hidden, swapped = chosen * rule.mask_share, chosen * rule.random_share
    return np.array([1 - chosen, hidden, swapped, chosen - hidden - swapped])


def shares(result: RuleResult, rule: Rule, text: Words) -> Figure:
    """What the rule says, and what the dice gave over many throws, in per cent of the text."""
    thrown = result.counts[result.maskable].sum(axis=0) / (result.draws * result.maskable.sum())
    order = (HIDDEN, SWAPPED, KEPT)
    return bars.grouped(
        [
            (text("series.rule"), 100 * expected(rule)[list(order)], "baseline"),
            (text("series.dice", draws=result.draws), 100 * thrown[list(order)], "changed"),
        ],
        [text(f"fate.{FATES[fate]}") for fate in order],
        text,
        value_title=text("axis.percent"),
        alt=text("alt.shares", draws=result.draws, hidden=f"{100 * thrown[HIDDEN]:.1f}"),
    )


# Blanks.


def blanks(result: FillResult, text: Words) -> Figure:
    """The sentence with its blanks; below each what the model and the exact answer put first.

    Selects {"row", "column"}: a token to hide or to show.
    """
    order = {place: number for number, place in enumerate(result.gaps)}
    true, model, exact = [], [], []
    for place, label in enumerate(result.labels):
        number = order.get(place)
        if number is None:
            true.append(cell(label, note=text("blank.shown")))
            model.append(cell(""))
            exact.append(cell(""))
            continue
        unknown = place in result.unknown
        word = text("blank") if unknown else f"[{label}]"
        note = text("blank.unknown" if unknown else "blank.hidden")
        true.append(cell(word, FULL, TONES[HIDDEN], note))
        model.append(_answer(result.candidates[number], result.model[number], TONES[HIDDEN]))
        exact.append(_answer(result.candidates[number], result.exact[number], ASKED_TONE))
    rows = [text("row.text"), text("row.model")]
    cells = [true, model]
    if np.isfinite(result.exact).any():
        rows.append(text("row.exact"))
        cells.append(exact)
    return words_table(
        rows, numbered([""] * len(true)), cells,
        text("alt.blanks", blanks=len(result.gaps), tokens=len(true)), text("hint.blanks"),
        [
            (text("legend.hidden"), TONES[HIDDEN]),
            *([(text("legend.exact"), ASKED_TONE)] if len(rows) > 2 else []),
        ],
        selects=True, first=min(result.gaps, default=0),
    )  # fmt: skip


def _answer(candidates: Sequence[str], probs: np.ndarray, tone: str) -> dict:
    if not np.isfinite(probs).all():
        return cell("?")
    order = np.argsort(-probs, kind="stable")
    told = [(candidates[at], float(probs[at])) for at in order]
    return cell(told[0][0], told[0][1], tone, candidates=told)


def candidates(result: FillResult, number: int, text: Words) -> Figure:
    """What the model and the exact answer hold possible in one blank."""
    names = result.candidates[number]
    parts = [(text("row.model"), result.model[number], "changed")]
    if np.isfinite(result.exact[number]).all():
        parts.append((text("row.exact"), result.exact[number], "guess"))
    return bars.grouped(
        parts, names, text, value_title=text("axis.probability"),
        alt=text(
            "alt.candidates", blank=number + 1, best=names[int(result.model[number].argmax())],
            prob=f"{result.model[number].max():.2f}",
        ),
    )  # fmt: skip


def surprise(result: FillResult, text: Words) -> Figure:
    """What each token costs with it alone hidden: the parts of the pseudo-log-likelihood."""
    whole = list(result.labels)
    for step in result.steps:
        if step.position in result.unknown:
            whole[step.position] = step.label
    return maps.token_row(
        whole, result.score, text, value_title=text("axis.nats"),
        bounds=(0.0, max(4.0, math.ceil(float(result.score.max())))),
        alt=text("alt.surprise", total=f"{-result.score.sum():.1f}"),
    )  # fmt: skip
