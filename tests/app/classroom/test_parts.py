"""Codes, questions, scenes, nicknames and the file: what a class is made of, without a screen."""

import csv
import io
import math

import pytest

from app import catalog
from app.classroom import export, keys, nicknames, scene, session, store, subjects, tables
from app.classroom.subjects import Subject
from app.i18n import LANGUAGES, Words
from labcore.errors import LabInputError
from labcore.guard import bucket

WORDS = Words("en", "classroom")
A, B = "a" * 32, "b" * 32


def test_codes_and_keys_have_the_form_that_is_read_back():
    for _ in range(50):
        assert keys.read_code(keys.new_code())
        assert keys.is_key(keys.new_key())
        assert keys.is_token(keys.new_token())
    assert len({keys.new_key() for _ in range(50)}) == 50
    assert not set("ILO01") & set(keys.LETTERS)


def test_an_address_of_postgresql_names_the_driver_that_is_installed(monkeypatch):
    for told in ("postgres://u:p@h/d", "postgresql://u:p@h/d"):
        monkeypatch.setenv("LLM_LAB_DATABASE", told)
        assert tables.address() == "postgresql+psycopg://u:p@h/d"
    monkeypatch.delenv("LLM_LAB_DATABASE")
    assert tables.address().startswith("sqlite:///")


def test_who_guesses_codes_has_to_slow_down(small_database, monkeypatch):
    """Twenty wrong codes pass, the next is refused unread, and half a code a second comes back."""
    clock = [0.0]
    monkeypatch.setattr(session.time, "monotonic", lambda: clock[0])
    code, _ = store.open_class()
    for _ in range(session.WRONG_CODES.burst):
        assert session.join("ABCDEF") is None
    with pytest.raises(LabInputError, match="too_many_codes"):
        session.join(code)
    clock[0] = 2 / session.WRONG_CODES.per_second
    assert session.join(code) is not None


def test_a_right_code_costs_nothing(small_database, monkeypatch):
    monkeypatch.setattr(session.time, "monotonic", lambda: 0.0)
    code, _ = store.open_class()
    for _ in range(session.WRONG_CODES.burst + 5):
        assert session.join(code) is not None


def test_a_class_is_read_once_a_second_whoever_asks(small_database, monkeypatch):
    class_id = store.find(store.open_class()[0])
    looks = []
    read = store.now
    monkeypatch.setattr(store, "now", lambda id: looks.append(id) or read(id))
    first = [session.now(class_id) for _ in range(30)]
    assert len(looks) == 1
    assert all(now is first[0] for now in first)
    session.changed(class_id)
    assert session.now(class_id) is not first[0]
    assert len(looks) == 2


def test_every_lab_offers_predictions_or_statements_in_both_languages():
    for lab, spec in catalog.LABS.items():
        asked = [Subject("prediction", lab, id) for id in subjects.predictions(lab)]
        asked.append(Subject("statement", lab, "1"))
        for subject in asked:
            told = [
                (subject.question(words), subject.choices(words), subject.why(words))
                for words in (Words(language, "classroom") for language in LANGUAGES)
            ]
            assert told[0] != told[1], (spec, subject)
            assert subject.count() == len(told[0][1]) == len(told[1][1]) >= 2
            assert subjects.from_json(subject.to_json()) == subject


def test_the_truth_of_a_statement_is_the_labs_own():
    for number in ("1", "2"):
        subject = Subject("statement", "attention", number)
        kind = subject._asked(WORDS).kind
        assert ("true", "false")[subject.truth()] == kind
    assert Subject("prediction", "induction", "growth").truth() is None


@pytest.mark.parametrize(
    "told",
    [
        ("prediction", "induction", "nope"), ("prediction", "training", "loss"), ("prediction", "", ""),
        ("prediction", "../../etc", "growth"), ("statement", "attention", "0"),
        ("statement", "attention", "99"),
        ("statement", "attention", "-1"), ("statement", "attention", "１"), ("statement", "nope", "1"),
        ("else", "attention", "1"),
    ],
)  # fmt: skip
def test_a_question_that_no_lab_asks_is_refused(told):
    with pytest.raises(LabInputError, match="known_question"):
        Subject(*told)


@pytest.mark.parametrize(
    "stored", ["", "7", "{}", "[]", '{"kind": "own"}', '{"kind": "x", "options": []}']
)
def test_a_stored_question_that_makes_no_sense_any_more_is_none(stored):
    assert subjects.from_json(stored) is None


