"""The best plan: what it is, what memory and time it takes, why not another."""

import streamlit as st

from app.charts import planner as charts
from app.labs.pretraining.planner_knobs import knobs
from app.labs.pretraining.planner_timeline import MOST_CHUNKS, MOST_MICRO_BATCHES, MOST_STAGES
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.distributed import planner as lab
from labcore.distributed.planner import PlannerConfig, PlannerResult, PlanReport
from labcore.distributed.search import VERDICTS
from labcore.errors import LabInputError

WAYS = ("tp", "pp", "cp", "ep")


def draw(page: LabPage) -> None:
    try:
        config = knobs(page)
        result = page.run(lab.run, config)
    except LabInputError as error:
        page.error(error)
        return
    plan = result.best or result.nearest
    if plan is None:
        st.warning(page.text("nothing_divides", devices=result.devices, batch=result.batch))
        return
    with st.container(key="planner-answer"):
        say_plan(page, result, plan)
    left, right = st.columns([5, 6], gap="medium")
    with left:
        page.figure(charts.memory_by_stage(plan, page.text), ANALYTIC, "memory")
    with right:
        page.figure(charts.step_parts(compared(page, result, plan), page.text), ANALYTIC, "step")
    say_why(page, config, result, plan)
    page.figure(charts.candidates(result, page.text), ANALYTIC, "candidates")
    pick_from_table(page, result)
    draw_messages(page, plan)
    draw_scaling(page, config, result)
    page.offer_notebook(*notebook(config))


# The answer in words.


def say_plan(page: LabPage, result: PlannerResult, plan: PlanReport) -> None:
    if result.best is None:
        lack = (plan.memory_bytes - plan.limit_bytes) / 1e9
        st.warning(page.text("none_fits", gigabytes=f"{lack:,.1f}"), icon=":material/memory:")
        st.markdown(page.text("plan.nearest", plan=in_words(page, plan)))
    else:
        st.markdown(page.text("plan.best", plan=in_words(page, plan)))
    draw_metrics(page, plan)


def draw_metrics(page: LabPage, plan: PlanReport) -> None:
    days = 1e12 / plan.tokens_per_second / 86400
    figures = {
        "seconds": f"{plan.seconds:.3g} s",
        "mfu": f"{100 * plan.mfu:.1f} %",
        "memory": f"{plan.memory_bytes / 1e9:,.1f} GB",
        "tokens": short_number(plan.tokens_per_second),
        "days": f"{days:,.0f}" if days >= 100 else f"{days:.3g}",
    }
    with st.container(horizontal=True, gap="medium", key="planner-metrics"):
        for name, value in figures.items():
            st.metric(
                page.text(f"metric.{name}"), value, width="content",
                help=page.text(f"metric.{name}.help"),
            )  # fmt: skip


