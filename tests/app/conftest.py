"""Pages under test: Streamlit's own AppTest, with background runs carried out on the spot."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.catalog import LABS, chapter

PATIENCE_SECONDS = 120  # a limit for a shared two-core machine, not an expectation


def open_page(lab_id: str, language: str = "en", **knobs: str) -> AppTest:
    """The page of the lab's chapter as a link with these knobs opens it."""
    page = chapter(LABS[lab_id].chapter).page
    app = AppTest.from_file(str(page), default_timeout=PATIENCE_SECONDS)
    app.session_state["language"] = language
    app.query_params.update({"lab": lab_id, **knobs})
    return app.run()


@pytest.fixture
def open_lab(monkeypatch):
    """`open_page`, with background runs carried out on the spot."""
    monkeypatch.setenv("LLM_LAB_JOBS", "inline")

    yield open_page
    st.cache_resource.clear()
    st.cache_data.clear()


def checked(app: AppTest) -> AppTest:
    """The page, which neither broke nor said that it did."""
    assert not app.exception
    assert not app.error
    return app


INVISIBLE = ("keeper", "bookmark")


def elements(app: AppTest, kind: str) -> list:
    """What the page draws of a kind, without the invisible keepers of progress and of runs."""
    return [
        e for e in app.get(kind) if not getattr(e.proto, "component_name", "").endswith(INVISIBLE)
    ]


def said(app: AppTest) -> str:
    """All that the page says in words: markdown, captions, warnings, errors, code."""
    kinds = ("markdown", "caption", "warning", "error", "info", "success", "code", "text")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def press(app: AppTest, key: str) -> AppTest:
    """The page after a click on the button `key`, which must be there to be clicked."""
    button = next(button for button in app.button if button.key == key)
    assert not button.disabled
    return button.click().run()
