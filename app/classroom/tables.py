"""What is kept of a class: five tables, and a bound on each.

Everything hangs on a class and goes with it. Nobody's name, address or time zone is in here: a voter is the
hash of a random token that one browser holds for one class.
"""

import os
from functools import cache, partial
from pathlib import Path

import platformdirs
import sqlalchemy as sql
from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Integer, String, Text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.schema import CreateIndex, CreateTable

MOST_CLASSES = 1_000
MOST_POLLS = 200  # of a class
MOST_LEARNERS = 300  # of a class: votes in a poll, nicknames, entries
KEPT_DAYS = 60  # after the teacher's last action
QUERY_BYTES = 6_000  # of a scene's knobs
SUBJECT_BYTES = 4_000  # of a poll's question and choices

metadata = sql.MetaData()


def _of_class() -> Column:
    return Column(
        "class_id", Integer, ForeignKey("classes.id", ondelete="CASCADE"), primary_key=True
    )


classes = sql.Table(
    "classes", metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String(6), nullable=False, unique=True),
    Column("key_hash", String(64), nullable=False),
    Column("seed", Integer, nullable=False),
    Column("touched", Float, nullable=False, index=True),  # seconds since 1970, of the teacher's last act
    Column("scene_path", String(40), nullable=False, default=""),
    Column("scene_query", Text, nullable=False, default="{}"),
    Column("scene_version", Integer, nullable=False, default=0),
    sqlite_autoincrement=True,  # the number of a class that has ended is never given to another
)  # fmt: skip

polls = sql.Table(
    "polls", metadata,
    _of_class(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),  # JSON, see `polls.Subject`
    Column("choices", Integer, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("revealed", Integer, nullable=False),
)  # fmt: skip

votes = sql.Table(
    "votes", metadata,
    Column("class_id", Integer, primary_key=True),
    Column("poll", Integer, primary_key=True, autoincrement=False),
    Column("voter", String(64), primary_key=True),
    Column("choice", Integer, nullable=False),
    Column("at", Float, nullable=False),
    sql.ForeignKeyConstraint(
        ["class_id", "poll"], ["polls.class_id", "polls.number"], ondelete="CASCADE"
    ),
    CheckConstraint("choice >= 0"),
)  # fmt: skip

learners = sql.Table(
    "learners", metadata,
    _of_class(),
    Column("voter", String(64), primary_key=True),
    Column("nickname", String(40), nullable=False),  # two words of our own list
    sql.UniqueConstraint("class_id", "nickname"),
)  # fmt: skip

entries = sql.Table(
    "entries", metadata,
    _of_class(),
    Column("challenge", String(20), primary_key=True),
    Column("voter", String(64), primary_key=True),
    Column("parameters", Integer, nullable=False),  # fewer is better
    Column("measure", Float, nullable=False),  # loss in nats, or share copied
    Column("at", Float, nullable=False),
)  # fmt: skip


def address() -> str:
    """Where the classes are kept: `LLM_LAB_DATABASE`, or a file of SQLite in the platform's data folder."""
    told = os.environ.get("LLM_LAB_DATABASE", "")
    if told.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + told.split("://", 1)[1]
    if told:
        return told
    folder = Path(platformdirs.user_data_dir("llm-principles-lab"))
    return f"sqlite:///{folder / 'classroom.sqlite3'}"


@cache
def engine(url: str) -> Engine:
    """The one engine of this process for a database, with its tables made."""
    made = sql.create_engine(url, pool_pre_ping=True)
    if made.dialect.name == "sqlite":
        if made.url.database:
            Path(made.url.database).parent.mkdir(parents=True, exist_ok=True)
        sql.event.listen(made, "connect", _prepare_sqlite)
        sql.event.listen(made, "checkout", partial(_still_there, made.url.database))
    else:
        metadata.create_all(made)
    return made


# SQLite makes the tables at every connection: its file may have been taken away since the last one.
_TABLES = [
    str(made.compile(dialect=sqlite.dialect()))
    for table in metadata.sorted_tables
    for made in (
        CreateTable(table, if_not_exists=True),
        *(CreateIndex(index, if_not_exists=True) for index in table.indexes),
    )
]


def _prepare_sqlite(connection, record) -> None:
    """Readers beside one writer, a writer that waits its turn, and rows that go with their class."""
    for statement in (
        "PRAGMA busy_timeout=5000",
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=NORMAL",
        "PRAGMA foreign_keys=ON",
        *_TABLES,
    ):
        connection.execute(statement)
    record.info["file"] = _file(connection.execute("PRAGMA database_list").fetchone()[2])


def _still_there(database: str | None, _connection, record, _proxy) -> None:
    """subtle: an open connection goes on writing into a file that was deleted or replaced, and all of it
    would be gone with the server; so the file that is there now decides."""
    if _file(database) != record.info["file"]:
        raise sql.exc.DisconnectionError("another file lies there now")


def _file(path: str | None) -> tuple[int, int] | None:
    """Which file this is, whatever its name; None for a database in memory or a file that is gone."""
    try:
        found = Path(path or "").stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if path else None
