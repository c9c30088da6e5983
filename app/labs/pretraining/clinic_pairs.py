"""Nine patients: look at the curve, order a signal, guess; then the healthy twin and the evidence."""

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
    guess = prediction.ask(f"clinic-{number}", "patient", page.text, options=FAULTS)
    told = page.toggle("told", False)
    open_ = told or guess is not None
    name = page.choice("signal", charts.SIGNALS, "grad_norm", style="pills")
    page.job(lab.train_pair, config, lambda view: picture(page, config, view, guess, open_, name))
    page.offer_notebook(*notebook(config))


def picture(
    page: LabPage, config: PairConfig, view: JobView | None, guess: prediction.Guess | None,
    open_: bool, signal: str,
) -> None:  # fmt: skip
    """The patient; the twin, the diagnosis and the cause once a guess is locked."""
    found = logs(page, config, view)
    if found is None:
        page.caption("press_run")
        return
    sick, twin, source, over = found
    if len(sick.step) < STEPS_BEFORE_A_PICTURE:
        return
    findings = diagnose(sick) if open_ and over else ()
    step = findings[0].facts.get("step") if findings else None
    marks = [] if step is None else [(step, page.text("mark.step", step=f"{step:.0f}"))]
    alt = page.text(
        "alt.losses", number=config.case, first=f"{sick.loss_nats[0]:.2f}",
        last=f"{sick.loss_nats[-1]:.2f}", steps=len(sick.step),
    )  # fmt: skip
    page.figure(
        charts.losses(sick, twin if open_ else None, page.text, alt, marks), source, "losses"
    )
    page.figure(charts.signal(sick, twin if open_ else None, signal, page.text), source, "signal")
    if not open_:
        page.caption("guess_first")
    elif over:
        verdict(page, config, sick, twin, guess)


def verdict(
    page: LabPage, config: PairConfig, sick: RunLog, twin: RunLog, guess: prediction.Guess | None
) -> None:
    page.reveal(guess, CASES[config.case].fault)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(page.text("verdict.rules"))
        draw_findings(page.text, diagnose(sick))
    with right:
        st.markdown(page.text("verdict.cause"))
        cause = page.text(f"cause.{config.case}", **lab.moments(config.steps))
        st.info(cause, icon=":material/build:")
        st.markdown(page.text(f"lesson.{config.case}"))
    st.download_button(
        page.text("take.log"), lambda: as_csv(sick), file_name=f"patient-{config.case}.csv",
        mime="text/csv", on_click="ignore", type="tertiary", icon=":material/download:",
        key="clinic.take",
    )  # fmt: skip


def logs(
    page: LabPage, config: PairConfig, view: JobView | None
) -> tuple[RunLog, RunLog, Provenance, bool] | None:
    """Patient, twin, where they come from, and whether both are through; None where nothing ran yet."""
    if view is not None and view.result is not None:
        result: PairResult = view.result
        return result.sick, result.twin, MEASURED, True
    if view is not None and view.events:
        steps = [[e.step for e in view.events if e.sick is sick] for sick in (True, False)]
        return *map(lab.log_of_steps, steps), MEASURED, False
    recording = page.recording("pairs", PairsStudy)
    study: PairsStudy = recording.result
    if view is not None or config.seed not in study.seeds or config.steps != study.steps:
        return None
    case, at = CASES[config.case], study.seeds.index(config.seed)
    return study.runs[case.sick][at], study.runs[case.twin][at], recording.provenance, True


def notebook(config: PairConfig) -> tuple[str, ...]:
    return (
        "from labcore.pretraining import clinic\n"
        "from labcore.training.diagnosis import diagnose\n\n"
        f"result = clinic.run(clinic.{config!r})",
        "for name, log in (('patient', result.sick), ('twin', result.twin)):\n"
        "    for finding in diagnose(log):\n"
        "        print(name, finding.fault, round(finding.strength, 2), finding.facts)",
        "import pandas as pd\n\n"
        "pd.DataFrame({'patient': pd.Series(result.sick.loss_nats),\n"
        "              'twin': pd.Series(result.twin.loss_nats)}).plot()",
    )
