"""The page of the side road `foundations`; everything on it stands in `app/catalog.py`."""

from app.chapter import open_chapter

open_chapter("foundations")
