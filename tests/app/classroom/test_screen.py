"""The class's page and the strip on the others, in both languages, under AppTest."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.catalog import ROOT
from app.classroom import contest, keys, nicknames, scene, session, store, subjects
from app.classroom.session import Seat
from app.classroom.subjects import Subject
from app.components import pocket
from app.i18n import LANGUAGES, Words
from labcore.challenges import copying
from labcore.challenges.copying import CopyingConfig
from labcore.errors import LabInputError
from labcore.model.counting import parameter_total
from tests.app.conftest import PATIENCE_SECONDS, checked, press, said

LEARNER, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def browser(monkeypatch):
    """What the browser under test keeps: nothing at first. AppTest runs no script, so it is played here."""
    kept = {}

    def mount(code, token, key, slot):
        mine = kept.setdefault(code, {"code": code, "token": token, "key": None})
        mine["key"] = key or mine["key"]
        return dict(mine)

    monkeypatch.setattr(pocket, "mount", mount)
    return kept


@pytest.fixture
def open_page(small_database, browser, monkeypatch):
    """`open_page("en", class_="KDRMTP")`: the class's page as a link opens it."""
    monkeypatch.setenv("LLM_LAB_JOBS", "inline")

    def opened(language, code=None, page="classroom", **query):
        app = AppTest.from_file(
            str(ROOT / "pages" / f"{page}.py"), default_timeout=PATIENCE_SECONDS
        )
        app.session_state["language"] = language
        app.query_params.update(({"class": code} if code else {}) | query)
        return app.run()

    yield opened
    st.cache_resource.clear()
    st.cache_data.clear()


def new_class():
    code, key = store.open_class()
    return store.find(code), code, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_door_opens_a_class_whose_teacher_the_browser_remembers(open_page, browser, language):
    words = Words(language, "classroom")
    app = press(checked(open_page(language)), "classroom.open")
    (code,) = browser
    assert store.as_teacher(code, browser[code]["key"]) is not None
    assert f"## {code}" in said(checked(app))
    assert words("poll.none.teacher") in said(app)
    assert browser[code]["key"] not in said(open_page(language, code)).replace(
        browser[code]["key"], "", 1
    )  # only in its own popover


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_learner_votes_and_only_then_sees_the_distribution(open_page, browser, language):
    words = Words(language, "classroom")
    class_id, code, _ = new_class()
    subject = Subject("prediction", "induction", "growth")
    number = store.ask(class_id, subject.to_json(), subject.count())
    store.vote(class_id, number, OTHER, 2)
    app = checked(open_page(language, code.lower()))
    assert subject.question(words) in said(app)
    assert words("poll.total", count=1) not in said(app)
    app = checked(press(app, f"classroom.vote.{number}.1"))
    assert words("poll.total", count=2) in said(app)
    assert store.now(class_id).poll.counts == (0, 1, 1)
    app = press(app, "classroom.change")
    app = checked(press(app, f"classroom.vote.{number}.0"))
    assert store.now(class_id).poll.counts == (1, 0, 1)
    why = Words(language, "induction")("predict.growth.why")
    assert why not in said(app)
    store.set_poll(class_id, number, open=False, revealed=True)
    session.changed(class_id)
    assert why in said(checked(app.run()))


def test_a_second_tab_of_the_same_browser_is_the_same_learner(open_page):
    class_id, code, _ = new_class()
    store.ask(class_id, subjects.own("?", "a\nb").to_json(), 2)
    press(open_page("en", code), "classroom.vote.1.0")
    second = press(open_page("en", code), "classroom.change")
    press(second, "classroom.vote.1.1")
    assert store.now(class_id).poll.counts == (0, 1)


