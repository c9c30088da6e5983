"""Find the fault: a run with something wrong in it, first guessed by the learner, then named by the rules."""

import streamlit as st

from app.charts.monitor import Band
from app.job import JobView
from app.labs.pretraining import monitor_run as run
from app.labs.pretraining import monitor_session as session
from app.labs.pretraining.findings import draw_findings
from app.page import LabPage
from app.provenance import COMPUTED, MEASURED
from labcore.pretraining import mystery as lab
from labcore.pretraining.fault_study import FaultStudy
from labcore.pretraining.monitor import MonitorResult
from labcore.pretraining.mystery import MysteryConfig
from labcore.training.diagnosis import diagnose
from labcore.training.faults import FAULTS
from labcore.training.signals import RunLog

MODES = ("mystery", "known")
GUESS = "monitor.predict.fault"  # where the frame keeps the learner's answer
ASKED = "monitor.mystery.asked"  # the mystery that it is an answer to


def draw(page: LabPage) -> None:
    study = page.recording("faults", FaultStudy)
    mode = page.choice("mode", MODES, "mystery")
    left, right = st.columns(2)
    if mode == "mystery":
        with left:
            number = page.number("number", 0, lab.LAST_MYSTERY, 1)
        if st.session_state.get(ASKED) != number:
            st.session_state.pop(GUESS, None)
            st.session_state[ASKED] = number
        config = MysteryConfig(number)
    else:
        with left:
            fault = page.choice("fault", FAULTS, "rate_too_high", style="select")
        with right:
            seed = page.number("fault_seed", 0, 9999, 0)
        config = MysteryConfig(None, fault, seed)
        page.caption(f"fault.{fault}.about")
    band = Band(study.result.healthy)
    page.caption("band.about", seeds=len(study.result.seeds))
    if mode == "mystery":
        page.job(lab.mystery, config, lambda view: unsolved(page, config, view, band))
    else:
        page.job(lab.mystery, config, lambda view: known(page, config, view, study, band))
    offer_notebook(page, config)


def unsolved(page: LabPage, config: MysteryConfig, view: JobView | None, band: Band) -> None:
    """The signals of a mystery; its name only after the learner has given one."""
    if view is None:
        page.caption("mystery.press_run", number=config.number)
    elif view.result is not None:
        result: MonitorResult = view.result
        whole(page, result, band)
        guess = page.predict("fault", options=FAULTS)
        session.keep(result, hidden=guess is None)
        if guess is not None:
            page.reveal(guess, result.config.fault)
            say_findings(page, result.log)
    elif view.events:
        so_far(page, view, band)


def known(page: LabPage, config: MysteryConfig, view: JobView | None, study, band: Band) -> None:
    """A fault that is told: the recorded run of it, or the learner's own."""
    if view is None:
        if config.seed == 0:
            log = study.result.log(config.fault)
            page.caption("job.recorded")
            run.panels(page, config.monitor(), log, [], None, study.provenance, band=band)
            say_findings(page, log)
        else:
            page.caption("press_run")
    elif view.result is not None:
        whole(page, view.result, band)
        session.keep(view.result)
        say_findings(page, view.result.log)
    elif view.events:
        so_far(page, view, band)


def whole(page: LabPage, result: MonitorResult, band: Band) -> None:
    """The panels of every watched run, with healthy runs behind them."""
    run.panels(
        page, result.config, result.log, result.looks, result.flops_per_token, MEASURED, band=band
    )


def so_far(page: LabPage, view: JobView, band: Band) -> None:
    log, config = run.log_so_far(view.events), view.events[0].config
    run.panels(page, config, log, [], None, MEASURED, band=band)


def say_findings(page: LabPage, log: RunLog) -> None:
    """What the rules say of these signals, which is all that they know."""
    with st.container(horizontal=True, horizontal_alignment="distribute", key="monitor-findings"):
        st.markdown(f"**{page.text('findings')}**", width="content")
        page.badge(COMPUTED)
    draw_findings(page.text, diagnose(log))
    st.caption(page.text("findings.about"))


def offer_notebook(page: LabPage, config: MysteryConfig) -> None:
    page.offer_notebook(
        "from labcore.pretraining import mystery as lab\n\n"
        f"config = lab.{config!r}\nresult = lab.run(config)",
        "from labcore.training.diagnosis import diagnose\n\n"
        "for finding in diagnose(result.log)[:3]:\n"
        "    print(finding.fault, round(finding.strength, 2), finding.facts)",
        "print(config.injected)  # the answer",
    )
