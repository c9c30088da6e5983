"""What a teacher and a learner can do to a class, each in one short transaction.

A class is named by the number that `find` or `as_teacher` gave for a code and a key, and every statement is
bound to that number: whoever is in one class cannot name a row of another. Texts are always bound values.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.classroom import keys, tables
from app.classroom.tables import classes, entries, learners, polls, votes
from labcore.errors import LabInputError

log = logging.getLogger(__name__)
FAULTS = {  # what SQLite says, and the rule under which a reader is told
    "is locked": "database_busy",
    "disk is full": "database_full",
    "malformed": "database_damaged",
    "not a database": "database_damaged",
}


@dataclass(frozen=True, slots=True)
class Poll:
    number: int  # from 1 within its class
    subject: str  # JSON, see `subjects`
    open: bool
    revealed: bool
    counts: tuple[int, ...]  # votes for each choice


@dataclass(frozen=True, slots=True)
class Entry:
    challenge: str
    voter: str
    nickname: str
    parameters: int
    measure: float
    at: float


@dataclass(frozen=True, slots=True)
class ClassNow:
    """All that the screens of a class show, at one moment."""

    code: str
    seed: int
    scene_path: str  # a chapter, or "" before anything was shown
    scene_query: str  # JSON of the link's parameters
    scene_version: int
    poll: Poll | None  # the last one asked
    entries: tuple[Entry, ...]  # the best first


@contextmanager
def transaction() -> Iterator[Connection]:
    """A transaction, all of it or nothing; what a database cannot do is told in a sentence."""
    try:
        with tables.engine(tables.address()).begin() as connection:
            yield connection
    except sql.exc.IntegrityError:  # a row that may not be: its caller knows what that means
        raise
    except (sql.exc.SQLAlchemyError, ImportError, OSError) as error:
        log.warning("The classroom's database: %s", error)
        raise LabInputError("class", type(error).__name__, _fault(error)) from error


def _fault(error: Exception) -> str:
    """The rule by which a fault of the database is told. SQLite has one kind of error for most of them."""
    said = str(getattr(error, "orig", error))
    for told, rule in FAULTS.items():
        if told in said:
            return rule
    return "no_database"


# The class.


def open_class() -> tuple[str, str]:
    """A new class: its join code, and the teacher's key, which is told this once and never stored."""
    now, key = time.time(), keys.new_key()
    with transaction() as db:
        forgotten = now - tables.KEPT_DAYS * 86_400
        db.execute(classes.delete().where(classes.c.touched < forgotten))
        if _count(db, classes) >= tables.MOST_CLASSES:
            raise LabInputError("class", tables.MOST_CLASSES, "too_many_classes")
        code = keys.new_code()
        while db.execute(sql.select(classes.c.id).where(classes.c.code == code)).first():
            code = keys.new_code()
        db.execute(
            classes.insert().values(
                code=code, key_hash=keys.hashed(key), seed=keys.new_seed(), touched=now
            )
        )
    return code, key


def find(code: object) -> int | None:
    """The class with this join code, as a learner finds it."""
    read = keys.read_code(code)
    if read is None:
        return None
    with transaction() as db:
        return db.execute(sql.select(classes.c.id).where(classes.c.code == read)).scalar()


def as_teacher(code: object, key: object) -> int | None:
    """The class with this code, if the key is its teacher's."""
    read = keys.read_code(code)
    if read is None or not keys.is_key(key):
        return None
    with transaction() as db:
        asked = sql.select(classes.c.id, classes.c.key_hash).where(classes.c.code == read)
        row = db.execute(asked).first()
    return row.id if row and keys.same(key, row.key_hash) else None


def end_class(class_id: int) -> None:
    """Take the class and everything in it away."""
    with transaction() as db:
        db.execute(classes.delete().where(classes.c.id == class_id))


def show(class_id: int, path: str, query: str) -> None:
    """Set what the class looks at: a chapter and the link's parameters as JSON."""
    if len(query.encode()) > tables.QUERY_BYTES:
        raise LabInputError("link", len(query), "at_most_bytes", limit=tables.QUERY_BYTES)
    with transaction() as db:
        version = classes.c.scene_version + 1
        _touch(db, class_id, scene_path=path, scene_query=query, scene_version=version)


