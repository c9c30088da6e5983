"""What the page says when something cannot be done: one sentence, and the page lives on."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from app.i18n import Words
from app.literal import in_markdown
from labcore.errors import LabInputError


def say_error(words: Words, error: LabInputError) -> None:
    """A learner's value that a lab cannot use, in the learner's language."""
    field = words.find(f"knob.{error.field}") or words.find(f"field.{error.field}") or error.field
    sentence = words(f"error.{error.rule}", field=field, **_shown(error.facts))
    st.warning(sentence, icon=":material/info:")


def _shown(facts: Mapping[str, object]) -> dict[str, object]:
    """A warning is markdown, and a fact that is text (a file's name, a word of a schema) a stranger's."""
    return {
        name: in_markdown(fact) if isinstance(fact, str) else fact for name, fact in facts.items()
    }


@contextmanager
def guarded(words: Words) -> Iterator[None]:
    """Whatever goes wrong inside is said in a sentence; what went wrong unexpectedly is also logged."""
    try:
        yield
    except LabInputError as error:
        say_error(words, error)
    except Exception:
        logging.getLogger(__name__).exception("lab %s", words.lab)
        st.error(words("error.unexpected"), icon=":material/build:")
