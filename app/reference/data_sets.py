"""Data sets: what each is, a sample as it really reads, how to load it, and where the labs use it.

What lies on this machine is shown at once. What lies on a hub is fetched when somebody asks for it; where
no hub answers the page says so, and shows nothing in its place.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import streamlit as st

from app import catalog
from app.catalog import ROOT
from app.errors import say_error
from app.i18n import Words
from app.reference import links
from labcore.errors import LabInputError
from labcore.retrieval import library
from labcore.text import corpora, evaluation_sets, hub_rows, world
from labcore.tuning import instructions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = ROOT / "assets" / "reference" / "datasets.toml"
SHOWN_ROWS = 8
SHOWN_CHARACTERS = 900  # of one text; the beginning is enough to see what it is


@dataclass(frozen=True, slots=True)
class DataSet:
    id: str
    licence: str
    source: str
    labs: tuple[str, ...]
    load: str  # code that reads it
    hub: tuple[str, ...] = ()  # name, and configuration if there are several


@cache
def data_sets() -> dict[str, DataSet]:
    found = {}
    for facts in tomllib.loads(FILE.read_text(encoding="utf-8"))["set"]:
        one = DataSet(**{k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()})
        unknown = [lab for lab in one.labs if lab not in catalog.LABS]
        if unknown or not one.labs or one.id in found:
            raise ValueError(f"{one.id}: labs {unknown or 'missing'}, or twice")
        found[one.id] = one
    return found


def show(words: Words) -> None:
    from app.reference.page import linked_choice  # the page's own sections import this module

    one = data_sets()[linked_choice("set", tuple(data_sets()), words)]
    st.subheader(words(f"set.{one.id}"), anchor=False)
    st.markdown(words(f"set.{one.id}.about"))
    facts = ("size", "licence", "source")
    told = {"size": words(f"set.{one.id}.size"), "licence": one.licence, "source": one.source}
    st.markdown("\n".join(f"- **{words(f'data.{key}')}** {told[key]}" for key in facts))
    st.markdown(f"**{words('data.sample')}**")
    if one.id in LOCAL:
        LOCAL[one.id](words)
    if one.hub:
        _from_hub(one, words)
    st.markdown(f"**{words('data.load')}**")
    st.code(one.load.strip(), language="python", wrap_lines=True)
    st.markdown(f"**{words('data.used')}**")
    st.markdown(words(f"set.{one.id}.used"))
    links.buttons(one.labs, words, f"set-{one.id}-labs")


def _from_hub(one: DataSet, words: Words) -> None:
    slot = f"reference.hub.{one.id}"
    st.caption(words("data.hub.about", name=one.hub[0]))
    if st.button(words("data.hub.fetch"), icon=":material/cloud_download:", key=f"{slot}.fetch"):
        with st.spinner(words("data.hub.asking")):
            try:
                st.session_state[slot] = hub_rows.first_rows(*one.hub, count=SHOWN_ROWS)
            except LabInputError as error:
                st.session_state.pop(slot, None)
                say_error(words, error)
    if rows := st.session_state.get(slot):
        table(rows)


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as they are, each cell as text; a table draws no markup."""
    st.dataframe([{name: str(cell) for name, cell in row.items()} for row in rows], hide_index=True)


# What lies on this machine.


def _humaneval(words: Words) -> None:
    items = evaluation_sets.humaneval()
    number = st.number_input(words("data.number"), 1, len(items), 1, key="reference.humaneval")
    item = items[number - 1]
    st.caption(f"`{item.name}`")
    st.code(item.question, language="python", wrap_lines=True)
    with st.expander(words("data.solution"), key="humaneval-solution"):
        st.code(item.answer, language="python", wrap_lines=True)


def _alpaca(words: Words) -> None:
    st.caption(words("data.alpaca.own", count=len(instructions.load(words.language))))
    table([as_row(one) for one in instructions.load(words.language)[:SHOWN_ROWS]])
    file = st.file_uploader(
        words("data.alpaca.file"), type=["json", "jsonl"], key="reference.alpaca.file"
    )
    if file is None:
        return
    try:
        rows = instructions.read(file.getvalue())
    except LabInputError as error:
        say_error(words, error)
        return
    st.success(words("data.alpaca.read", count=len(rows)), icon=":material/check_circle:")
    table([as_row(one) for one in rows[:SHOWN_ROWS]])


def as_row(one: instructions.Instruction) -> dict[str, str]:
    """An instruction in Alpaca's columns."""
    return {"instruction": one.instruction, "input": one.input, "output": one.output}


def _micro_world(words: Words) -> None:
    seed = st.number_input(words("data.seed"), 0, 9999, 0, key="reference.world")
    told = [one for one in world.stories(12, seed) if one.language == words.language]
    for story in told[:3]:
        st.text(story.text)


def _natural(words: Words) -> None:
    texts = corpora.python_topics() if words.language == "en" else corpora.chinese_reviews()
    number = st.number_input(words("data.number"), 1, len(texts), 1, key="reference.natural")
    st.text(texts[number - 1][:SHOWN_CHARACTERS])


def _library(words: Words) -> None:
    told = library.bundled(words.language)
    number = st.number_input(
        words("data.number"), 1, len(told.documents), 1, key="reference.library"
    )
    document = told.documents[number - 1]
    st.caption(document.title)
    st.text(document.text)
    asked = [one for one in told.questions if one.document == number - 1]
    table([{words("data.question"): one.text, words("data.answer"): one.answer} for one in asked])


LOCAL: dict[str, Callable[[Words], None]] = {
    "humaneval": _humaneval,
    "alpaca": _alpaca,
    "world": _micro_world,
    "natural": _natural,
    "library": _library,
}
