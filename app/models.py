"""Models on the page: fetched behind the scenes, with progress, once for everybody.

A loader thread does the work, so a learner who goes elsewhere does not stop it, and one who comes back
finds it done. It is a daemon: a server that is told to end does not wait for a hub.
"""

import threading
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

import streamlit as st

from app.i18n import Words
from labcore import zoo
from labcore.zoo import own

POLL_SECONDS = 0.2


@dataclass
class Loading:
    future: Future = field(default_factory=Future)
    share: float = 0.0  # 0..1 of the present stage
    stage: str = "loading"


_places = threading.Semaphore(4)  # loads at a time
_loading: dict[str, Loading] = {}
_lock = threading.Lock()


def obtain(name: str, words: Words) -> zoo.LoadedModel:
    """The model `name`, from memory if it is there; else load it and show how far that is.

    Raises LabInputError where the model cannot be had.
    """
    with _lock:
        loading = _loading.get(name)
        if loading is None:
            loading = _loading[name] = Loading()
            threading.Thread(
                target=_carry_out, args=(name, loading), name="model-loader", daemon=True
            ).start()
    if not loading.future.done():
        _show(loading, name, words)
    with _lock:
        _loading.pop(name, None)  # the zoo keeps what is loaded, and forgets what is idle
    return loading.future.result()


def is_under_way(name: str) -> bool:
    """Whether somebody has asked for the model and it is not here yet."""
    with _lock:
        return name in _loading


def _carry_out(name: str, loading: Loading) -> None:
    try:
        with _places:
            loading.future.set_result(_load(name, loading))
    except BaseException as error:
        loading.future.set_exception(error)


def _load(name: str, loading: Loading) -> zoo.LoadedModel:
    def on_progress(share: float, stage: str) -> None:
        loading.share, loading.stage = share, stage

    return zoo.load(name, on_progress=on_progress)


def _show(loading: Loading, name: str, words: Words) -> None:
    bar = None
    while not _done_within(loading.future, POLL_SECONDS):
        told = words(
            "model.loading", model=title(name, words), stage=words(f"model.stage.{loading.stage}")
        )
        bar = bar or st.progress(0.0)
        bar.progress(min(max(loading.share, 0.0), 1.0), text=told)
    if bar:
        bar.empty()


def _done_within(future: Future, seconds: float) -> bool:
    return bool(wait([future], timeout=seconds).done)


def title(name: str, words: Words) -> str:
    """A model's name for readers; a hub id stands for itself."""
    if name.startswith(own.PREFIX):
        return words("model.own", id=name.removeprefix(own.PREFIX)[:6])
    return words.find(f"model.{name}") or name