def short_number(value: float) -> str:
    """
    >>> short_number(1_234_000), short_number(950)
    ('1.23 M', '950')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def in_words(page: LabPage, plan: PlanReport) -> str:
    """The plan as a list of what is done to the model."""
    layout, text = plan.layout, page.text
    words = [text("say.dp", ways=layout.dp) if layout.dp > 1 else text("say.dp.one")]
    words += [
        text(f"say.{way}", ways=getattr(layout, way)) for way in WAYS if getattr(layout, way) > 1
    ]
    if layout.replicas > 1:  # alone there is nobody to share with
        words.append(text(f"say.zero.{layout.zero}"))
    words.append(text("say.micro", size=layout.micro_batch, count=f"{plan.micro_batches:,.4g}"))
    words.append(text(f"say.recompute.{layout.recompute}"))
    return text("list.comma").join(words)


# Why this one.


def compared(page: LabPage, result: PlannerResult, plan: PlanReport) -> dict[str, PlanReport]:
    """The plan, and the best plans that do without one of its parts, for the bars."""
    rows = {page.text("bar.best" if result.best else "bar.nearest"): plan}
    for what in parts_used(plan):
        other = result.without[what]
        if other is not None:
            label = page.text(f"without.{what}")
            if VERDICTS[other.verdict] == "memory":
                label = page.text("bar.lacks", label=label)
            rows[label] = other
    return rows


def parts_used(plan: PlanReport) -> list[str]:
    layout = plan.layout
    used = [way for way in WAYS if getattr(layout, way) > 1]
    used += ["zero"] if layout.zero else []
    used += ["recompute"] if layout.recompute else []
    if layout.tp * layout.pp * layout.cp > 1:
        used.append("split")
    return used


def say_why(page: LabPage, config: PlannerConfig, result: PlannerResult, plan: PlanReport) -> None:
    """Each part of the plan, and what would be without it; what did not fit; the bubble, checked."""
    lines = [why(page, what, plan, result.without[what]) for what in parts_used(plan)]
    lines.append(counts(page, result))
    bubble = lab.simulated_bubble(config, plan)
    if bubble is not None:
        simulated, formula = (f"{100 * share:.2f}" for share in bubble)
        lines.append(page.text("why.bubble", simulated=simulated, formula=formula))
    st.markdown(page.text("why.title"))
    st.markdown("\n".join(f"- {line}" for line in lines))
    if plan.layout.pp > 1:
        st.button(
            page.text("timeline.open"), icon=":material/view_timeline:", type="tertiary",
            key="planner.timeline", on_click=open_timeline, args=(page, config, plan),
        )  # fmt: skip


def open_timeline(page: LabPage, config: PlannerConfig, plan: PlanReport) -> None:
    """The same pipeline in the third part, as far as it can be drawn."""
    stages = min(plan.layout.pp, MOST_STAGES)
    most = min(int(plan.micro_batches), MOST_MICRO_BATCHES)
    whole = max(1, most // stages) * stages  # interleaving needs whole rounds
    knobs = {
        "part": "timeline", "pipeline": config.schedule, "stages": stages,
        "micro_batches": whole if config.schedule == "interleaved" else most,
        "pieces": min(config.chunks, MOST_CHUNKS),
    }  # fmt: skip
    for knob, value in knobs.items():
        page.controls.set(knob, value)


def why(page: LabPage, what: str, plan: PlanReport, other: PlanReport | None) -> str:
    name = page.text(f"without.{what}")
    if other is None:
        return page.text("why.impossible", what=name)
    short = charts.in_short(other.layout, page.text)
    if VERDICTS[other.verdict] == "memory":
        lack = (other.memory_bytes - other.limit_bytes) / 1e9
        return page.text("why.memory", what=name, gigabytes=f"{lack:,.1f}", plan=short)
    ratio = other.seconds / plan.seconds
    return page.text("why.slower", what=name, ratio=f"{ratio:.2f}", plan=short)


def counts(page: LabPage, result: PlannerResult) -> str:
    verdict = result.judged.verdict
    return page.text(
        "why.counts", all=f"{verdict.size:,}",
        **{name: f"{int((verdict == code).sum()):,}" for code, name in enumerate(VERDICTS)},
    )  # fmt: skip


# All candidates as a table; a row becomes a plan of one's own.


def pick_from_table(page: LabPage, result: PlannerResult) -> None:
    show = page.choice("show", VERDICTS, "fits", style="pills")
    ranked = charts.ranked(result.judged, show)
    if not ranked.size:
        page.caption("show.none")
        return
    st.dataframe(
        charts.candidate_table(result.judged, ranked, page.text), hide_index=True, height=240,
        key=f"planner.figure.table.{show}", on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    page.caption("show.about", count=len(ranked))
    chosen = page.clicked(f"table.{show}")
    if chosen and chosen["rows"] and chosen["rows"][0] < len(ranked):
        take_over(page, result, int(ranked[chosen["rows"][0]]))
        page.caption("show.taken")


def take_over(page: LabPage, result: PlannerResult, index: int) -> None:
    """Set the knobs of "Your own plan" to a candidate's values."""
    layout = result.judged.layouts.take(index)
    for way in (*WAYS, "zero", "micro_batch", "recompute"):
        page.controls.set(way, str(getattr(layout, way)))


# Messages, and more devices.


def draw_messages(page: LabPage, plan: PlanReport) -> None:
    with st.expander(page.text("messages.title"), key="planner-messages"):
        page.caption("messages.about")
        if plan.flows:
            st.dataframe(charts.messages(plan, page.text), hide_index=True)
        else:
            page.caption("messages.none")


def draw_scaling(page: LabPage, config: PlannerConfig, result: PlannerResult) -> None:
    """Predict what sixteen times the devices gain for the same batch; then the curve."""
    guess = page.predict("sixteen", low=1.0, high=32.0, step=0.5, unit=page.text("unit.times"))
    if guess is None and not page.toggle("unveil_scaling", False):
        return
    scaling = page.run(lab.strong_scaling, config)
    gain = gain_of(scaling, result.devices, 16 * result.devices)
    if gain is None:
        page.caption("scaling.none")
    else:
        page.reveal(guess, gain, tolerance=0.2)
    if (scaling.tokens_per_second > 0).any():
        page.figure(charts.scaling(scaling, result.devices, page.text), ANALYTIC, "scaling")


def gain_of(scaling: lab.Scaling, devices: int, more: int) -> float | None:
    """How many times as fast `more` devices are; None where either cannot train the model."""
    speed = dict(zip(scaling.devices.tolist(), scaling.tokens_per_second.tolist(), strict=True))
    few, many = speed.get(devices), speed.get(more)
    return many / few if few and many and few == few and many == many else None


def notebook(config: PlannerConfig) -> tuple[str, ...]:
    return (
        "from labcore.distributed import planner\n\n"
        f"config = planner.{config!r}\n"
        "result = planner.run(config)\n"
        "plan = result.best or result.nearest\n"
        "print(plan and plan.layout)",
        "if plan:\n"
        '    print(f"{plan.seconds:.2f} s, MFU {plan.mfu:.1%}, {plan.memory_bytes / 1e9:.1f} GB")\n'
        "    print(plan.time)\n"
        "    for flow in plan.flows:\n"
        "        print(flow)",
        "for what, other in result.without.items():\n"
        "    if other:\n"
        '        print(f"without {what}: {other.seconds:.2f} s, {other.memory_bytes / 1e9:.1f} GB")',
    )