def test_what_a_teacher_typed_is_plain_text_on_every_screen(open_page, browser):
    class_id, code, key = new_class()
    hostile = "<script>alert(1)</script> **b** [x](y) :material/home: $x$"
    store.ask(class_id, subjects.own(hostile, f"{hostile}\n<img src=x onerror=y>").to_json(), 2)
    learner = open_page("en", code)
    voted = press(open_page("en", code), "classroom.vote.1.0")
    browser[code]["key"] = key
    for app in (learner, voted, open_page("en", code)):
        assert hostile in [text.value for text in checked(app).text]
        shown = [element.value for kind in (app.markdown, app.caption) for element in kind]
        assert not any("alert(1)" in text or "onerror" in text for text in shown)
        assert all("alert" not in button.label for button in app.button)


@pytest.mark.parametrize(
    "code", ["ABCDEF", "'; DROP TABLE classes; --", "<b>", "a" * 5000, "\x00", "🙂"]
)
def test_a_link_to_a_class_that_is_not_there_shows_the_door(open_page, code):
    new_class()
    app = checked(open_page("en", code))
    assert Words("en", "classroom")("door.unknown") in said(app)


@pytest.mark.parametrize("told", [
    7, "x", {}, {"code": "ABCDEF"}, {"token": "' OR 1=1"}, {"token": "a" * 5000}, {"key": "x" * 43},
    {"token": ["a"], "key": {"a": 1}},
])  # fmt: skip
def test_a_browser_that_tells_nonsense_is_nobody_and_no_teacher(open_page, monkeypatch, told):
    class_id, code, _ = new_class()
    store.ask(class_id, subjects.own("?", "a\nb").to_json(), 2)
    answer = {"code": code, **told} if isinstance(told, dict) and "code" not in told else told
    monkeypatch.setattr(pocket, "mount", lambda *_: answer)
    app = checked(open_page("en", code))
    assert not any(
        str(button.key).startswith(("classroom.vote", "classroom.start")) for button in app.button
    )


def test_another_classs_key_in_the_browser_leads_nothing(open_page, browser):
    _, code, _ = new_class()
    _, _, other_key = new_class()
    browser[code] = {"code": code, "token": LEARNER, "key": other_key}
    app = checked(open_page("en", code))
    assert "classroom.start" not in [button.key for button in app.button]
    app.text_input(key="classroom.key").set_value(other_key)
    app = press(app, "classroom.teach")
    assert Words("en", "classroom")("class.key.wrong") in said(app)
    assert "classroom.start" not in [button.key for button in app.button]


def test_the_key_typed_on_another_device_leads_the_class(open_page):
    _, code, key = new_class()
    app = open_page("en", code)
    app.text_input(key="classroom.key").set_value(key)
    assert "classroom.start" in [button.key for button in press(app, "classroom.teach").button]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_desk_shows_a_lab_and_asks_its_prediction(open_page, browser, language):
    words = Words(language, "classroom")
    class_id, code, key = new_class()
    browser[code] = {"code": code, "token": LEARNER, "key": key}
    app = checked(open_page(language, code))
    app.text_input(key="classroom.link").set_value("/transformer?lab=induction&part=surgery")
    send = next(button for button in app.button if button.label == words("scene.set"))
    app = checked(send.click().run())
    assert scene.lab_of(store.now(class_id)) == "induction"
    app = checked(press(app, "classroom.start"))  # the lab's first prediction is what is picked
    asked = subjects.from_json(store.now(class_id).poll.subject)
    assert (asked.kind, asked.lab) == ("prediction", "induction")
    assert asked.question(words) in said(app)
    states = {
        "reveal": (True, True), "stop": (False, True), "hide": (False, False), "again": (True, False),
    }  # fmt: skip
    for act, state in states.items():
        app = checked(press(app, f"classroom.poll.{act}"))
        poll = store.now(class_id).poll
        assert (poll.open, poll.revealed) == state


def test_a_link_that_is_none_is_refused_in_a_sentence(open_page, browser):
    class_id, code, key = new_class()
    browser[code] = {"code": code, "token": LEARNER, "key": key}
    words = Words("en", "classroom")
    app = open_page("en", code)
    app.text_input(key="classroom.link").set_value("javascript:alert(1)")
    app = next(b for b in app.button if b.label == words("scene.set")).click().run()
    assert words("error.class_link") in said(checked(app))
    assert store.now(class_id).scene_version == 0


