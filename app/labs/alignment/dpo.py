"""Direct preference optimisation: a run on the learner's terms, other methods beside it, the losses alone."""

from collections.abc import Sequence

import streamlit as st

from app.charts import dpo as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import ANALYTIC, MEASURED, Provenance
from labcore.tuning import dpo as lab
from labcore.tuning import loss_shapes
from labcore.tuning.dpo import DPOConfig, DPOResult, Look
from labcore.tuning.dpo_study import BETAS, METHOD_CASES, SOURCE_CASES, Study
from labcore.tuning.preference_losses import dpo_loss, implicit_rewards, ipo_loss, kto_loss
from labcore.tuning.preference_pairs import SOURCES, near_pairs

SHOWN = (
    implicit_rewards, dpo_loss, ipo_loss, kto_loss, lab.pair_loss, near_pairs, loss_shapes.pair_cost,
)  # fmt: skip

PARTS = ("run", "study", "shape")
BETA_KNOB = ("0.03", "0.1", "0.3", "0.5", "1.0", "2.0", "3.0")
RATES = ("0.00003", "0.0001", "0.0003", "0.001", "0.003")
GROUPS = {
    "methods": tuple(METHOD_CASES),
    "betas": tuple("dpo" if beta == 0.1 else f"beta-{beta:g}" for beta in BETAS),
    "sources": ("dpo", "beta-1", *SOURCE_CASES),
}
DEFAULT = DPOConfig()
ALIKE_SHARE = 0.05  # of the held-out sums
MOVED_NATS = 0.1  # less is neither up nor down


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {"run": own_run, "study": study, "shape": shape}[part](page)


# A run of the learner's own.


def own_run(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("chosen", options=("up", "still", "down"))
    page.job(lab.align, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> DPOConfig:
    left, right = st.columns(2)
    with left:
        method = page.choice("method", lab.METHODS, DEFAULT.method)
        source = page.choice("source", SOURCES, DEFAULT.source)
    with right:
        beta = page.choice("beta", BETA_KNOB, str(DEFAULT.beta), style="slide", label=str)
        flips = page.slider("flips", 0, 50, 0, 5)
    with st.expander(page.text("more"), key="dpo-more"):
        left, middle, right = st.columns(3)
        with left:
            rate = page.choice("learning_rate", RATES, "0.0003", style="select", label=str)
        with middle:
            steps = page.slider("steps", 20, 300, DEFAULT.steps, 20)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return DPOConfig(method, source, float(beta), float(rate), steps, flips / 100, seed)


def draw(page: LabPage, config: DPOConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("default", DPOResult)
        page.caption("job.recorded")
        draw_course(page, config, recorded.result.looks, recorded.provenance)
        draw_answers(page, recorded.result)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        draw_course(page, config, view.result.looks, MEASURED)
        page.reveal(guess, direction(view.result.looks))
        draw_answers(page, view.result)
    elif view.events:
        draw_course(page, config, view.events, MEASURED)


def draw_course(
    page: LabPage, config: DPOConfig, looks: Sequence[Look], source: Provenance
) -> None:
    first, last = looks[0], looks[-1]
    numbers = {
        "chosen": f"{last.chosen_change:+.2f}", "rejected": f"{last.rejected_change:+.2f}",
        "before": f"{first.greedy_right:.0%}", "after": f"{last.greedy_right:.0%}",
    }  # fmt: skip
    st.markdown(page.text("outcome", step=last.step, **numbers))
    page.figure(charts.changes(looks, config, page.text), source, "changes")
    page.figure(charts.solved(looks, config, page.text), source, "solved")
    page.figure(charts.loss(looks, config, page.text), source, "loss")


def direction(looks: Sequence[Look]) -> str:
    """What became of the right answers' probability."""
    change = looks[-1].chosen_change
    return "still" if abs(change) < MOVED_NATS else "up" if change > 0 else "down"


def draw_answers(page: LabPage, result: DPOResult) -> None:
    st.markdown(f"**{page.text('answers')}**")
    table = charts.answers(result.prompts, result.before, result.after, page.text)
    st.dataframe(table, hide_index=True)
    page.caption("answers.about", pairs=result.pairs)


# Several seeds of many cases.


def study(page: LabPage) -> None:
    recorded = page.recording("study", Study)
    group = page.choice("group", tuple(GROUPS), "methods")
    page.caption(f"group.{group}")
    names = GROUPS[group]
    if guessed(page, group, recorded.result):
        figure = charts.ends(recorded.result, names, "greedy_right", page.text)
        page.figure(figure, recorded.provenance, "ends_greedy")
        figure = charts.ends(recorded.result, names, "change", page.text)
        page.figure(figure, recorded.provenance, "ends_change")
        figure = charts.courses(recorded.result, names, page.text)
        page.figure(figure, recorded.provenance, "courses")
    page.offer_notebook(
        "from labcore.tuning.dpo_study import CASES, case\n\n"
        f"cases = {{name: case(CASES[name], seeds=(0,)) for name in {names!r}}}",
        'for name, one in cases.items():\n    print(name, one.last("greedy_right"))',
    )


def guessed(page: LabPage, group: str, study: Study) -> bool:
    """Ask before a comparison is shown; whether it may be."""
    if group == "betas":
        return page.guess_first("price", ("smallest", "middle", "largest"), best_price(study))
    if group == "sources":
        return page.guess_first("own", ("more", "alike", "fewer"), own_pairs(study))
    return True


def best_price(study: Study) -> str:
    """Where among the values of β, smallest first, most held-out sums are solved."""
    solved = [study.cases[name].last("greedy_right").mean() for name in GROUPS["betas"]]
    at = solved.index(max(solved))
    return {0: "smallest", len(solved) - 1: "largest"}.get(at, "middle")


def own_pairs(study: Study) -> str:
    """Pairs of the policy's own answers against slips, both with the β of the default."""
    own, slips = (study.cases[name].last("greedy_right").mean() for name in ("own-0.1", "dpo"))
    return "alike" if abs(own - slips) < ALIKE_SHARE else "more" if own > slips else "fewer"


# The losses alone.


def shape(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        beta = page.choice("shape_beta", BETA_KNOB, "0.1", style="slide", label=str)
    with right:
        smoothing = page.slider("smoothing", 0, 40, 0, 5)
    config = loss_shapes.ShapeConfig(float(beta), smoothing / 100)
    result = page.run(loss_shapes.run, config)
    st.markdown(page.text("shape.goal", goal=f"{1 / (2 * config.beta):.3g}"))
    page.figure(charts.shapes(result, "losses", page.text), ANALYTIC, "losses")
    page.figure(charts.shapes(result, "pulls", page.text), ANALYTIC, "pulls")
    page.offer_notebook(
        f"from labcore.tuning import loss_shapes as lab\n\nresult = lab.run(lab.{config!r})",
        "import pandas as pd\n\npd.DataFrame(result.pulls, index=result.log_ratio)",
    )


def notebook(config: DPOConfig) -> Sequence[str]:
    return (
        "from labcore.tuning import dpo as lab\n\n"
        f"result = lab.run(lab.DPOConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        '    print(f"step {look.step:3}: right answers {look.chosen_change:+.2f} nats, "\n'
        '          f"wrong ones {look.rejected_change:+.2f}, "\n'
        '          f"{look.greedy_right:.0%} of held-out sums solved")',
    )
