"""The monkey itself: it finds what is broken, and a short stroll over some pages finds nothing."""

import logging

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import catalog
from benchmarks import monkey

STROLL = (
    "home",
    "reference",
    "classroom",
    "by_hand",
    "matrices",
    "planner",
    "decoding",
    "alignment-quiz",
)
STEPS_EACH = 8


@pytest.fixture
def settled(monkeypatch, tmp_path):
    """The monkey's environment, given back afterwards."""
    for name in ("JOBS", "INLINE_SECONDS", "CACHE", "DATABASE"):
        monkeypatch.setenv(f"LLM_LAB_{name}", "")
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    monkey.settle(str(tmp_path), run_seconds=0.2)
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


def test_every_lab_and_every_page_is_a_place_to_go():
    places = {place.name for place in monkey.places()}
    assert set(catalog.LABS) < places
    pages = {place.page for place in monkey.places()}
    assert pages == {path.stem for path in (catalog.ROOT / "pages").glob("*.py")}


def test_a_stroll_breaks_nothing(settled):
    where = [place for place in monkey.places() if place.name in STROLL]
    said = []
    tallies = monkey.roam(
        where, len(where) * STEPS_EACH, seed=5, visit_steps=STEPS_EACH, say=said.append
    )
    assert not said, "\n".join(said)
    assert sum(tally.steps for tally in tallies.values()) == len(STROLL) * STEPS_EACH
    assert sum(len(tally.touched) for tally in tallies.values()) > 2 * len(STROLL)


def breaks_when_turned():
    import streamlit as st

    from app.errors import guarded
    from app.i18n import Words

    with guarded(Words("en")):
        if st.slider("steps", 0, 3, 0, key="steps"):
            raise ZeroDivisionError("turned too far")


def shows_what_was_typed():
    import streamlit as st

    st.markdown(st.text_input("text", key="text"), unsafe_allow_html=True)


@pytest.mark.parametrize(
    ("script", "told"),
    [(breaks_when_turned, "turned too far"), (shows_what_was_typed, "text rendered")],
)
def test_the_monkey_finds_what_is_broken(script, told, monkeypatch):
    def opened(self):
        self.app = AppTest.from_function(script).run()
        return "opened"

    monkeypatch.setattr(monkey.Visit, "_open", opened)
    for act in ("_link", "_press", "_language", "_look"):  # the toy page has none of it
        monkeypatch.setattr(monkey.Visit, act, monkey.Visit._turn)
    said = []
    tallies = monkey.roam([monkey.Place("toy", "toy")], 40, seed=1, visit_steps=40, say=said.append)
    assert len(tallies["toy"].failures) == len(said) >= 1  # a visit ends where its page breaks
    assert told in said[0]
    assert "--seed 1 --pages toy --visit 0 --steps" in said[0]
    assert logging.getLogger("app").handlers == []


def test_the_table_counts_pages_steps_and_failures():
    rows = monkey.table({"home": monkey.Tally(5, 1, {"a", "b"}, ["x"], (1.25, "a|b"))}).splitlines()
    assert rows[2].startswith("| home | 5 | 1 | 2 | 1 | 1.2 s")
    assert rows[-1].startswith("| all 1 | 5 | 1 | 2 | 1 |")
