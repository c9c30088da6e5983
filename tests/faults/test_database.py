"""The classroom's database locked, full, damaged and gone: a sentence, and what was saved stays saved."""

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.catalog import ROOT
from app.classroom import session, store, tables
from app.components import pocket
from app.i18n import LANGUAGES, Words
from labcore.errors import LabInputError
from tests.app.conftest import PATIENCE_SECONDS, said

TOKEN = "a" * 32


@pytest.fixture
def place(tmp_path, monkeypatch):
    """`place(folder)`: the classes live in a new file there."""

    def at(folder: Path) -> Path:
        file = folder / "classes.sqlite3"
        monkeypatch.setenv("LLM_LAB_DATABASE", f"sqlite:///{file}")
        session.forget_all()
        return file

    yield at
    tables.engine(tables.address()).dispose()
    tables.engine.cache_clear()


def a_class() -> tuple[int, str]:
    code, _ = store.open_class()
    class_id = store.find(code)
    store.ask(class_id, "{}", 3)
    store.vote(class_id, 1, TOKEN, 2)
    return class_id, code


def rule_of(action, *arguments) -> str:
    with pytest.raises(LabInputError) as caught:
        action(*arguments)
    return caught.value.rule


def open_class_page(language: str, code: str, monkeypatch) -> AppTest:
    """The class's page for a learner whose browser has told its token."""
    told = {"code": code, "token": TOKEN, "key": None}
    monkeypatch.setattr(pocket, "mount", lambda *_: dict(told))
    app = AppTest.from_file(str(ROOT / "pages" / "classroom.py"), default_timeout=PATIENCE_SECONDS)
    app.session_state["language"] = language
    app.query_params["class"] = code
    return app.run()


def impatient(monkeypatch) -> None:
    """Wait a fifth of a second for a lock, not five."""
    slow = tables._prepare_sqlite

    def quick(connection, record):
        slow(connection, record)
        connection.execute("PRAGMA busy_timeout=200")

    monkeypatch.setattr(tables, "_prepare_sqlite", quick)


def test_a_locked_database_is_told_and_takes_the_vote_once_it_is_free(place, tmp_path, monkeypatch):
    impatient(monkeypatch)
    file = place(tmp_path)
    class_id, _ = a_class()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert rule_of(store.vote, class_id, 1, TOKEN, 0) == "database_busy"
    assert store.votes_of(class_id, TOKEN) == {1: 2}  # what was there is read all the same
    other.execute("COMMIT")
    other.close()
    store.vote(class_id, 1, TOKEN, 0)
    assert store.votes_of(class_id, TOKEN) == {1: 0}


def test_thirty_sessions_wait_together_for_a_database_that_does_not_answer(
    place, tmp_path, monkeypatch
):
    """One look for all of them, though it ends in a fault; or the last would wait thirty times as long."""
    place(tmp_path)
    asked = []

    def no_answer(class_id):
        asked.append(class_id)
        raise LabInputError("class", "…", "database_busy")

    monkeypatch.setattr(store, "now", no_answer)
    told = []
    threads = [
        threading.Thread(target=lambda: told.append(rule_of(session.now, 1))) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["database_busy"] * 30
    assert len(asked) == 1


def test_a_full_disk_is_told_keeps_the_votes_there_are_and_takes_more_once_there_is_room(
    place, disk
):
    place(disk.folder)
    class_id, _ = a_class()
    disk.fill()
    told = set()
    for number in range(400):  # until the room that the file still had is used up
        try:
            store.show(class_id, "transformer", f'{{"text": "{str(number) * 1000}"}}')
        except LabInputError as error:
            told.add(error.rule)
            break
    # A limit on a file's size is an input/output error to SQLite, which knows a full disk only.
    assert told == {"database_full" if disk.mounted else "no_database"}
    assert store.votes_of(class_id, TOKEN) == {1: 2}
    disk.free()
    store.vote(class_id, 1, TOKEN, 1)
    assert store.votes_of(class_id, TOKEN) == {1: 1}


def damage(file: Path) -> bytes:
    tables.engine(tables.address()).dispose()
    tables.engine.cache_clear()
    data = bytes(range(256)) * 64
    file.write_bytes(data)
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)
    return data


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_damaged_file_is_told_on_the_page_and_left_as_it_is(
    place, tmp_path, monkeypatch, language, forget_streamlit
):
    file = place(tmp_path)
    _, code = a_class()
    data = damage(file)
    app = open_class_page(language, code, monkeypatch)
    assert not app.exception
    assert Words(language, "classroom")("error.database_damaged") in said(app)
    assert file.read_bytes() == data
    file.unlink()  # the way out that the sentence names
    assert store.find(store.open_class()[0])


def test_pages_inside_the_file_are_damaged(place, tmp_path):
    """The head of the file is whole, so SQLite opens it and finds out later."""
    file = place(tmp_path)
    class_id, _ = a_class()
    tables.engine(tables.address()).dispose()
    tables.engine.cache_clear()
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (file.stat().st_size - 4096))
    assert rule_of(store.now, class_id) == "database_damaged"


def test_a_file_that_is_taken_away_is_missed_at_once_and_a_new_one_begun(place, tmp_path):
    """Or the server would go on writing into a file without a name, and lose all of it when it ends."""
    file = place(tmp_path)
    class_id, code = a_class()
    for path in tmp_path.glob("classes.sqlite3*"):
        path.unlink()
    assert store.find(code) is None
    assert store.now(class_id) is None
    new_id, new_code = a_class()
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT code FROM classes").fetchall() == [(new_code,)]
    assert store.votes_of(new_id, TOKEN) == {1: 2}


def test_a_copy_that_is_put_back_is_read_without_a_restart(place, tmp_path):
    file = place(tmp_path)
    class_id, code = a_class()
    tables.engine(tables.address()).dispose()  # everything lies in the file itself now
    shutil.copy(file, tmp_path / "copy")
    store.end_class(class_id)
    assert store.find(code) is None
    tables.engine(tables.address()).dispose()
    (tmp_path / "copy").replace(file)
    assert store.votes_of(store.find(code), TOKEN) == {1: 2}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_class_whose_database_went_away_while_one_looks_has_ended(
    place, tmp_path, monkeypatch, language, forget_streamlit
):
    place(tmp_path)
    _, code = a_class()
    app = open_class_page(language, code, monkeypatch)
    words = Words(language, "classroom")
    assert words("class.ended") not in said(app)
    for path in tmp_path.glob("classes.sqlite3*"):
        path.unlink()
    session.forget_all()
    app.run()
    assert not app.exception
    assert words("class.ended") in said(app)
