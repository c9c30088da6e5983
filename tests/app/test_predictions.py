"""Predict, then run: every lab asks at least three times, and every answer is judged right and wrong.

Where each question is asked stands in a table per chapter, `tests/app/predictions/<chapter>.py`.
"""

from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import get_args, get_type_hints

import pytest
import streamlit as st

from app import catalog, i18n, prediction
from app.i18n import Words
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from tests.app.conftest import checked, open_page, press
from tests.app.predictions.asked import Asked

LEAST = 3
TABLES = {
    chapter.id: import_module(f"tests.app.predictions.{chapter.id}")
    for chapter in catalog.CHAPTERS
    if find_spec(f"tests.app.predictions.{chapter.id}")
}
ASKED = [row for table in TABLES.values() for row in table.ASKED]


def questions(lab: str) -> set[str]:
    """The ids of a lab's `predict.<id>`."""
    keys = [key.split(".") for key in i18n.strings("en", lab)]
    return {key[1] for key in keys if key[0] == "predict" and len(key) == 2}


@pytest.mark.parametrize("lab", list(catalog.LABS))
def test_every_lab_asks_for_three_predictions_and_every_one_is_tried_here(lab):
    chapter = catalog.LABS[lab].chapter
    assert chapter in TABLES, (
        f"Make tests/app/predictions/{chapter}.py like the others, with a row ASKED for each prediction."
    )
    table = TABLES[chapter]
    asked, rows = questions(lab), {row.id for row in table.ASKED if row.lab == lab}
    assert asked == rows, (
        f"Add a row Asked({lab!r}, <id>, <knobs>) to tests/app/predictions/{chapter}.py for each of "
        f"{sorted(asked - rows)}, and take out {sorted(rows - asked)}."
    )
    assert len(asked) >= LEAST, (
        f"{lab} asks for {len(asked)} predictions, and every lab asks for {LEAST}: page.predict(<id>, …) "
        f"before the picture gives it away, page.reveal(guess, truth) after, the words predict.<id>, "
        f"predict.<id>.<option> and predict.<id>.why in both languages."
    )


@pytest.fixture(scope="module", autouse=True)
def run_on_the_spot():
    """Background runs happen in this process, and what one test loaded serves the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM_LAB_JOBS", "inline")
        yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def told(monkeypatch):
    """What the page asked, and where it keeps the guess (`told.question`), and what came out
    (`told.truth`, `told.tolerance`), by id."""
    told = SimpleNamespace(question={}, truth={}, tolerance={})

    def ask(lab, id, words, **question):
        told.question[id] = (f"{lab}.predict.{id}", question)
        return kept_ask(lab, id, words, **question)

    def score(words, guess, truth, tolerance=0.1):
        if guess is not None:
            told.truth[guess.id], told.tolerance[guess.id] = truth, tolerance
        return kept_score(words, guess, truth, tolerance)

    kept_ask, kept_score = prediction.ask, prediction.score
    monkeypatch.setattr(prediction, "ask", ask)
    monkeypatch.setattr(prediction, "score", score)
    return told


def come_out_as(monkeypatch, outcome) -> None:
    """Background runs come out as the recording of this name did, or as `outcome(page)` says."""

    def job(page, run, config, draw):
        if isinstance(outcome, str):
            kind = get_args(get_type_hints(run)["return"])[-1]
            result = page.recording(outcome, kind).result
        else:
            result = outcome(page)
        events = (None,)  # there were some; with a result on the table nobody looks at them again
        draw(JobView("finished", None, events, 1.0, result, None, 1.0, 1))

    monkeypatch.setattr(LabPage, "job", job)


@pytest.mark.parametrize("row", ASKED, ids=str)
def test_a_right_guess_and_a_wrong_one_are_told_apart(monkeypatch, told, row: Asked):
    row.prepare(monkeypatch)
    if row.came_out:
        come_out_as(monkeypatch, row.came_out)
    app = checked(open_page(row.lab, **row.knobs))
    if row.press:
        app = checked(press(app, row.press))
    words, why = Words("en", row.lab), f"predict.{row.id}.why"
    boxes = [*app.success, *app.info]
    assert not any(words(why) in box.value for box in boxes), "the answer is told before a guess"

    # Locked as a learner does it, to hear the truth.
    slot, question = told.question[row.id]
    if options := question.get("options"):
        app = app.radio(key=f"{slot}.widget@en").set_value(options[0]).run()
    app = checked(press(app, f"{slot}.lock"))
    assert row.id in told.truth, "nothing was revealed: see the row's knobs"
    truth, tolerance = told.truth[row.id], told.tolerance[row.id]
    if options:
        right, wrong = truth, next(option for option in options if option != truth)
        assert truth in options
    else:
        low, high = question.get("low", 0.0), question.get("high", 1.0)
        right, wrong = truth, max(low, high, key=lambda end: abs(end - truth))
        assert low <= truth <= high, "the slider does not reach the truth"
        assert abs(wrong - truth) > tolerance * abs(truth), "no guess could be wrong"
        thoughtless = (low + high) / 2  # where the slider stands at first
        assert abs(thoughtless - truth) > tolerance * abs(truth), "the slider begins at the truth"

    unit = question.get("unit", "")
    for value, verdict in ((right, "right"), (wrong, "wrong")):
        app.session_state[slot] = Guess(row.id, value, unit)
        del app.session_state["progress"]
        app = checked(app.run())
        sentence = words(
            f"predict.{verdict}",
            guess=prediction._shown(words, row.id, Guess(row.id, value, unit)),
            truth=prediction._shown(words, row.id, Guess(row.id, truth, unit)),
        )
        boxes = app.success if verdict == "right" else app.info
        assert [box.value for box in boxes if words(why) in box.value] == [
            f"{sentence} {words(why)}"
        ]
        mark = app.session_state["progress"][f"{row.lab}/prediction/{row.id}"]
        assert mark == (verdict == "right")
