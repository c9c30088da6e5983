"""The presenter view of a lab, `?present=1`: what is drawn in it, and the ways in and out."""

from collections.abc import Callable

import streamlit as st

from app.catalog import LabSpec
from app.components import presenter
from app.i18n import Words

PARAMETER = "present"
EXPERIMENT = "present-experiment"


def is_on() -> bool:
    return st.query_params.get(PARAMETER) == "1"


def button(lab: LabSpec, words: Words) -> None:
    """The way in, beside the lab's title."""
    told = Words(words.language, "classroom")
    st.button(
        told("present.start"), icon=":material/slideshow:", type="tertiary", key=f"present.{lab.id}",
        help=told("present.about"), on_click=st.query_params.__setitem__, args=(PARAMETER, "1"),
    )  # fmt: skip


def show(
    lab: LabSpec,
    words: Words,
    experiment: Callable[[], None],
    facets: dict[str, Callable[[], None]],
) -> None:
    """The whole lesson on one page, each slide in a container of its own; the browser shows one.

    The order of the slides: principle, the experiment with its figures, then the other facets.
    """
    told = Words(words.language, "classroom")
    labels = {key: told(f"present.{key.split('-')[0]}") for key in facets}
    with st.container(key=EXPERIMENT):
        experiment()
    for key, draw in facets.items():
        with st.container(key=f"present-{key}"):
            st.subheader(labels[key], anchor=False)
            draw()
    first, *others = [[f"present-{key}", labels[key]] for key in facets]
    presenter.mount(
        {
            "lab": lab.id,
            "title": words(f"lab.{lab.id}"),
            "slides": [first, [EXPERIMENT, told("present.experiment")], *others],
            "words": {name: told(f"present.{name}") for name in ("back", "next", "knobs", "leave")},
        },
        on_leave=_leave,
    )


def _leave() -> None:
    st.query_params.pop(PARAMETER, None)
