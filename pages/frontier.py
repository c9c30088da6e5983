"""The page of chapter `frontier`; everything on it stands in `app/catalog.py`."""

from app.chapter import open_chapter

open_chapter("frontier")
