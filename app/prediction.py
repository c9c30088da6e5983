"""Predict, then run: a guess is locked before the result shows, and scored by the result.

A guess is a choice among options or a value on an axis. It is kept in the session, apart from
the widgets, so that it survives a change of language, lab or page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.course import progress
from app.i18n import Words


@dataclass(frozen=True, slots=True)
class Guess:
    id: str
    value: str | float
    unit: str = ""


def ask(
    lab: str, id: str, words: Words, *, options: Sequence[str] | None = None,
    low: float = 0.0, high: float = 1.0, step: float = 0.01, unit: str = "",
) -> Guess | None:  # fmt: skip
    """Draw the question `predict.<id>` and give back the locked guess, or None before it is locked."""
    slot = f"{lab}.predict.{id}"
    locked = st.session_state.get(slot)
    with st.container(border=True, key=f"{lab}-predict-{id}"):
        st.markdown(f"**:material/psychology: {words('predict.title')}** {words(f'predict.{id}')}")
        if locked is not None:
            st.markdown(words("predict.locked", guess=_shown(words, id, locked)))
            st.button(
                words("predict.again"), key=f"{slot}.again", type="tertiary",
                on_click=st.session_state.pop, args=(slot,),
            )  # fmt: skip
            return locked
        value = _widget(slot, id, words, options, low, high, step, unit)
        st.button(
            words("predict.lock"),
            key=f"{slot}.lock",
            icon=":material/lock:",
            disabled=value is None,
            on_click=st.session_state.__setitem__,
            args=(slot, Guess(id, value, unit)),
        )
    return None


def _widget(slot, id, words, options, low, high, step, unit):
    key = f"{slot}.widget@{words.language}"
    label = words(f"predict.{id}")
    if options:
        return st.radio(
            label, list(options), index=None, key=key, label_visibility="collapsed",
            format_func=lambda option: words(f"predict.{id}.{option}"),
        )  # fmt: skip
    return st.slider(
        f"{label} ({unit})" if unit else label, float(low), float(high),
        (float(low) + float(high)) / 2, float(step), key=key, label_visibility="collapsed",
    )  # fmt: skip


def score(words: Words, guess: Guess | None, truth: str | float, tolerance: float = 0.1) -> None:
    """Say how the guess fared against `truth` and why.

    A value counts as close within `tolerance` of the truth (a share of it). The explanation is
    `predict.<id>.why`; without a guess nothing is said, so that a late one still has something to find.
    """
    if guess is None:
        return
    if isinstance(guess.value, str):
        right = guess.value == truth
    else:
        right = abs(guess.value - truth) <= tolerance * max(abs(truth), 1e-12)
    progress.note(f"{words.lab}/prediction/{guess.id}", right)
    verdict = words(
        "predict.right" if right else "predict.wrong",
        guess=_shown(words, guess.id, guess),
        truth=_shown(words, guess.id, Guess(guess.id, truth, guess.unit)),
    )
    show = st.success if right else st.info
    show(
        f"{verdict} {words(f'predict.{guess.id}.why')}",
        icon=":material/check_circle:" if right else ":material/lightbulb:",
    )


def _shown(words: Words, id: str, guess: Guess) -> str:
    if isinstance(guess.value, str):
        return words(f"predict.{id}.{guess.value}")
    return f"{guess.value:.3g} {guess.unit}".strip()
