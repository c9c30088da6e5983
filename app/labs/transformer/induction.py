"""Induction heads: watch the circuit form with its controls beside it, then cut it apart."""

from collections.abc import Sequence

import streamlit as st

from app.charts import induction as charts
from app.job import JobView
from app.labs.transformer import induction_surgery
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from app.results import Recording
from labcore.architecture import induction as lab
from labcore.architecture.head_patterns import head_scores, pattern_targets
from labcore.architecture.induction import InductionConfig, InductionResult, Look
from labcore.architecture.induction_cases import Comparison
from labcore.architecture.induction_surgery import cut_wires, knock_out
from labcore.text.repetition import distinct_rows

SHOWN = (
    distinct_rows, lab.known_targets, lab.form, pattern_targets, head_scores, knock_out, cut_wires,
)  # fmt: skip

PARTS = ("forming", "surgery")
HEADS = ("1", "2", "4", "8")
RATES = ("0.0003", "0.001", "0.002", "0.003", "0.005", "0.01", "0.03")
DEFAULT = InductionConfig()
NEARLY_ALL, QUARTER = 0.75, 0.25


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    if part == "surgery":
        induction_surgery.draw(page)
        return
    config = knobs(page)
    guess = page.predict("growth", options=("steady", "jump", "never"))
    page.job(lab.form, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(*notebook(config))


# The knobs.


def knobs(page: LabPage) -> InductionConfig:
    left, right = st.columns(2)
    with left:
        layers = page.choice("num_layers", ("1", "2", "3"), str(DEFAULT.num_layers), label=str)
        heads = page.choice("num_heads", HEADS, str(DEFAULT.num_heads), label=str)
    with right:
        period = page.choice("period", lab.CHOICES["period"], DEFAULT.period)
        fixed = DEFAULT.fixed_period
        if period == "fixed":
            fixed = page.slider("fixed_period", *map(int, lab.LIMITS["fixed_period"]), fixed)
    with st.expander(page.text("more"), key="induction-more"):
        left, right = st.columns(2)
        with left:
            positions = page.choice(
                "positions", lab.CHOICES["positions"], DEFAULT.positions, style="select"
            )
            rate = page.choice(
                "learning_rate", RATES, str(DEFAULT.learning_rate), style="select", label=str
            )
        with right:
            steps = page.slider("steps", 50, 1500, DEFAULT.steps, 50)
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return InductionConfig(
        num_layers=int(layers), num_heads=int(heads), period=period, fixed_period=fixed,
        positions=positions, learning_rate=float(rate), steps=steps, seed=seed,
    )  # fmt: skip


# The pictures.


def draw(page: LabPage, config: InductionConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is, before it the recorded default; the controls always."""
    recorded = page.recording("cases", Comparison)
    if view is None and config == DEFAULT:
        default = page.recording("default", InductionResult)
        page.caption("job.recorded")
        draw_course(page, config, default.result.looks, default.provenance)
        draw_controls(page, recorded, None)
        draw_result(page, config, default.result, default.provenance)
        draw_shortcut(page, recorded, None)
    elif view is None:
        page.caption("press_run")
        draw_controls(page, recorded, None)
        draw_shortcut(page, recorded, None)
    elif view.result is not None:
        draw_course(page, config, view.result.looks, MEASURED)
        page.reveal(guess, lab.growth(view.result.looks))
        draw_controls(page, recorded, view.result.looks)
        draw_result(page, config, view.result, MEASURED)
        draw_shortcut(page, recorded, view.result)
    elif view.events:
        draw_course(page, config, view.events, MEASURED)
        draw_controls(page, recorded, view.events)


def draw_course(
    page: LabPage, config: InductionConfig, looks: Sequence[Look], source: Provenance
) -> None:
    page.figure(charts.circuit(looks, config, page.text), source, "circuit")


def draw_controls(page: LabPage, recorded: Recording, looks: Sequence[Look] | None) -> None:
    """What two layers can and one cannot, over five seeds."""
    figure = charts.controls(recorded.result, looks, page.text)
    page.figure(figure, recorded.provenance, "controls")


def draw_shortcut(page: LabPage, recorded: Recording, result: InductionResult | None) -> None:
    """What a fixed period hides, once it is predicted or asked for."""
    st.subheader(page.text("shortcut"), anchor=False)
    comparison, source = recorded.result, recorded.provenance
    found = band(float(comparison.cases["fixed"].hard_accuracy[:, -1].mean()))
    if not page.guess_first("shortcut", ("all", "half", "quarter"), found):
        return
    page.figure(charts.by_period(comparison, result, page.text), source, "by_period")
    page.figure(charts.impostor(comparison, page.text), source, "impostor")


def band(share: float) -> str:
    """How much of what can be known is right.

    >>> band(0.9), band(0.5), band(0.2)
    ('all', 'half', 'quarter')
    """
    return "all" if share > NEARLY_ALL else "half" if share > QUARTER else "quarter"


def draw_result(
    page: LabPage, config: InductionConfig, result: InductionResult, source: Provenance
) -> None:
    """The finished run: its losses, its heads at any moment, and the knife."""
    say_outcome(page, result)
    page.figure(charts.losses(result.looks, config, page.text), source, "losses")
    page.part(draw_heads, page, result, source)
    draw_knife(page, result, source)


def say_outcome(page: LabPage, result: InductionResult) -> None:
    """When it came, in a sentence."""
    if result.diverged:
        st.warning(page.text("diverged"), icon=":material/trending_up:")
    half, last = lab.half_way(result.looks), result.looks[-1].own.accuracy
    key = "outcome.never" if half is None else "outcome.half"
    numbers = {"accuracy": f"{last:.0%}", "parameters": f"{result.parameters:,}"}
    st.markdown(page.text(key, step=half, **numbers))


def draw_heads(page: LabPage, result: InductionResult, source: Provenance) -> None:
    """Every head's map at the moment that the learner chooses."""
    st.subheader(page.text("scrub"), anchor=False)
    steps = [str(look.step) for look in result.looks]
    moment = page.choice("moment", steps, steps[-1], style="slide", label=str)
    look = result.looks[steps.index(moment)]
    layers, heads = look.maps.shape[:2]
    last = int(look.own.induction[-1].argmax())  # the head of the last layer that copies most
    figure = charts.maps(look, result.probe, page.text, (layers - 1) * heads + last)
    page.figure(figure, source, "maps")


def draw_knife(page: LabPage, result: InductionResult, source: Provenance) -> None:
    """What is left when heads are silent, and which wire between the layers it hangs on."""
    st.subheader(page.text("knife"), anchor=False)
    left, right = st.columns(2)
    knockouts = result.knockouts
    with left:
        page.figure(charts.head_off(knockouts.head_off, page.text), source, "head_off")
    with right:
        page.figure(charts.wires(knockouts.wires, page.text), source, "wires")


def notebook(config: InductionConfig) -> Sequence[str]:
    """The same run with labcore alone."""
    return (
        "from labcore.architecture import induction as lab\n\n"
        f"result = lab.run(lab.InductionConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        '    print(f"step {look.step:4}: {look.own.accuracy:.2f} of what can be known, "\n'
        '          f"previous-token score {look.own.previous.max():.2f}, "\n'
        '          f"induction score {look.own.induction.max():.2f}")',
        "print(result.knockouts)\n"
        "dict(zip(result.tested_periods.tolist(), result.by_period.round(2).tolist()))",
    )
