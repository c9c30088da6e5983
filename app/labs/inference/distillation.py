"""Distillation: a run on the learner's terms, many cases beside it, and what a single label hides."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app.charts import distillation as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.compression import dark_knowledge, distil_run
from labcore.compression.distil_run import DistilConfig, DistilResult, Look
from labcore.compression.distil_study import Course, DistilStudy
from labcore.compression.distillation import DIRECTIONS, distillation_loss, mixed_loss

SHOWN = (
    distillation_loss, mixed_loss, distil_run.lesson, distil_run.bring_up, distil_run.step_flops,
    dark_knowledge.softened, dark_knowledge.divergence,
)  # fmt: skip

PARTS = ("run", "study", "dark")
TEMPERATURES = ("1.0", "1.5", "2.0", "4.0", "8.0")
HEATS = ("0.5", "1.0", "1.5", "2.0", "3.0", "4.0", "8.0", "16.0")
PASSAGES = ("100", "200", "500", "1000", "2000", "4000", "8000")
GROUPS = {
    "data": (),
    "temperature": ("passages-500", "T-2", "T-4"),
    "mix": ("passages-500", "half", "reverse", "reverse-half"),
    "match": ("passages-500", "hidden", "attention"),
}
DEFAULT = DistilConfig()
ALIKE_NATS = 0.03


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {"run": own_run, "study": study, "dark": dark}[part](page)


# A run of the learner's own.


def own_run(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("best", options=("distilled", "alike", "compute"))
    page.job(distil_run.distil, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(
        "from labcore.compression import distil_run as lab\n\n"
        f"result = lab.run(lab.DistilConfig({', '.join(changed_fields(config))}))",
        "for name in lab.STUDENTS:\n"
        "    last = result.of(name)[-1]\n"
        '    print(f"{name:9} {last.step:5} steps {last.gflop:6.1f} GFLOP: {last.nats:.3f} nats")',
    )


def knobs(page: LabPage) -> DistilConfig:
    left, right = st.columns(2)
    with left:
        heat = page.choice("temperature", TEMPERATURES, "1.0", style="slide", label=str)
        weight = page.slider("weight", 0, 100, 100, 10)
    with right:
        passages = page.choice("passages", PASSAGES, "500", style="slide", label=str)
        direction = page.choice("direction", DIRECTIONS, DEFAULT.direction)
    with st.expander(page.text("more"), key="distillation-more"):
        left, middle, right = st.columns(3)
        with left:
            match = page.choice("match", distil_run.MATCHES, DEFAULT.match, style="select")
        with middle:
            steps = page.slider("steps", 20, 600, DEFAULT.steps, 20)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return DistilConfig(
        float(heat), weight / 100, direction, match, int(passages), int(steps), int(seed)
    )


def draw(page: LabPage, config: DistilConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("default", DistilResult)
        page.caption("job.recorded")
        draw_result(page, config, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        draw_result(page, config, view.result, MEASURED)
        page.reveal(guess, verdict(view.result))
    elif view.events:
        draw_courses(page, view.events, None, MEASURED)


def draw_result(
    page: LabPage, config: DistilConfig, result: DistilResult, source: Provenance
) -> None:
    taught, alone, paid = (result.of(name)[-1] for name in distil_run.STUDENTS)
    st.markdown(
        page.text(
            "outcome", steps=taught.step, taught=f"{taught.nats:.2f}", alone=f"{alone.nats:.2f}",
            paid_steps=paid.step, paid=f"{paid.nats:.2f}",
            best=f"{min(look.nats for look in result.of('compute')):.2f}",
        )
    )  # fmt: skip
    levels = (result.teacher_nats, result.floor_nats)
    draw_courses(page, result.looks, levels, source)
    st.markdown(f"**{page.text('ends')}**")
    page.badge(source)
    st.dataframe(charts.ends(result, config, page.text), hide_index=True)
    page.caption(
        "ends.about", kept=f"{result.kept_gflop:.0f}", full=f"{taught.gflop:.0f}",
        alone=f"{alone.gflop:.0f}",
    )  # fmt: skip


def draw_courses(
    page: LabPage,
    looks: Sequence[Look],
    levels: tuple[float, float] | None,
    source: Provenance,
) -> None:
    page.figure(charts.courses(looks, "step", levels, page.text), source, "step")
    page.figure(charts.courses(looks, "gflop", levels, page.text), source, "gflop")


def verdict(result: DistilResult) -> str:
    """Taught, or alone with as much computing and stopped in time: who is better?"""
    taught = min(look.nats for look in result.of("distilled"))
    alone = min(look.nats for look in result.of("compute"))
    if abs(taught - alone) < ALIKE_NATS:
        return "alike"
    return "distilled" if taught < alone else "compute"


# Several seeds of many cases.


def study(page: LabPage) -> None:
    amounts = page.recording("amounts", DistilStudy)
    group = page.choice("group", tuple(GROUPS), "data")
    page.caption(f"group.{group}")
    if group == "data":
        for what in ("last", "best"):
            figure = charts.amounts(amounts.result, what, page.text)
            page.figure(figure, amounts.provenance, f"amounts_{what}")
    else:
        lessons = page.recording("lessons", DistilStudy)
        courses = amounts.result.courses | lessons.result.courses
        if guessed(page, group, courses):
            for measure in ("nats", "agreement"):
                figure = charts.cases(courses, GROUPS[group], measure, page.text)
                page.figure(figure, lessons.provenance, f"cases_{measure}")
    page.offer_notebook(
        "from dataclasses import replace\n\nfrom labcore.compression import distil_run as lab\n"
        "from labcore.compression.distil_study import AMOUNTS, TAUGHT\n\n"
        f"names = {GROUPS[group] or ('passages-100', 'passages-8000')!r}\n"
        "cases = AMOUNTS | TAUGHT\n"
        "results = {name: lab.run(replace(cases[name], seed=0)) for name in names}",
        "for name, result in results.items():\n"
        "    print(name, {s: round(result.of(s)[-1].nats, 3) for s in lab.STUDENTS})",
    )


def guessed(page: LabPage, group: str, courses: Mapping[str, Course]) -> bool:
    """Ask before a comparison is shown; whether it may be."""
    if group == "temperature":
        return page.guess_first("hot", ("lower", "alike", "higher"), hotter(courses))
    if group == "match":
        options = ("hidden", "attention", "both", "neither")
        return page.guess_first("helps", options, helpful(courses))
    return True


def end_nats(courses: Mapping[str, Course], case: str) -> float:
    """Held-out loss of the taught students at the end, mean of the seeds."""
    return float(courses[f"{case} distilled"].last().mean())


def hotter(courses: Mapping[str, Course]) -> str:
    """What T = 4 does to the held-out loss, against T = 1."""
    change = end_nats(courses, "T-4") - end_nats(courses, "passages-500")
    return "alike" if abs(change) < ALIKE_NATS else "lower" if change < 0 else "higher"


def helpful(courses: Mapping[str, Course]) -> str:
    """Which additions to the logits lower the held-out loss."""
    plain = end_nats(courses, "passages-500")
    helps = [
        case for case in ("hidden", "attention") if plain - end_nats(courses, case) > ALIKE_NATS
    ]
    return helps[0] if len(helps) == 1 else "both" if helps else "neither"


# One token.


def dark(page: LabPage) -> None:
    left, middle, right = st.columns(3)
    with left:
        passage = page.slider("passage", 1, dark_knowledge.PASSAGES, 1)
    with middle:
        place = page.slider("place", 1, dark_knowledge.PLACES, 4)
    with right:
        heat = page.choice("heat", HEATS, "1.0", style="slide", label=str)
    config = dark_knowledge.DarkConfig(int(passage) - 1, int(place), float(heat))
    recorded = page.recording("default", DistilResult)
    result = dark_knowledge.look(config, recorded.result.weights)
    st.markdown(page.text("dark.before"))
    st.text(f"{result.before} …")
    st.markdown(page.text("dark.came"))
    st.text(result.came)
    page.figure(charts.opinions(result, page.text), MEASURED, "opinions")
    st.markdown(f"**{page.text('knowing')}**")
    st.dataframe(charts.knowing(result, page.text), hide_index=True)
    page.caption("knowing.about")
    page.offer_notebook(
        "from labcore.compression import dark_knowledge as lab, distil_run\n\n"
        "students = distil_run.run(distil_run.DistilConfig()).weights\n"
        f"dark = lab.look(lab.{config!r}, students)",
        "import pandas as pd\n\npd.DataFrame(dark.shares, index=dark.tokens)",
    )
