"""What the class looks at: a lab and its knobs, as a link's path and parameters."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import streamlit as st

from app import catalog, controls
from app.classroom import store
from app.classroom.store import ClassNow
from app.i18n import Words
from labcore.errors import LabInputError

NOT_SHARED = ("lang", "class", "present", "facet")  # each learner's own
MOST_PARAMETERS = 80


def from_link(link: str) -> tuple[str, dict[str, str]]:
    """Chapter and parameters of a lab's link; anything else is a `LabInputError`.

    >>> from_link("http://x.y/transformer?lang=zh&lab=attention&layer=1&lock=layer")
    ('transformer', {'lab': 'attention', 'layer': '1', 'lock': 'layer'})
    """
    try:
        parts = urlsplit(link.strip())
        query = dict(parse_qsl(parts.query, max_num_fields=MOST_PARAMETERS, errors="replace"))
    except ValueError as error:
        raise LabInputError("link", "…", "class_link") from error
    return checked(parts.path.rstrip("/").rsplit("/", 1)[-1], query)


def checked(path: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A scene without what is each learner's own. The lab's frame reads the knobs as it reads any link."""
    chapter = next((chapter for chapter in catalog.CHAPTERS if chapter.id == path), None)
    if chapter is None or query.get("lab") not in [lab.id for lab in chapter.labs]:
        raise LabInputError("link", path, "class_link")
    return path, {name: text for name, text in query.items() if name not in NOT_SHARED}


def show(class_id: int, path: str, query: Mapping[str, str]) -> None:
    store.show(class_id, path, json.dumps(query, ensure_ascii=False))


def query_of(now: ClassNow) -> dict[str, str]:
    return {str(name): str(text) for name, text in json.loads(now.scene_query).items()}


def lab_of(now: ClassNow) -> str | None:
    """The lab that the class looks at; None before anything was shown, or if it is no more."""
    lab = query_of(now).get("lab")
    return lab if lab in catalog.LABS and catalog.LABS[lab].chapter == now.scene_path else None


def go(now: ClassNow, words: Words) -> None:
    """Take this session to where the class is."""
    query = {"lang": words.language, "class": now.code, **query_of(now)}
    controls.start_afresh(query["lab"])
    st.switch_page(catalog.chapter(now.scene_path).page, query_params=query)
