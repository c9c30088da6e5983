"""A quiz for each chapter, and a short check that finds where an experienced learner should begin.

Both ask the statements that the labs themselves ask, misconceptions above all, one from each lab. A
chapter's quiz has several rounds; each takes another statement of every lab. The explanation follows at
once, and the best score is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app import catalog, practice
from app.course import progress
from app.i18n import Words

PLACEMENT_LABS = {
    "transformer": ("dataflow", "attention", "positions"),
    "pretraining": ("masked", "monitor", "scaling"),
    "alignment": ("sft", "lora", "dpo"),
    "inference": ("quantisation", "kv_cache", "decoding"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One statement: the lab that asks it and its number there, from 1."""

    lab: str
    number: int


def items(labs: Sequence[str], round: int) -> list[Item]:
    """One statement of each lab; the next round takes the next of each, and then begins again."""
    return [Item(lab, 1 + round % practice.count(lab)) for lab in labs if practice.count(lab)]


def draw(name: str, asked: Sequence[Item], words: Words) -> dict[Item, bool] | None:
    """Put the statements on the page; returns which were judged rightly once all are judged, or None."""
    right: dict[Item, bool] = {}
    for place, item in enumerate(asked, start=1):
        question = practice.statements(catalog.LABS[item.lab], words.language)[item.number - 1]
        slot = f"quiz.{name}.{item.lab}.{item.number}"
        with st.container(border=True, key=slot.replace(".", "-")):
            st.caption(f"{place} / {len(asked)} · {words(f'lab.{item.lab}')}")
            verdict = practice.judge(slot, question, words, f"{item.lab}/question/{item.number}")
        if verdict is not None:
            right[item] = verdict
    return right if len(right) == len(asked) else None


def forget(name: str, asked: Sequence[Item]) -> None:
    """Take the verdicts back, so that the same statements can be judged again."""
    for item in asked:
        st.session_state.pop(f"quiz.{name}.{item.lab}.{item.number}", None)


@st.fragment
def chapter_quiz(chapter: str, words: Words) -> None:
    """The quiz of a chapter: instant feedback, a score at the end, and another round."""
    labs = [lab.id for lab in catalog.chapter(chapter).labs]
    rounds = max(practice.count(lab) for lab in labs)
    round = st.session_state.setdefault(f"quiz.{chapter}.round", 0) % rounds
    st.markdown(words("quiz.about", count=len(items(labs, round)), rounds=rounds))
    best = progress.marks().get(f"quiz/{chapter}")
    if best is not None:
        st.caption(words("quiz.best", percent=f"{100 * best:.0f}"))
    asked = items(labs, round)
    right = draw(f"{chapter}.{round}", asked, words)
    if right is not None:
        share = sum(right.values()) / len(right)
        progress.note(f"quiz/{chapter}", share)
        st.success(
            words("quiz.score", right=sum(right.values()), count=len(right)),
            icon=":material/flag:",
        )
        with st.container(horizontal=True):
            st.button(
                words("quiz.next"), key=f"quiz.{chapter}.next", icon=":material/arrow_forward:",
                on_click=_another_round, args=(chapter, round),
            )  # fmt: skip
            st.button(
                words("quiz.again"), key=f"quiz.{chapter}.again", icon=":material/replay:",
                type="tertiary", on_click=forget, args=(f"{chapter}.{round}", asked),
            )  # fmt: skip
    progress.keep(f"keeper.quiz.{chapter}")


def _another_round(chapter: str, round: int) -> None:
    st.session_state[f"quiz.{chapter}.round"] = round + 1


def placement(words: Words) -> tuple[str, ...] | None:
    """The check for the experienced: the chapters with a wrong verdict, or None before the end."""
    labs = [lab for group in PLACEMENT_LABS.values() for lab in group]
    asked = [Item(lab, 1) for lab in labs]
    right = draw("placement", asked, words)
    if right is None:
        return None
    missed = {catalog.LABS[item.lab].chapter for item, ok in right.items() if not ok}
    return tuple(chapter.id for chapter in catalog.CHAPTERS if chapter.id in missed)