@pytest.mark.parametrize(
    ("question", "lines", "rule"),
    [
        ("", "a\nb", "not_empty"), ("   ", "a\nb", "not_empty"), ("?", "a", "choices_between"),
        ("?", "\n \n", "choices_between"), ("?", "a\n" * 7, "choices_between"),
        ("?" * 301, "a\nb", "at_most_characters"), ("?", "a\n" + "b" * 121, "at_most_characters"),
    ],
)  # fmt: skip
def test_the_teachers_own_question_has_its_bounds(question, lines, rule):
    with pytest.raises(LabInputError, match=rule):
        subjects.own(question, lines)


def test_the_teachers_own_question_fits_into_its_column_at_its_longest():
    longest = subjects.own("字" * 300, "\n".join(["字" * 120] * 6))
    assert len(longest.to_json().encode()) <= tables.SUBJECT_BYTES


@pytest.mark.parametrize(
    "link",
    ["", "x", "/", "/home?lab=attention", "/transformer", "/transformer?lab=lora", "/transformer?lab=",
     "javascript:alert(1)", "http://[", "/transformer?" + "&".join(f"k{i}=1" for i in range(200))],
)  # fmt: skip
def test_a_link_that_leads_to_no_lab_is_refused(link):
    with pytest.raises(LabInputError, match="class_link"):
        scene.from_link(link)


def test_a_scene_is_a_link_without_what_is_each_learners_own():
    link = "http://any.where/sub/transformer?lang=zh&lab=heads&class=ABCDEF&present=1&part=ranking&lock=part"
    assert scene.from_link(link) == (
        "transformer",
        {"lab": "heads", "part": "ranking", "lock": "part"},
    )


def test_nicknames_are_enough_for_a_class_and_nobody_is_offered_a_taken_one():
    assert len(set(nicknames.ALL)) == len(nicknames.ALL) >= tables.MOST_LEARNERS
    assert math.gcd(nicknames._STRIDE, len(nicknames.ALL)) == 1
    voter = keys.hashed("anybody")
    everything = set(nicknames.ALL)
    last = nicknames.ALL[17]
    assert nicknames.offered(voter, everything - {last}) == [last]
    assert nicknames.offered(voter, everything) == []
    assert len(set(nicknames.offered(voter, set()))) == nicknames.OFFERED


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_nickname_has_its_words(language):
    words = Words(language, "classroom")
    assert len({nicknames.told(name, words) for name in nicknames.ALL}) == len(nicknames.ALL)


def test_the_file_holds_every_vote_and_nobodys_token(small_database):
    class_id = store.find(store.open_class()[0])
    own = subjects.own("=1+1", '+bad\n"quoted", 中文')
    number = store.ask(class_id, own.to_json(), 2)
    for token, choice in ((A, 0), (B, 1)):
        store.vote(class_id, number, token, choice)
    statement = Subject("statement", "attention", "1")
    number = store.ask(class_id, statement.to_json(), 2)
    store.vote(class_id, number, B, statement.truth())
    store.take_nickname(class_id, B, "quiet-owl")
    store.enter(class_id, "copying", B, 8000, 0.95)
    data = export.csv(class_id, WORDS)
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [(row["kind"], row["learner"], row["answer"]) for row in rows[:2]] == [
        ("own", "1", "'+bad"), ("own", "2", '"quoted", 中文'),
    ]  # fmt: skip
    assert rows[0]["question"] == "'=1+1"  # no formula in a spreadsheet
    assert (rows[2]["learner"], rows[2]["right"]) == ("2", "1")
    assert (rows[3]["learner"], rows[3]["answer"], rows[3]["parameters"]) == (
        "2",
        "quiet owl",
        "8000",
    )
    for secret in (A, B, store.voter_of(class_id, A)):
        assert secret.encode() not in data


def test_the_file_of_an_empty_class_is_its_heading(small_database):
    class_id = store.find(store.open_class()[0])
    assert export.csv(class_id, WORDS).decode("utf-8-sig").strip() == ",".join(export.COLUMNS)


def test_one_session_cannot_have_models_measured_without_end(monkeypatch):
    monkeypatch.setattr(session.time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(session.st, "session_state", {})
    passed = [session.may_be_judged() for _ in range(8)]
    assert passed == [True] * session.JUDGED.burst + [False] * (8 - session.JUDGED.burst)
    assert isinstance(session.st.session_state["classroom.judged"], bucket.Bucket)
