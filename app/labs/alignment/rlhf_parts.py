"""Reinforcement learning: prices and best of n, pass@k before and after, estimators and baselines."""

import streamlit as st

from app.charts import kl_estimators as estimator_charts
from app.charts import rlhf_study as charts
from app.page import LabPage
from app.provenance import ANALYTIC, COMPUTED, Provenance
from labcore.tuning import kl_estimators
from labcore.tuning.gradient_noise import GradientNoise
from labcore.tuning.rlhf_study import (
    BETAS,
    PENALTIES,
    PENALTY_BETA,
    AbilityStudy,
    HackingStudy,
    price_case,
)

PRICES = {model: tuple(price_case(model, beta) for beta in betas) for model, betas in BETAS.items()}
PLACES = (PRICES["shallow"][0], price_case("shallow", PENALTY_BETA), *PENALTIES)
GROUPS = PRICES | {"places": PLACES}
ABILITIES = {
    "credit": ("grpo", "rloo", "ppo", "reinforce"),
    "fast": ("grpo", "fast"),
    "weak": ("weak",),
}

CHANGED = 0.01  # of the sums: less is no change
TWICE, THRICE = 1.25, 2.5  # spreads of a gradient


def hacking(page: LabPage) -> None:
    """The score against the truth, over prices, with best of n beside them."""
    recorded = page.recording("hacking", HackingStudy)
    study, source = recorded.result, recorded.provenance
    group = page.choice("group", tuple(GROUPS), "shallow")
    page.caption(f"group.{group}")
    names, best = GROUPS[group], study.best_of_n["shallow" if group == "places" else group]
    page.figure(
        charts.frontier(study.cases, names, best, "sampled_right", page.text), source,
        "frontier_right",
    )  # fmt: skip
    page.figure(
        charts.frontier(study.cases, names, best, "proxy", page.text), source, "frontier_proxy"
    )
    st.dataframe(charts.ends(study.cases, names, page.text), hide_index=True)
    page.caption("ends.about")
    for measure, key in (("proxy", "courses_proxy"), ("sampled_right", "courses_right")):
        page.figure(charts.courses(study.cases, names, measure, page.text), source, key)
    page.offer_notebook(
        "from labcore.tuning.rlhf_study import HACKING_CASES, case\n\n"
        f"cases = {{name: case(HACKING_CASES[name], seeds=(0,)) for name in {names!r}}}",
        "for name, one in cases.items():\n"
        '    print(name, one.last("proxy"), one.last("sampled_right"), one.last("divergence_nats"))',
    )


def ability(page: LabPage) -> None:
    """pass@k before and after, with the verifier as the reward."""
    recorded = page.recording("ability", AbilityStudy)
    study, source = recorded.result, recorded.provenance
    group = page.choice("ability_group", tuple(ABILITIES), "credit")
    page.caption(f"ability_group.{group}")
    names = ABILITIES[group]
    if page.guess_first("many", ("more", "same", "fewer"), of_many(study)):
        coverage(page, study, names, names[0] if group == "credit" else names[-1], source)
    page.figure(
        charts.courses(study.cases, names, "sampled_right", page.text), source, "courses_right"
    )
    page.figure(charts.courses(study.cases, names, "dead", page.text), source, "courses_dead")
    if group == "credit":
        page.figure(
            charts.courses(study.cases, ("ppo",), "foretold", page.text, 220), source,
            "courses_foretold",
        )  # fmt: skip
    page.offer_notebook(
        "from labcore.tuning.rlhf_study import ABILITY_CASES, case\n\n"
        f"cases = {{name: case(ABILITY_CASES[name], seeds=(0,)) for name in {names!r}}}",
        "for name, one in cases.items():\n    print(name, one.pass_before, one.pass_after)",
    )


def of_many(study: AbilityStudy) -> str:
    """What GRPO makes of the sums that at least one of 32 answers solves."""
    case = study.cases["grpo"]
    change = float(case.pass_after[:, -1].mean() - case.pass_before[-1])
    return "same" if abs(change) < CHANGED else "more" if change > 0 else "fewer"


def coverage(
    page: LabPage, study: AbilityStudy, names: tuple[str, ...], told: str, source: Provenance
) -> None:
    """pass@k, and which sums were gained and lost by the case `told`."""
    page.figure(charts.passes(study, names, page.text), source, "passes_study")
    case = study.cases[told]
    st.markdown(
        page.text(
            "coverage", case=page.text(f"case.{told}"), never=int(case.never_before[0]),
            new=_by_seed(case.newly_solved), lost=_by_seed(case.lost),
        )
    )  # fmt: skip


def _by_seed(counts) -> str:
    """A count per seed, as "2, 3, 1"."""
    return ", ".join(str(int(count)) for count in counts)


def estimators(page: LabPage) -> None:
    """Three estimates of a divergence as numbers and as losses; and what a baseline is good for."""
    left, middle, right = st.columns(3)
    with left:
        distance = page.slider("distance", 0.1, 3.0, 1.0, 0.1)
    with middle:
        draws = page.slider("draws", 1, 64, 16)
    with right:
        seed = page.number("estimator_seed", 0, 999, 0)
    config = kl_estimators.EstimatorConfig(distance, draws, seed)
    result = page.run(kl_estimators.run, config)
    st.markdown(
        page.text("exact", kl=f"{result.exact_nats:.3f}", forward=f"{result.forward_nats:.3f}")
    )
    page.figure(estimator_charts.policies(result, page.text), COMPUTED, "policies")
    page.figure(estimator_charts.estimates(result, page.text), COMPUTED, "estimates")
    left, right = st.columns(2)
    with left:
        page.figure(
            estimator_charts.over_distance(result, "means", page.text), ANALYTIC, "over_means"
        )
    with right:
        page.figure(
            estimator_charts.over_distance(result, "spreads", page.text), ANALYTIC, "over_spreads"
        )
    page.figure(estimator_charts.slopes(result, page.text), ANALYTIC, "slopes")
    recorded = page.recording("noise", GradientNoise)
    if page.guess_first("shifted", ("same", "twice", "thrice"), wobble(recorded.result)):
        page.figure(charts.noise(recorded.result, page.text), recorded.provenance, "noise")
    page.offer_notebook(
        f"from labcore.tuning import kl_estimators as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.exact_nats, result.means, result.along)",
    )


def wobble(noise: GradientNoise) -> str:
    """How much wider a batch's gradient spreads when every score is raised by two."""
    times = float(noise.spreads["shifted"].mean())
    return "same" if times < TWICE else "twice" if times < THRICE else "thrice"
