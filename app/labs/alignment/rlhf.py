"""Reinforcement learning from a reward: a run on the learner's terms. The other parts: `rlhf_parts`."""

from collections.abc import Sequence

import streamlit as st

from app.charts import rlhf as charts
from app.charts import rlhf_study as study_charts
from app.job import JobView
from app.labs.alignment import rlhf_parts as parts
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.tuning import kl_estimators, rlhf, rlhf_step
from labcore.tuning.advantages import gae, group_advantages
from labcore.tuning.policy_losses import (
    AVERAGINGS,
    ESTIMATORS,
    clipped_surrogate,
    kl_estimate,
)
from labcore.tuning.rlhf import RLHFResult
from labcore.tuning.rlhf_config import ALGORITHMS, PLACES, REWARDS, STARTS, RLHFConfig
from labcore.tuning.rlhf_exam import Look
from labcore.tuning.rlhf_study import HackingStudy

SHOWN = (
    rlhf_step.credit, group_advantages, gae, clipped_surrogate, rlhf_step.policy_loss, kl_estimate,
    rlhf_step.update, kl_estimators.gradients,
)  # fmt: skip

PARTS = ("run", "hacking", "ability", "estimators")
BETA_KNOB = ("0.0", "0.01", "0.03", "0.1", "0.3", "1.0")
RATES = ("0.0001", "0.0003", "0.0006", "0.001", "0.003")
DEFAULT = RLHFConfig()
MOVED = 0.04  # of the sums: less is neither up nor down


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    shown = {"hacking": parts.hacking, "ability": parts.ability, "estimators": parts.estimators}
    shown.get(part, own_run)(page)


def own_run(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("truth", options=("up", "still", "down"))
    page.job(rlhf.align, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> RLHFConfig:
    """What has no effect is not asked for, and stands at its default."""
    left, right = st.columns(2)
    with left:
        algorithm = page.choice("algorithm", ALGORITHMS, DEFAULT.algorithm)
        reward = page.choice("reward", REWARDS, DEFAULT.reward)
    with right:
        beta = page.choice("beta", BETA_KNOB, str(DEFAULT.beta), "slide", _short)
        place, estimator = DEFAULT.kl_place, DEFAULT.estimator
        if float(beta):
            place = page.choice("kl_place", PLACES, place)
            estimator = page.choice("estimator", ESTIMATORS, estimator, label=str)
    with st.expander(page.text("more"), key="rlhf-more"):
        more = details(page, algorithm)
    return RLHFConfig(
        algorithm, reward, beta=float(beta), kl_place=place, estimator=estimator, **more
    )


def details(page: LabPage, algorithm: str) -> dict[str, object]:
    left, middle, right = st.columns(3)
    with left:
        start = page.choice("start", STARTS, DEFAULT.start)
        group = page.slider("group_size", 2, 16, DEFAULT.group_size)
        prompts = page.slider("prompts", 8, 64, DEFAULT.prompts, 8)
    with middle:
        rate = page.choice("learning_rate", RATES, "0.0003", "select", str)
        steps = page.slider("steps", 5, 120, DEFAULT.steps, 5)
        epochs = page.slider("epochs", 1, 4, DEFAULT.epochs)
        clip = DEFAULT.clip
        if epochs > 1 or algorithm == "ppo":
            clip = page.slider("clip", 0.05, 0.5, DEFAULT.clip, 0.05)
    with right:
        averaging = page.choice("averaging", AVERAGINGS, DEFAULT.averaging, "select")
        divide, decay = DEFAULT.divide_by_spread, DEFAULT.decay
        if algorithm == "grpo":
            divide = page.toggle("divide_by_spread", divide)
        elif algorithm == "ppo":
            decay = page.slider("decay", 0.0, 1.0, decay, 0.05)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return {
        "start": start, "group_size": group, "prompts": prompts, "learning_rate": float(rate),
        "steps": steps, "epochs": epochs, "clip": clip, "averaging": averaging,
        "divide_by_spread": divide, "decay": decay, "seed": seed,
    }  # fmt: skip


def _short(value: str) -> str:
    return f"{float(value):g}"


def draw(page: LabPage, config: RLHFConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("default", RLHFResult)
        page.caption("job.recorded")
        draw_result(page, config, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        page.reveal(guess, direction(view.result.looks))
        draw_result(page, config, view.result, MEASURED)
    elif view.events:
        draw_course(page, config, view.events, MEASURED)


def draw_course(
    page: LabPage, config: RLHFConfig, looks: Sequence[Look], source: Provenance
) -> None:
    first, last = looks[0], looks[-1]
    st.markdown(
        page.text(
            "outcome", step=last.step, proxy_before=f"{first.proxy:.2f}",
            proxy_after=f"{last.proxy:.2f}", before=f"{first.sampled_right:.0%}",
            after=f"{last.sampled_right:.0%}", kl=f"{last.divergence_nats:.1f}",
        )
    )  # fmt: skip
    page.figure(charts.scores(looks, config, page.text), source, "scores")
    left, right = st.columns(2)
    with left:
        page.figure(charts.distance(looks, config, page.text), source, "distance")
        page.figure(charts.mechanics(looks, config, page.text), source, "mechanics")
    with right:
        page.figure(charts.habits(looks, config, page.text), source, "habits")
        page.figure(charts.loss(looks, config, page.text), source, "loss")


def draw_result(page: LabPage, config: RLHFConfig, result: RLHFResult, source: Provenance) -> None:
    draw_course(page, config, result.looks, source)
    st.markdown(f"**{page.text('answers')}**")
    steps = [str(look.step) for look in result.looks]
    moment = page.choice("moment", steps, steps[-1], "slide", str)
    then = result.looks[steps.index(moment)].answers
    table = charts.answers(result.prompts, result.looks[0].answers, then, page.text)
    st.dataframe(table, hide_index=True)
    page.caption("answers.about")
    if config.start == "half":  # best of n was recorded from this policy
        best = page.recording("hacking", HackingStudy).result.best_of_n[config.reward]
        figure = study_charts.own_frontier(result.looks, best, page.text)
        page.figure(figure, source, "own_frontier")
    page.figure(charts.passes(result, page.text), source, "passes")


def direction(looks: Sequence[Look]) -> str:
    """What became of the share of sums solved."""
    change = looks[-1].sampled_right - looks[0].sampled_right
    return "still" if abs(change) < MOVED else "up" if change > 0 else "down"


def notebook(config: RLHFConfig) -> Sequence[str]:
    return (
        "from labcore.tuning import rlhf\nfrom labcore.tuning.rlhf_config import RLHFConfig\n\n"
        f"result = rlhf.run(RLHFConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        '    print(f"step {look.step:3}: score {look.proxy:.2f}, {look.sampled_right:.0%} right, "\n'
        '          f"KL {look.divergence_nats:.1f} nats, {look.answers[:3]}")',
    )
