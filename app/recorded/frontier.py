"""The recordings of chapter 5, applications and frontier."""

from app.recorded.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