# Polls.


def ask(class_id: int, subject: str, choices: int) -> int:
    """Open a poll with so many choices, and close the one before; its number."""
    if len(subject.encode()) > tables.SUBJECT_BYTES:
        raise LabInputError("question", len(subject), "at_most_bytes", limit=tables.SUBJECT_BYTES)
    with transaction() as db:
        _touch(db, class_id)  # also makes two windows of one teacher take turns
        mine = polls.c.class_id == class_id
        last = db.execute(sql.select(sql.func.max(polls.c.number)).where(mine)).scalar() or 0
        if last >= tables.MOST_POLLS:
            raise LabInputError("class", last, "too_many_polls", limit=tables.MOST_POLLS)
        db.execute(polls.update().where(mine).values(is_open=0))
        asked = {"class_id": class_id, "number": last + 1, "subject": subject, "choices": choices}
        db.execute(polls.insert().values(**asked, is_open=1, revealed=0))
    return last + 1


def set_poll(class_id: int, number: int, *, open: bool, revealed: bool) -> None:
    """Close a poll or open it again; show everybody the result or take it back."""
    with transaction() as db:
        _touch(db, class_id)
        this = sql.and_(polls.c.class_id == class_id, polls.c.number == number)
        db.execute(polls.update().where(this).values(is_open=int(open), revealed=int(revealed)))


def vote(class_id: int, number: int, token: str, choice: int) -> None:
    """Vote, or change a vote. A poll that is closed, or a choice that it does not have, is an error."""
    voter = voter_of(class_id, token)
    with transaction() as db:
        this = sql.and_(polls.c.class_id == class_id, polls.c.number == number)
        poll = db.execute(sql.select(polls.c.choices, polls.c.is_open).where(this)).first()
        if poll is None or not poll.is_open:
            raise LabInputError("vote", number, "poll_closed")
        if not (isinstance(choice, int) and 0 <= choice < poll.choices):
            raise LabInputError("vote", choice, "known_choice")
        cast = sql.and_(votes.c.class_id == class_id, votes.c.poll == number)
        if not db.execute(sql.select(votes.c.choice).where(cast, votes.c.voter == voter)).first():
            _room(db, votes, cast)
        row = {"class_id": class_id, "poll": number, "voter": voter}
        _put(db, votes, row, {"choice": choice, "at": time.time()})


def votes_of(class_id: int, token: str) -> dict[int, int]:
    """What this learner has voted: number of the poll, choice."""
    mine = sql.and_(votes.c.class_id == class_id, votes.c.voter == voter_of(class_id, token))
    with transaction() as db:
        return dict(db.execute(sql.select(votes.c.poll, votes.c.choice).where(mine)).all())


# Challenges.


def nickname_of(class_id: int, token: str) -> str | None:
    mine = (learners.c.class_id == class_id, learners.c.voter == voter_of(class_id, token))
    with transaction() as db:
        return db.execute(sql.select(learners.c.nickname).where(*mine)).scalar()


def nicknames(class_id: int) -> set[str]:
    """Those that are taken."""
    asked = sql.select(learners.c.nickname).where(learners.c.class_id == class_id)
    with transaction() as db:
        return set(db.execute(asked).scalars())


def take_nickname(class_id: int, token: str, nickname: str) -> None:
    """A nickname for this learner; one that somebody else has is an error."""
    row = {"class_id": class_id, "voter": voter_of(class_id, token)}
    try:
        with transaction() as db:
            _room(db, learners, learners.c.class_id == class_id)
            _put(db, learners, row, {"nickname": nickname})
    except sql.exc.IntegrityError as error:
        raise LabInputError("nickname", nickname, "nickname_taken") from error


