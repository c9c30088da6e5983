"""The store, on SQLite and on PostgreSQL: who may do what, and how often."""

import threading

import pytest
import sqlalchemy as sql

from app.classroom import keys, store, tables
from labcore.errors import LabInputError

A, B, C = ("a" * 32, "b" * 32, "c" * 32)  # three learners' tokens
HOSTILE = (
    "'; DROP TABLE votes; --", "\" OR 1=1 --", "%", "_", "\x00", "🙂" * 50, "", " ", "0", None, 7, b"ABCDEF",
)  # fmt: skip


def ask(class_id, choices=3):
    return store.ask(class_id, '{"kind": "own"}', choices)


def test_a_class_is_found_by_its_code_in_any_case_and_led_by_its_key_alone(classroom):
    class_id, code, key = classroom
    assert store.find(code.lower()) == store.find(f" {code[:3]}-{code[3:]} ") == class_id
    assert store.as_teacher(code, key) == class_id
    assert store.as_teacher(code, keys.new_key()) is None


def test_another_classs_key_opens_nothing(classroom):
    _, code, key = classroom
    other_code, other_key = store.open_class()
    assert store.as_teacher(code, other_key) is None
    assert store.as_teacher(other_code, key) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_or_key_that_is_none_finds_nothing_and_breaks_nothing(classroom, text):
    class_id, code, _ = classroom
    assert store.find(text) is None
    assert store.as_teacher(code, text) is None
    assert store.as_teacher(text, "x" * 43) is None
    assert store.now(class_id) is not None


def test_neither_the_key_nor_a_token_stands_in_the_database(classroom):
    class_id, _, key = classroom
    number = ask(class_id)
    store.vote(class_id, number, A, 0)
    store.take_nickname(class_id, A, "quiet-owl")
    with store.transaction() as db:
        for table in tables.metadata.sorted_tables:
            for row in db.execute(sql.select(table)).all():
                assert key not in map(str, row)
                assert A not in map(str, row)


def test_a_vote_can_be_changed_and_not_doubled(classroom):
    """Worked by hand: A says 0 and then 2, B says 2: nobody for 0, two for 2."""
    class_id, *_ = classroom
    number = ask(class_id)
    for token, choice in ((A, 0), (B, 2), (A, 2)):
        store.vote(class_id, number, token, choice)
    assert store.now(class_id).poll.counts == (0, 0, 2)
    assert store.votes_of(class_id, A) == {number: 2}


def test_thirty_voters_at_once_are_thirty_votes(classroom):
    """Each votes twice from a thread of its own; the last word of each counts, and none is lost."""
    class_id, *_ = classroom
    number, failed = ask(class_id), []

    def learner(who):
        try:
            for choice in (0, 1 + who % 2):
                store.vote(class_id, number, f"{who:032x}", choice)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=learner, args=(who,)) for who in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert store.now(class_id).poll.counts == (0, 15, 15)


@pytest.mark.parametrize("choice", [-1, 3, 10**9, "0", None, 1.0])
def test_a_choice_that_the_poll_does_not_have_is_refused(classroom, choice):
    class_id, *_ = classroom
    number = ask(class_id)
    with pytest.raises(LabInputError, match="known_choice"):
        store.vote(class_id, number, A, choice)
    assert sum(store.now(class_id).poll.counts) == 0


def test_a_closed_poll_takes_no_vote_until_it_is_opened_again(classroom):
    class_id, *_ = classroom
    number = ask(class_id)
    store.set_poll(class_id, number, open=False, revealed=True)
    with pytest.raises(LabInputError, match="poll_closed"):
        store.vote(class_id, number, A, 0)
    store.set_poll(class_id, number, open=True, revealed=True)
    store.vote(class_id, number, A, 0)
    poll = store.now(class_id).poll
    assert (poll.counts, poll.open, poll.revealed) == ((1, 0, 0), True, True)


def test_a_new_poll_closes_the_one_before(classroom):
    class_id, *_ = classroom
    assert (ask(class_id), ask(class_id)) == (1, 2)
    assert [poll.open for poll in store.all_polls(class_id)] == [False, True]
    with pytest.raises(LabInputError, match="poll_closed"):
        store.vote(class_id, 1, A, 0)


def test_one_class_sees_and_changes_nothing_of_another(classroom):
    """Both have a poll number 1 and the same learner; whatever one does, the other stays as it was."""
    mine, *_ = classroom
    other = store.find(store.open_class()[0])
    for class_id in (mine, other):
        ask(class_id)
        store.vote(class_id, 1, A, 0)
        store.take_nickname(class_id, A, "quiet-owl")
        store.enter(class_id, "copying", A, 100, 0.95)
    before = store.now(other)
    store.vote(mine, 1, A, 1)
    store.vote(mine, 1, B, 1)
    store.set_poll(mine, 1, open=False, revealed=True)
    store.show(mine, "transformer", "{}")
    store.enter(mine, "copying", A, 50, 0.95)
    assert store.now(other) == before
    assert {vote.voter for vote in store.all_votes(other)} == {store.voter_of(other, A)}
    assert store.voter_of(mine, A) != store.voter_of(other, A)  # nor can one learner be traced
    store.end_class(mine)
    assert store.now(mine) is None
    assert store.now(other) == before