def test_a_teacher_in_a_lab_shows_it_to_the_class_with_its_knobs_and_locks(open_page, browser):
    class_id, code, key = new_class()
    browser[code] = {"code": code, "token": LEARNER, "key": key}
    page = AppTest.from_file(
        str(ROOT / "pages" / "transformer.py"), default_timeout=PATIENCE_SECONDS
    )
    page.session_state["language"] = "en"
    page.session_state[session.SLOT] = Seat(
        code, class_id, LEARNER, key, settled=True, teacher=True
    )
    page.query_params.update({"lab": "attention", "layer": "1", "lang": "en", "class": code})
    page = checked(page.run())
    page.multiselect(key="attention.share.lock@en").set_value(["layer"])
    checked(press(page.run(), "attention.classroom.show"))
    now = store.now(class_id)
    assert (now.scene_path, scene.query_of(now)) == (
        "transformer", {"lab": "attention", "layer": "1", "lock": "layer"},
    )  # fmt: skip
    assert code not in " ".join(block.value for block in page.code)  # "Copy link" names no class


def test_a_learner_in_a_lab_is_offered_no_such_button(open_page):
    class_id, code, _ = new_class()
    page = AppTest.from_file(
        str(ROOT / "pages" / "transformer.py"), default_timeout=PATIENCE_SECONDS
    )
    page.session_state["language"] = "en"
    page.session_state[session.SLOT] = Seat(code, class_id, LEARNER, settled=True)
    page.query_params.update({"lab": "attention"})
    assert "attention.classroom.show" not in [button.key for button in checked(page.run()).button]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_nickname_is_picked_and_a_copying_run_entered(open_page, monkeypatch, language):
    """The run is a short one, and the bar is lowered to what it reaches: the way onto the board is meant."""
    monkeypatch.setattr(copying, "PASS_SHARE", 0.0)
    words = Words(language, "classroom")
    class_id, code, _ = new_class()
    app = checked(open_page(language, code))
    picker = next(one for one in app.button_group if one.key == f"classroom.nick@{language}")
    voter = store.voter_of(class_id, session_token(app))
    name = nicknames.offered(voter, set())[0]
    app = checked(picker.set_value(name).run())
    assert store.nicknames(class_id) == {name}
    assert nicknames.told(name, words) in said(app)
    which = next(one for one in app.button_group if one.key == f"classroom.challenge@{language}")
    app = checked(which.set_value("copying").run())
    assert words("challenge.empty") in said(app)
    app.slider(key="classroom.copying.steps").set_value(50)
    app = checked(press(app.run(), "classroom.run"))
    app = checked(press(app, "classroom.copying.enter"))
    (entry,) = store.now(class_id).entries
    assert (entry.challenge, entry.nickname) == ("copying", name)
    assert entry.parameters == parameter_total(CopyingConfig().model())


def session_token(app) -> str:
    return app.session_state[session.SLOT].token


def test_a_file_that_no_lab_saved_is_refused_in_a_sentence(open_page, monkeypatch):
    class_id, _, _ = new_class()
    seat = Seat("ABCDEF", class_id, LEARNER)
    monkeypatch.setattr(session.st, "session_state", {})
    for data in (b"", b"\x80\x04}.", b"x" * (16 * 2**20 + 1)):
        with pytest.raises(LabInputError, match="upload"):
            contest._judge(seat, 0, data, Words("en", "classroom"))
    assert store.now(class_id).entries == ()


def test_a_class_that_has_ended_says_so(open_page):
    class_id, code, _ = new_class()
    app = open_page("en", code)
    store.end_class(class_id)
    session.changed(class_id)
    assert Words("en", "classroom")("class.ended") in said(checked(app.run()))


def test_codes_are_read_as_typed():
    assert keys.read_code("kdr mtp") == "KDRMTP"
