"""The quiz on the page: right and wrong verdicts, the score, the next round, and what is remembered."""

import pytest

from app import catalog, practice
from app.course import quiz
from tests.app.conftest import checked, press, said

LABS = [lab.id for lab in catalog.chapter("transformer").labs]


def judged(app, wrong=()):
    """The quiz with every statement of its round judged rightly, but for these labs."""
    round = app.session_state["quiz.transformer.round"]
    for item in quiz.items(LABS, round):
        kind = practice.statements(catalog.LABS[item.lab], "en")[item.number - 1].kind
        verdict = kind if item.lab not in wrong else {"true": "false", "false": "true"}[kind]
        app = press(app, f"quiz.transformer.{round}.{item.lab}.{item.number}.{verdict}")
    return app


@pytest.fixture
def open_quiz(open_lab):
    return lambda language="en": checked(open_lab(LABS[0], language, lab="quiz"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_right(open_quiz, language):
    app = checked(judged(open_quiz(language)))
    assert len(app.success) == len(LABS) + 1  # every explanation and the score
    assert app.session_state["progress"]["quiz/transformer"] == 1


def test_two_wrong_are_explained_and_counted(open_quiz):
    """Nine statements, two judged wrongly: 7 of 9."""
    app = judged(open_quiz(), wrong=("attention", "depth"))
    assert len(app.info) == 2
    assert app.session_state["progress"]["quiz/transformer"] == pytest.approx(7 / 9)
    assert app.session_state["progress"]["attention/question/1"] == 0
    assert "7" in said(app)


def test_a_worse_second_try_does_not_take_the_best_away(open_quiz):
    app = judged(open_quiz(), wrong=("attention",))
    app = press(app, "quiz.transformer.again")
    app = judged(app, wrong=LABS)
    assert app.session_state["progress"]["quiz/transformer"] == pytest.approx(8 / 9)


def test_the_next_round_asks_something_else(open_quiz):
    app = press(judged(open_quiz()), "quiz.transformer.next")
    assert app.session_state["quiz.transformer.round"] == 1
    assert not app.success
    assert checked(judged(app)).session_state["progress"]["attention/question/2"] == 1


def test_opening_a_lab_and_judging_its_statements_are_remembered(open_lab):
    app = open_lab("by_hand", facet="practice")
    assert app.session_state["progress"]["by_hand/opened"] == 1
    kind = practice.statements(catalog.LABS["by_hand"], "en")[0].kind
    app = press(app, f"by_hand.question.1.{kind}")
    assert app.session_state["progress"]["by_hand/question/1"] == 1
