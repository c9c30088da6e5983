"""What the page says when something cannot be done: one sentence, and the page lives on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.i18n import Words
from labcore.errors import LabInputError


def say_error(words: Words, error: LabInputError) -> None:
    """A learner's value that a lab cannot use, in the learner's language."""
    field = words.find(f"knob.{error.field}") or words.find(f"field.{error.field}") or error.field
    sentence = words(f"error.{error.rule}", field=field, **error.facts)
    st.warning(sentence, icon=":material/info:")


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
