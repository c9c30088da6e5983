"""The second experiment of the depth lab: which stacks learn in a hundred steps, how deep, how fast."""

from collections.abc import Mapping

import streamlit as st

from app.charts import depth as charts
from app.job import JobView
from app.page import LabPage
from app.provenance import MEASURED
from labcore.architecture import depth_training as lab
from labcore.architecture.depth_training import Grid, SweepConfig, SweepResult

COMPARED = {
    "norm": ("pre", "post", "no_norm", "no_residual"),
    "warm_up": ("pre", "pre_cold", "post", "post_cold"),
    "init": ("pre", "pre_plain", "post", "post_plain"),
}
AXES = ("depth", "rate")
RATES = tuple(str(rate) for rate in lab.RATES)
DEPTHS = tuple(str(depth) for depth in lab.DEPTHS)
DEFAULT_RATE = str(SweepConfig().learning_rate)


def draw(page: LabPage) -> None:
    recording = page.recording("grid", Grid)
    left, right = st.columns(2)
    with left:
        names = COMPARED[page.choice("compare", tuple(COMPARED), "norm")]
        axis = page.choice("axis", AXES, "depth")
    with right:
        rate = page.choice("rate", RATES, DEFAULT_RATE, style="slide", label=str)
        depth = DEPTHS[-1]
        if axis == "rate":
            depth = page.choice("depth", DEPTHS, DEPTHS[-1], style="slide", label=str)
    st.markdown(page.text("live.about"))
    config = own_run(page, names, float(rate))
    guess = page.predict("deepest", options=("better", "like", "worse", "stuck"))

    def picture(view: JobView | None) -> None:
        finals = live_finals(view, float(rate))
        if axis == "depth":
            figure = charts.by_depth(recording.result, names, float(rate), finals, page.text)
        else:
            there = {float(rate): finals[int(depth)]} if int(depth) in finals else {}
            figure = charts.by_rate(recording.result, names, int(depth), there, page.text)
        page.figure(figure, recording.provenance, f"by_{axis}")
        progress(page, config, view)
        if view is not None and view.result is not None:
            page.reveal(guess, view.result.verdict)

    page.job(lab.sweep, config, picture)
    offer_notebook(page, config)


def own_run(page: LabPage, names: tuple[str, ...], rate: float) -> SweepConfig:
    """The run that Run starts: one of the lines on show, with a seed of one's own."""
    left, right = st.columns([3, 1])
    with left:
        name = page.choice("variant", names, names[0], style="pills")
    with right:
        seed = page.number("seed", 0, 9999, 0)
    design, warm_up = lab.VARIANTS[name]
    return SweepConfig(design, warm_up, rate, seed=seed)


def live_finals(view: JobView | None, rate: float) -> dict[int, float]:
    """{depth: nats on held-out text} of the stacks that the learner's run has finished.

    Nothing of a run at another rate than the one on show: its points would lie.
    """
    if view is None:
        return {}
    if view.result is not None:
        result: SweepResult = view.result
        finals = dict(zip(result.depths, map(float, result.final_nats), strict=True))
        return finals if result.learning_rate == rate else {}
    return {
        event.depth: event.final_nats
        for event in view.events
        if event.final_nats is not None and event.learning_rate == rate
    }


def progress(page: LabPage, config: SweepConfig, view: JobView | None) -> None:
    """The training losses of the run so far."""
    losses: Mapping[int, list[float]] = {}
    if view is not None and view.result is not None:
        losses = dict(zip(view.result.depths, view.result.loss_nats, strict=True))
    elif view is not None:
        losses = {depth: [] for depth in dict.fromkeys(event.depth for event in view.events)}
        for event in view.events:
            losses[event.depth].append(event.loss_nats)
    if losses:
        page.figure(charts.courses(losses, config.steps, page.text), MEASURED, "courses")


def offer_notebook(page: LabPage, config: SweepConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import depth_training as lab\n"
        "from labcore.architecture.deep_stacks import Design\n\n"
        f"config = lab.{config!r}\n"
        "result = lab.run(config)",
        "import pandas as pd\n\n"
        'pd.DataFrame({"layers": result.depths, "final nats": result.final_nats})',
        "print(result.floor_nats, result.constant_nats, result.seconds)",
    )
