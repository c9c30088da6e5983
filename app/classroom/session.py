"""Who this session is in which class: the way in, kept apart from what the class then shows."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import cachetools
import streamlit as st
from streamlit.errors import StreamlitAPIException

from app.classroom import keys, store
from app.classroom.store import ClassNow
from app.components import pocket
from labcore.errors import LabInputError
from labcore.guard import bucket
from labcore.guard.bucket import BucketConfig

SLOT = "classroom"  # in the session: a `Seat`
FRESH_SECONDS = 1.0  # every session of a class shares one look at the database for so long
WRONG_CODES = BucketConfig(per_second=0.5, burst=20)  # from one address
NEW_CLASSES = BucketConfig(per_second=0.2, burst=30)  # from one address
JUDGED = BucketConfig(per_second=0.1, burst=5)  # models of one session


@dataclass(slots=True)
class Seat:
    """A place in a class."""

    code: str
    id: int
    token: str  # proposed, until the browser has told its own
    key: str | None = None
    settled: bool = False  # the browser has told
    teacher: bool = False
    seen: int | None = None  # version of the last scene that this session was taken to or offered
    follows: bool = True


def seat() -> Seat | None:
    return st.session_state.get(SLOT)


def arrive() -> Seat | None:
    """The seat that the link's `class`, or this session, has; None where there is no such class."""
    asked, mine = st.query_params.get("class"), seat()
    if mine is None or (asked is not None and keys.read_code(asked) != mine.code):
        mine = join(asked) if asked else None
    if mine is None:
        st.query_params.pop("class", None)
        return None
    if st.query_params.get("class") != mine.code:
        st.query_params["class"] = mine.code
    settle(mine)
    return mine


def join(code: object) -> Seat | None:
    """Take a seat by a join code. Who asks for classes that do not exist has to slow down."""
    if not _may(_wrong, WRONG_CODES, pay=False):
        raise LabInputError("class", "…", "too_many_codes")
    found = store.find(code)
    if found is None:
        _may(_wrong, WRONG_CODES)
        return None
    st.session_state[SLOT] = Seat(keys.read_code(code), found, keys.new_token())
    return st.session_state[SLOT]


def found_class() -> Seat:
    """Open a class and sit at its desk."""
    if not _may(_opened, NEW_CLASSES):
        raise LabInputError("class", "…", "too_many_codes")
    code, key = store.open_class()
    mine = Seat(code, store.find(code), keys.new_token(), key, teacher=True)
    st.session_state[SLOT] = mine
    return mine


def take_desk(mine: Seat, key: str) -> bool:
    """Become the teacher of the class with its key; whether the key was right."""
    if not _may(_wrong, WRONG_CODES, pay=False):
        raise LabInputError("class", "…", "too_many_codes")
    if store.as_teacher(mine.code, key) != mine.id:
        _may(_wrong, WRONG_CODES)
        return False
    mine.key, mine.teacher = key, True
    return True


def leave() -> None:
    st.session_state.pop(SLOT, None)
    st.query_params.pop("class", None)


def settle(mine: Seat) -> None:
    """Hear from the browser who it is in this class; what it tells is checked like any input."""
    told = pocket.mount(mine.code, mine.token, mine.key, f"classroom.pocket.{mine.code}")
    if not isinstance(told, Mapping) or told.get("code") != mine.code or mine.settled:
        return
    if keys.is_token(told.get("token")):
        mine.token, mine.settled = told["token"], True
    key = told.get("key")
    if not mine.teacher and keys.is_key(key) and store.as_teacher(mine.code, key) == mine.id:
        mine.key, mine.teacher = key, True


# The class as it stands, read once a second for everybody.

_fresh: cachetools.TTLCache = cachetools.TTLCache(maxsize=512, ttl=FRESH_SECONDS)


@cachetools.cached(_fresh, condition=threading.Condition())
def _look(class_id: int) -> ClassNow | LabInputError | None:
    """subtle: a fault is kept for the second too, or thirty sessions would wait for a database that does
    not answer one after the other."""
    try:
        return store.now(class_id)
    except LabInputError as fault:
        return fault


def now(class_id: int) -> ClassNow | None:
    found = _look(class_id)
    if isinstance(found, LabInputError):
        raise LabInputError(found.field, found.value, found.rule, **found.facts)
    return found


def changed(class_id: int) -> None:
    """Let everybody on this server see a change at once."""
    with _look.cache_condition:
        _fresh.pop(_look.cache_key(class_id), None)


def again() -> None:
    """Draw once more: the fragment that a click came from, or the page if all of it was being drawn."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


def forget_all() -> None:
    """As after a restart: a test's database is another one."""
    for cache in (_fresh, _wrong, _opened):
        cache.clear()


# Slowing down who guesses. Addresses are held in memory for minutes, and never written.

_wrong: cachetools.TTLCache = cachetools.TTLCache(maxsize=10_000, ttl=600)
_opened: cachetools.TTLCache = cachetools.TTLCache(maxsize=10_000, ttl=600)
_lock = threading.Lock()


def may_be_judged() -> bool:
    """Whether this session may have one more model measured; each costs up to a second of a core."""
    slot, seconds = "classroom.judged", time.monotonic()
    state = st.session_state.get(slot) or bucket.full(JUDGED, seconds)
    st.session_state[slot], passes = bucket.ask(state, seconds, JUDGED)
    return passes


def _may(buckets: cachetools.TTLCache, config: BucketConfig, pay: bool = True) -> bool:
    """Whether this visitor's address has a token left; takes it, unless the visitor only looks."""
    address, seconds = st.context.ip_address or "here", time.monotonic()
    with _lock:
        state = buckets.get(address) or bucket.full(config, seconds)
        after, passes = bucket.ask(state, seconds, config)
        if pay:
            buckets[address] = after
    return passes
