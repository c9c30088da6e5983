"""Nine patients: look at the curve, order a signal, guess; then the healthy twin and the evidence."""

from dataclasses import dataclass

import streamlit as st

from app import prediction
from app.charts import clinic as charts
from app.job import JobView
from app.labs.pretraining.findings import draw_findings
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.pretraining import clinic as lab
from labcore.pretraining.clinic import CASES, PairConfig, PairResult
from labcore.pretraining.clinic_study import PairsStudy
from labcore.training.diagnosis import diagnose
from labcore.training.log_writing import as_csv
from labcore.training.signals import RunLog

FAULTS = tuple(dict.fromkeys(case.fault for case in CASES.values()))
STEPS_BEFORE_A_PICTURE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What is on the page: both runs as far as they are."""

    sick: RunLog
    twin: RunLog
    source: Provenance
    over: bool


def draw(page: LabPage) -> None:
    number = page.choice(
        "case", tuple(CASES), "1", style="pills", label=lambda n: page.text("patient", number=n)
    )
    left, right = st.columns(2)
    with left:
        steps = page.slider("steps", *lab.LIMITS["steps"], PairConfig().steps, 20)
    with right:
        seed = page.number("seed", *lab.LIMITS["seed"], 0)
    config = PairConfig(number, steps, seed)
    st.markdown(f"> {page.text(f'complaint.{number}')}")
    left, right = st.columns([3, 2], gap="medium")
    with right:
        guess = prediction.ask(f"clinic-{number}", "patient", page.text, options=FAULTS)
        open_ = page.toggle("told", False) or guess is not None
        signal = page.choice("signal", charts.SIGNALS, "grad_norm", style="pills")
        if not open_:
            page.caption("guess_first")
    on_show: list[Shown] = []

    def picture(view: JobView | None) -> None:
        shown = runs(page, config, view)
        if shown is None:
            page.caption("press_run")
        elif len(shown.sick.step) >= STEPS_BEFORE_A_PICTURE:
            on_show.append(shown)
            draw_patient(page, config, shown, open_, signal)

    with left:
        page.job(lab.train_pair, config, picture)
    if open_ and on_show and on_show[-1].over:  # when a run ends, the whole page is drawn again
        verdict(page, config, on_show[-1], guess)
    page.offer_notebook(*notebook(config))


def draw_patient(page: LabPage, config: PairConfig, shown: Shown, open_: bool, signal: str) -> None:
    """The patient; beside it the twin and the step of the evidence, once they may be seen."""
    sick, twin = shown.sick, shown.twin if open_ else None
    step = diagnose(sick)[0].facts.get("step") if open_ and shown.over else None
    marks = [] if step is None else [(step, page.text("mark.step", step=f"{step:.0f}"))]
    alt = page.text(
        "alt.losses", number=config.case, first=f"{sick.loss_nats[0]:.2f}",
        last=f"{sick.loss_nats[-1]:.2f}", steps=len(sick.step),
    )  # fmt: skip
    page.figure(charts.losses(sick, twin, page.text, alt, marks), shown.source, "losses")
    page.figure(charts.signal(sick, twin, signal, page.text), shown.source, "signal")


def verdict(
    page: LabPage, config: PairConfig, shown: Shown, guess: prediction.Guess | None
) -> None:
    """How the guess fared; what the rules say, what had been done, and what can be learnt from it."""
    page.reveal(guess, CASES[config.case].fault)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(page.text("verdict.rules"))
        draw_findings(page.text, diagnose(shown.sick))
    with right:
        st.markdown(page.text("verdict.cause"))
        cause = page.text(f"cause.{config.case}", **lab.moments(config.steps))
        st.info(cause, icon=":material/build:")
        st.markdown(page.text(f"lesson.{config.case}"))
    st.download_button(
        page.text("take.log"), lambda: as_csv(shown.sick), file_name=f"patient-{config.case}.csv",
        mime="text/csv", on_click="ignore", type="tertiary", icon=":material/download:",
        key="clinic.take",
    )  # fmt: skip


def runs(page: LabPage, config: PairConfig, view: JobView | None) -> Shown | None:
    """The learner's own pair, or the recorded one of the same settings; None where there is none."""
    if view is not None and view.result is not None:
        result: PairResult = view.result
        return Shown(result.sick, result.twin, MEASURED, over=True)
    if view is not None and view.events:
        steps = [[e.step for e in view.events if e.sick is sick] for sick in (True, False)]
        return Shown(*map(lab.log_of_steps, steps), MEASURED, over=False)
    recording = page.recording("pairs", PairsStudy)
    study: PairsStudy = recording.result
    if view is not None or config.seed not in study.seeds or config.steps != study.steps:
        return None
    case, at = CASES[config.case], study.seeds.index(config.seed)
    sick, twin = study.runs[case.sick][at], study.runs[case.twin][at]
    return Shown(sick, twin, recording.provenance, over=True)


def notebook(config: PairConfig) -> tuple[str, ...]:
    return (
        "from labcore.pretraining import clinic\n"
        "from labcore.training.diagnosis import diagnose\n\n"
        f"result = clinic.run(clinic.{config!r})",
        "for name, log in (('patient', result.sick), ('twin', result.twin)):\n"
        "    for finding in diagnose(log):\n"
        "        print(name, finding.fault, round(finding.strength, 2), finding.facts)",
        "import pandas as pd\n\n"
        "runs = {'patient': result.sick, 'twin': result.twin}\n"
        "columns = {name: pd.Series(log.loss_nats) for name, log in runs.items()}\n"
        "pd.DataFrame(columns).iloc[::10]",
    )
