"""The runs of this session, kept for the comparison; and a run that the learner has taken up again."""

from dataclasses import dataclass

import streamlit as st

from app.page import LabPage
from labcore.errors import LabInputError
from labcore.pretraining import monitor as lab
from labcore.pretraining.fault_study import narrow
from labcore.pretraining.monitor import MonitorConfig, MonitorResult
from labcore.training.signals import RunLog

_RUNS, _TAKEN = "monitor.runs", "monitor.taken_up"
MOST_RUNS = 20  # the oldest is let go


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What the table needs of a run; its weights are not kept."""

    config: MonitorConfig
    log: RunLog
    final_nats: float
    parameters: int
    memory_numbers: int
    flops_per_token: float
    seconds: float
    hidden: bool = False  # a mystery that has not been solved: its fault is not told


def keep(result: MonitorResult, hidden: bool = False) -> None:
    """Put a finished run on the table, once."""
    runs = st.session_state.setdefault(_RUNS, {})
    config = result.config
    name = config, int(result.log.step[0])
    if name in runs and runs[name].hidden == hidden:
        return
    runs[name] = Kept(
        config, narrow(result.log), result.final_nats, result.parameters, result.memory_numbers,
        result.flops_per_token, result.seconds, hidden,
    )  # fmt: skip
    while len(runs) > MOST_RUNS:
        runs.pop(next(iter(runs)))


def kept() -> list[Kept]:
    """Oldest first."""
    return list(st.session_state.get(_RUNS, {}).values())


def forget() -> None:
    st.session_state.pop(_RUNS, None)


# A run that goes on.


def taken_up() -> bytes:
    """The file of the run that the learner goes on with; empty for a new run."""
    return st.session_state.get(_TAKEN, b"")


def take_up(data: bytes) -> None:
    st.session_state[_TAKEN] = data


def put_away() -> None:
    for key in (_TAKEN, "monitor.checkpoint.file"):
        st.session_state.pop(key, None)


def bring(page: LabPage) -> None:
    """The field for a file from another day; a file that is none is refused with a sentence."""
    file = st.file_uploader(
        page.text("resume.bring"), type="safetensors", key="monitor.checkpoint.file",
        help=page.text("resume.bring.help"),
    )  # fmt: skip
    if file is None:
        return
    try:
        lab.config_in(file.getvalue())
    except LabInputError as error:
        page.error(error)
    else:
        take_up(file.getvalue())
