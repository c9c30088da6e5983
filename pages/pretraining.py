"""The page of chapter `pretraining`; everything on it stands in `app/catalog.py`."""

from app.chapter import open_chapter

open_chapter("pretraining")
