"""The knob that says what to pre-train on: the micro-world, or the dataset kept in the data lab."""

import streamlit as st

from app import datasets
from app.page import LabPage
from labcore.pretraining.corpus import LANGUAGES, Source, WorldTextConfig

KEPT = "kept"
OPTIONS = (*LANGUAGES, KEPT)


def pick(page: LabPage, told: str = "passages", default: str = "both") -> Source:
    """Draw the knob `corpus`; what is picked, as a recipe to put into the lab's config.

    `default` is one of `LANGUAGES`. A link may ask for a kept dataset where none is: the page says so,
    and the micro-world takes its place.
    """
    name = page.choice("corpus", OPTIONS, default)
    if name != KEPT:
        return WorldTextConfig(name, told)
    recipe = datasets.kept()
    if recipe is None:
        if page.controls.drawing:
            st.info(page.text("corpus.none"), icon=":material/bookmark:")
        return WorldTextConfig(default, told)
    if page.controls.drawing:
        page.caption("corpus.kept", vocabulary=f"{recipe.vocab_size:,}", row=recipe.row_tokens)
    return recipe