def test_what_has_ended_takes_everything_along_and_its_number_is_not_given_again(classroom):
    class_id, code, _ = classroom
    store.vote(class_id, ask(class_id), A, 0)
    store.take_nickname(class_id, A, "quiet-owl")
    store.end_class(class_id)
    with store.transaction() as db:
        for table in tables.metadata.sorted_tables:
            assert db.execute(sql.select(sql.func.count()).select_from(table)).scalar() == 0
    assert store.find(code) is None
    assert store.find(store.open_class()[0]) != class_id
    for act in (lambda: ask(class_id), lambda: store.show(class_id, "transformer", "{}")):
        with pytest.raises(LabInputError, match="class_over"):
            act()


def test_classes_that_nobody_led_for_long_are_dropped_when_the_next_is_opened(classroom):
    class_id, *_ = classroom
    fresh = store.find(store.open_class()[0])
    with store.transaction() as db:
        old = tables.classes.update().where(tables.classes.c.id == class_id)
        db.execute(old.values(touched=tables.classes.c.touched - (tables.KEPT_DAYS + 1) * 86_400))
    store.open_class()
    assert store.now(class_id) is None
    assert store.now(fresh) is not None


def test_every_table_has_its_bound(classroom, monkeypatch):
    class_id, *_ = classroom
    number = ask(class_id)
    for name, value in (("MOST_LEARNERS", 2), ("MOST_POLLS", 1), ("MOST_CLASSES", 1)):
        monkeypatch.setattr(tables, name, value)
    for token, name in ((A, "quiet-owl"), (B, "brave-fox")):
        store.vote(class_id, number, token, 0)
        store.take_nickname(class_id, token, name)
        store.enter(class_id, "copying", token, 100, 0.95)
    store.vote(class_id, number, A, 1)  # whoever is in may change their mind
    for act in (
        lambda: store.vote(class_id, number, C, 0),
        lambda: store.take_nickname(class_id, C, "calm-seal"),
        lambda: store.enter(class_id, "copying", C, 100, 0.95),
    ):
        with pytest.raises(LabInputError, match="class_full"):
            act()
    with pytest.raises(LabInputError, match="too_many_polls"):
        ask(class_id)
    with pytest.raises(LabInputError, match="too_many_classes"):
        store.open_class()


def test_texts_have_their_bounds_in_bytes(classroom):
    class_id, *_ = classroom
    with pytest.raises(LabInputError, match="at_most_bytes"):
        store.show(class_id, "transformer", "字" * (tables.QUERY_BYTES // 3 + 1))
    with pytest.raises(LabInputError, match="at_most_bytes"):
        store.ask(class_id, "字" * (tables.SUBJECT_BYTES // 3 + 1), 2)


def test_a_text_full_of_sql_is_kept_as_a_text(classroom):
    class_id, *_ = classroom
    text = "'); DROP TABLE classes; -- \" ` $1 :name %s ? \\"
    store.show(class_id, "transformer", text)
    store.ask(class_id, text, 2)
    now = store.now(class_id)
    assert (now.scene_query, now.poll.subject) == (text, text)


def test_a_nickname_belongs_to_one_learner_of_a_class(classroom):
    class_id, *_ = classroom
    store.take_nickname(class_id, A, "quiet-owl")
    with pytest.raises(LabInputError, match="nickname_taken"):
        store.take_nickname(class_id, B, "quiet-owl")
    assert store.nickname_of(class_id, A) == "quiet-owl"
    assert store.nickname_of(class_id, B) is None


def test_the_leaderboard_keeps_each_learners_best_and_puts_the_smallest_first(classroom):
    """A enters 300, then 100, then 200 parameters; B enters 100 later: A, B with 100 each."""
    class_id, *_ = classroom
    for token, name in ((A, "quiet-owl"), (B, "brave-fox")):
        store.take_nickname(class_id, token, name)
    entered = [store.enter(class_id, "smallest", A, size, 1.2) for size in (300, 100, 200)]
    assert entered == [True, True, False]
    assert store.enter(class_id, "smallest", B, 100, 1.4)
    board = [(entry.nickname, entry.parameters) for entry in store.now(class_id).entries]
    assert board == [("quiet-owl", 100), ("brave-fox", 100)]


def test_scenes_are_numbered_so_that_a_session_notices_a_new_one(classroom):
    class_id, *_ = classroom
    assert store.now(class_id).scene_version == 0
    store.show(class_id, "transformer", '{"lab": "heads"}')
    store.show(class_id, "transformer", '{"lab": "heads"}')
    assert store.now(class_id).scene_version == 2


def test_a_database_that_cannot_be_reached_is_told_as_such(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    for address in (
        f"sqlite:///{tmp_path / 'file' / 'classes.sqlite3'}", "postgresql://localhost:1/none", "nonsense",
    ):  # fmt: skip
        monkeypatch.setenv("LLM_LAB_DATABASE", address)
        with pytest.raises(LabInputError, match="no_database"):
            store.open_class()
