"""The zoo's page in both languages: tests are run, names are right or wrong, what is found is kept."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.bug_zoo import readings
from app.catalog import LABS, ROOT
from app.i18n import LANGUAGES, Words
from labcore.bugs import zoo
from labcore.bugs.case import HEALTHY
from tests.app.conftest import PATIENCE_SECONDS, checked, press, said

LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


def open_zoo(language: str = "en", **knobs: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / "bug_zoo.py"), default_timeout=PATIENCE_SECONDS)
    app.session_state["language"] = language
    app.query_params.update(knobs)
    return app.run()


@pytest.fixture(autouse=True)
def fresh_caches():
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


def number_of(ward: str, bug: str) -> int:
    """The first patient that has it."""
    return next(n for n in range(1, zoo.LAST_PATIENT + 1) if zoo.hidden(ward, n) == bug)


def name(app: AppTest, bug: str) -> AppTest:
    """Say that it is `bug`."""
    app.radio[0].set_value(bug).run()
    return press(app, "zoo.say")


@LANGUAGE
def test_a_test_is_run_and_the_right_name_explained_with_both_versions_of_the_code(language):
    words = Words(language, "bug_zoo")
    number = number_of("chat_rows", "end_masked")
    app = checked(open_zoo(language, ward="chat_rows", patient=str(number)))
    assert next(b for b in app.button if b.key == "zoo.say").disabled  # no test has been run
    app = checked(press(app, "zoo.run.end"))
    assert words("verdict.below") in said(app)
    app = checked(name(app, "end_masked"))
    told = said(app)
    assert words("right.first", name=words("option.bug.end_masked")) in told
    assert words("bug.end_masked.story") in told
    assert "def end_is_padding" in told
    assert "def padding_masked" in told
    assert "https://github.com/mlabonne/llm-course/issues/33" in told
    assert app.session_state["progress"]["zoo/end_masked"] == 1.0


@LANGUAGE
def test_a_wrong_name_is_refuted_by_a_test_and_the_next_right_one_counts_half(language):
    words = Words(language, "bug_zoo")
    number = number_of("smaller", "no_square")
    app = open_zoo(language, ward="smaller", patient=str(number))
    app = press(app, "zoo.run.plain_kl")
    assert words("verdict.within") in said(app)
    app = checked(name(app, "no_zero_point"))
    there, here = (
        readings.read("smaller", "both_signs", bug, number)
        for bug in ("no_zero_point", "no_square")
    )
    refuted = words(
        "wrong", name=words("option.bug.no_zero_point"), test=words("test.both_signs"),
        wrong=readings.number(there.measured), right=readings.number(here.measured),
    )  # fmt: skip
    assert refuted in said(app)
    assert "zoo/no_square" not in app.session_state["progress"]
    app = checked(name(app, "no_square"))
    assert words("right", name=words("option.bug.no_square")) in said(app)
    assert app.session_state["progress"]["zoo/no_square"] == 0.5


def test_who_gives_up_is_told_and_has_not_found_it():
    number = number_of("rewards", "mean_logprob")
    app = open_zoo(ward="rewards", patient=str(number))
    app = name(press(app, "zoo.run.groups"), HEALTHY)
    app = checked(press(app, "zoo.give_up"))
    assert Words("en", "bug_zoo")("bug.mean_logprob.story") in said(app)
    assert "zoo/mean_logprob" not in app.session_state["progress"]


def test_a_healthy_patient_can_be_named_as_such():
    number = number_of("corrections", HEALTHY)
    app = open_zoo(ward="corrections", patient=str(number))
    app = checked(name(press(app, "zoo.run.merged"), HEALTHY))
    assert Words("en", "bug_zoo")("healthy.story") in said(app)
    assert app.session_state["progress"]["zoo/healthy-corrections"] == 1.0


def test_the_next_patient_begins_with_no_test_run():
    app = press(open_zoo(ward="writing"), "zoo.run.cut")
    assert not any(button.key == "zoo.run.cut" for button in app.button)
    app = checked(press(app, "zoo.next"))
    assert app.query_params["patient"] in ("2", ["2"])
    assert any(button.key == "zoo.run.cut" for button in app.button)


@LANGUAGE
def test_a_bug_in_the_open_stands_beside_the_healthy_one(language):
    words = Words(language, "bug_zoo")
    app = checked(open_zoo(language, part="open", bug="with_replacement"))
    told = said(app)
    assert told.count(words("open.tells")) == 1  # by the curve over k, and by nothing else
    assert "def drawn_with_replacement" in told
    assert "def pass_at_k" in told


@LANGUAGE
def test_the_collection_opens_the_cards_that_were_found(language):
    words = Words(language, "bug_zoo")
    app = open_zoo(language, part="cards")
    for ward in zoo.WARDS:
        assert words("cards.unknown", count=len(ward.bugs)) in said(app)
    assert words("cards.count", found=0, count=len(zoo.BUGS)) in str(app.get("progress")[0].proto)
    app.session_state["progress"] = {"zoo/bos_twice": 1.0, "zoo/no_square": 0.5}
    app = checked(app.run())
    assert words("cards.unknown", count=2) in said(app)  # of the three of "smaller"
    assert sum(":material/star:" in button.label for button in app.button) == 1
    app = checked(press(app, "zoo.card.bos_twice"))
    assert words("bug.bos_twice.story") in said(app)


def test_a_wrong_link_is_told_and_the_page_lives_on():
    app = open_zoo(ward="nowhere", patient="1000")
    assert not app.exception
    assert len(app.warning) >= 2


@LANGUAGE
def test_every_bug_test_and_ward_has_its_words(language):
    words = Words(language, "bug_zoo")
    for ward in zoo.WARDS:
        assert words(f"option.ward.{ward.id}")
        assert words(f"ward.{ward.id}.about")
        for bug in ward.bugs:
            for key in (f"option.bug.{bug.id}", f"bug.{bug.id}.what", f"bug.{bug.id}.story"):
                assert words(key)
            assert bug.lab in LABS
        for test in ward.tests:
            assert words(f"test.{test.id}")
            assert words(f"test.{test.id}.about")
            assert words(f"kind.{test.kind}")


def test_the_home_page_counts_them_rightly():
    assert len(zoo.BUGS) == 37
    assert "Thirty-seven" in Words("en")("zoo.about")
    assert "三十七个" in Words("zh")("zoo.about")
