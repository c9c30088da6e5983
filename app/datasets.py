"""The dataset that a learner made in the data lab and kept for the labs to come.

It is kept as its recipe: `labcore.pretraining.training_text.training_text(recipe)` makes the same rows
again, in this process or in a background run.
"""

import streamlit as st

from labcore.pretraining.training_text import TrainingTextConfig

_SLOT = "dataset.kept"


def keep(recipe: TrainingTextConfig) -> None:
    st.session_state[_SLOT] = recipe


def kept() -> TrainingTextConfig | None:
    """The learner's dataset, None if nothing was kept in this session."""
    return st.session_state.get(_SLOT)
