"""Questions and exercises: asked, judged, explained, in whatever language the learner reads."""

import pytest
from streamlit.testing.v1 import AppTest

from app import catalog
from app.catalog import LABS
from app.i18n import Words
from app.practice import asked_in
from tests.app.conftest import checked, press, said

SECTION = """### One and one is two.
<!-- true -->
By *definition*.

### A byte has nine bits.
<!-- false -->
It has eight.
"""


def test_headings_ask_and_comments_answer():
    assert [(q.text, q.kind, q.answer) for q in asked_in(SECTION)] == [
        ("One and one is two.", "true", "By *definition*."),
        ("A byte has nine bits.", "false", "It has eight."),
    ]


def test_a_question_without_its_answer_is_an_error_of_ours():
    with pytest.raises(ValueError, match="expected 3"):
        asked_in("### Why?\nBecause.")


def ask() -> AppTest:
    def page(section):
        from app import practice
        from app.i18n import Words

        practice.questions("lab", section, Words("en"))

    return AppTest.from_function(page, args=(SECTION,)).run()


def test_the_explanation_waits_for_the_verdict():
    page = checked(ask())
    assert "By *definition*." not in said(page)
    page = checked(press(page, "lab.question.1.true"))
    assert f"**{Words('en')('question.right')}** By *definition*." in said(page)
    assert "It has eight." not in said(page)


def test_a_wrong_verdict_is_told_and_explained():
    page = checked(press(ask(), "lab.question.2.true"))
    assert f"**{Words('en')('question.wrong')}** It has eight." in said(page)


def test_labs_follow_one_another_and_need_only_earlier_ones():
    order = list(LABS)
    assert catalog.after(LABS[order[0]]) is LABS[order[1]]
    assert catalog.after(LABS[order[-1]]) is None
    for lab, needed in catalog.NEEDS.items():
        assert all(order.index(id) < order.index(lab) for id in needed)