def enter(class_id: int, challenge: str, token: str, parameters: int, measure: float) -> bool:
    """Enter a result that was measured here; whether it is this learner's best so far."""
    row = {"class_id": class_id, "challenge": challenge, "voter": voter_of(class_id, token)}
    same = [entries.c[name] == value for name, value in row.items()]
    with transaction() as db:
        before = db.execute(sql.select(entries.c.parameters).where(*same)).scalar()
        if before is not None and before <= parameters:
            return False
        _room(db, entries, sql.and_(*same[:2]))
        _put(db, entries, row, {"parameters": parameters, "measure": measure, "at": time.time()})
    return True


# What is read.


def now(class_id: int) -> ClassNow | None:
    """The class at this moment, None if it has ended. Four look-ups by primary key."""
    with transaction() as db:
        row = db.execute(sql.select(classes).where(classes.c.id == class_id)).first()
        if row is None:
            return None
        found = _polls(db, class_id, newest=True)
        best = _entries(db, class_id)
    scene = (row.scene_path, row.scene_query, row.scene_version)
    return ClassNow(row.code, row.seed, *scene, found[0] if found else None, best)


def all_polls(class_id: int) -> list[Poll]:
    with transaction() as db:
        return _polls(db, class_id)


def all_votes(class_id: int) -> list[Any]:
    """Rows of poll, voter, choice, at; by poll and time."""
    asked = sql.select(votes.c.poll, votes.c.voter, votes.c.choice, votes.c.at)
    mine = asked.where(votes.c.class_id == class_id).order_by(votes.c.poll, votes.c.at)
    with transaction() as db:
        return list(db.execute(mine).all())


def voter_of(class_id: int, token: str) -> str:
    """What stands for a learner in this class, and says nothing in another one."""
    return keys.hashed(f"{class_id}:{token}")


def _polls(db: Connection, class_id: int, newest: bool = False) -> list[Poll]:
    asked = sql.select(polls).where(polls.c.class_id == class_id)
    asked = asked.order_by(polls.c.number.desc() if newest else polls.c.number)
    rows = db.execute(asked.limit(1 if newest else tables.MOST_POLLS)).all()
    tally = sql.select(votes.c.poll, votes.c.choice, sql.func.count())
    mine = sql.and_(votes.c.class_id == class_id, votes.c.poll.in_([row.number for row in rows]))
    counted = db.execute(tally.where(mine).group_by(votes.c.poll, votes.c.choice)).all()
    counts = {(poll, choice): count for poll, choice, count in counted}
    return [
        Poll(
            row.number, row.subject, bool(row.is_open), bool(row.revealed),
            tuple(counts.get((row.number, choice), 0) for choice in range(row.choices)),
        )
        for row in rows
    ]  # fmt: skip


def _entries(db: Connection, class_id: int) -> tuple[Entry, ...]:
    same = sql.and_(learners.c.class_id == entries.c.class_id, learners.c.voter == entries.c.voter)
    asked = sql.select(
        entries.c.challenge, entries.c.voter, learners.c.nickname, entries.c.parameters,
        entries.c.measure, entries.c.at,
    ).join(learners, same)  # fmt: skip
    mine = asked.where(entries.c.class_id == class_id)
    rows = db.execute(mine.order_by(entries.c.parameters, entries.c.at)).all()
    return tuple(Entry(*row) for row in rows)


# What all of them share.


def _count(db: Connection, table: sql.Table, *where) -> int:
    return db.execute(sql.select(sql.func.count()).select_from(table).where(*where)).scalar()


def _room(db: Connection, table: sql.Table, where) -> None:
    if _count(db, table, where) >= tables.MOST_LEARNERS:
        raise LabInputError("class", tables.MOST_LEARNERS, "class_full")


def _touch(db: Connection, class_id: int, **more) -> None:
    this = classes.c.id == class_id
    done = db.execute(classes.update().where(this).values(touched=time.time(), **more))
    if not done.rowcount:
        raise LabInputError("class", "…", "class_over")


def _put(db: Connection, table: sql.Table, row: dict, values: dict) -> None:
    """Insert the row, or change its values if it is there: one statement, so no vote counts twice."""
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[db.dialect.name]
    db.execute(
        insert(table).values(**row, **values).on_conflict_do_update(
            index_elements=list(row), set_=values
        )
    )  # fmt: skip
