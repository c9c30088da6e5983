"""The knob that picks a model of the zoo, and the button before anything is fetched.

A model that is bundled or in this machine's cache opens at once. Any other waits for the learner's word:
neither a shared link nor the list itself makes this machine reach for the network.
"""

from collections.abc import Sequence

import streamlit as st

from app import models
from app.page import LabPage
from labcore import zoo
from labcore.errors import LabInputError

BY_ID = "hub"  # the option behind which any model of the hub is named by its id
LONGEST_ID = 120


def pick(
    page: LabPage, default: str = "world-decoder", knob: str = "model", but: Sequence[str] = ()
) -> str | None:
    """The name of a model that can be loaded without a further question, or None while it cannot.

    Draws the knob `knob` (and `<knob>_id` for a hub id); `but` leaves names out.
    """
    known = [*zoo.bundled_names(), *zoo.real_names(), *own_models()]
    names = [name for name in known if name not in but]
    name = page.choice(
        knob, [*names, BY_ID], default if default in names else names[0], style="select",
        label=lambda option: models.title(option, page.text),
    )  # fmt: skip
    _bring(page, knob)
    if name == BY_ID:
        name = page.text_area(f"{knob}_id", "", LONGEST_ID, lines=1).strip()
        if not name:
            page.caption("model.by_id")
            return None
    return name if is_here(page, name, knob) else None


def is_here(page: LabPage, name: str, knob: str) -> bool:
    """Whether the model can be loaded; if not, the learner is asked before it is fetched."""
    return zoo.is_at_hand(name) or _fetched(page, name, knob)


OWN = "own_models"  # in the session: the learner's models, newest first


def own_models() -> list[str]:
    """The models that this learner trained or uploaded and that are still kept."""
    return [name for name in st.session_state.get(OWN, []) if zoo.is_at_hand(name)]


def adopt(data: bytes) -> str:
    """Take a model of the learner's into the list; its name. LabInputError if it is none of ours."""
    name = zoo.adopt(data)
    others = [other for other in own_models() if other != name]
    st.session_state[OWN] = [name, *others]
    return name


def _bring(page: LabPage, knob: str) -> None:
    """The way in for a file downloaded from "Build and train your own"."""
    key = f"{page.lab.id}.{knob}.upload"
    with st.popover(page.text("model.bring"), icon=":material/upload_file:", type="tertiary"):
        file = st.file_uploader(page.text("model.bring.about"), type="safetensors", key=key)
    if file is None or st.session_state.get(f"{key}.seen") == file.file_id:
        return
    try:
        page.controls.set(knob, adopt(file.getvalue()))
    except LabInputError as error:
        page.error(error)
        return
    st.session_state[f"{key}.seen"] = file.file_id
    st.rerun()


def _fetched(page: LabPage, name: str, knob: str) -> bool:
    """Ask before fetching; then fetch with progress. False until the model is here."""
    try:
        if not models.is_under_way(name) and not _agreed(page, name, knob):
            return False
        page.model(name)
    except LabInputError as error:
        page.error(error)
        return False
    return True


def _agreed(page: LabPage, name: str, knob: str) -> bool:
    """Whether the learner, told what it costs, has pressed the button; of a hub model the hub is asked
    first, and that needs a button too."""
    facts = f"{page.lab.id}.{knob}.facts"
    told = st.session_state.get(facts)
    if name not in zoo.real_names() and (told is None or told.model_id != name):
        page.caption("model.unknown")
        if not _pressed(page, knob, "look_up", "search"):
            return False
        told = st.session_state[facts] = zoo.describe_hub_model(name)
    if told is not None and told.model_id == name:
        page.caption("model.facts", size=f"{told.size_bytes / 1e6:,.0f}", family=told.family)
    else:
        page.caption("model.not_here")
    return _pressed(page, knob, "fetch", "download")


def _pressed(page: LabPage, knob: str, act: str, icon: str) -> bool:
    key = f"{page.lab.id}.{knob}.{act}"
    return st.button(page.text(f"model.{act}"), icon=f":material/{icon}:", key=key)
