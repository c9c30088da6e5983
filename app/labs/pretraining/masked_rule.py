"""Part 1: the rule on the learner's own sentence, token by token, and what the dice give in the long run."""

import math

import streamlit as st

from app.charts import masked as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.pretraining import masked_rule as lab
from labcore.pretraining.masked_rule import Rule, RuleConfig, RuleResult
from labcore.text.mask_units import UNITS
from labcore.text.masking import HIDDEN

DEFAULT = Rule()
ANSWERS = {"fifteen": 15, "twelve": 12, "eighty": 80}  # of 100 tokens


def draw(page: LabPage) -> None:
    text = page.text_area("text", page.text("default.text"), lab.MOST_CHARACTERS)
    rule = pick_rule(page)
    seed = page.number("seed", 0, 9999, 0)
    result = page.run(lab.run, RuleConfig(text, rule, seed=seed))
    if result.dropped_tokens:
        page.caption("cut.text", most=lab.MOST_TOKENS, dropped=result.dropped_tokens)
    page.figure(charts.disguise(result, page.text), COMPUTED, "disguise")
    numbers(page, result)
    guess = page.predict("hidden", options=tuple(ANSWERS))
    page.figure(charts.shares(result, rule, page.text), COMPUTED, "shares")
    if rule == DEFAULT and result.maskable.any():
        page.reveal(guess, seen_hidden(result))
    page.offer_notebook(*notebook(RuleConfig(text, rule, seed=seed)))


def pick_rule(page: LabPage) -> Rule:
    """The knobs of the rule; part 3 trains with them."""
    left, right = st.columns(2)
    with left:
        rate = page.slider("rate", 1, 100, percent(DEFAULT.rate), format="%d %%")
        unit = page.choice("unit", UNITS, DEFAULT.unit)
    with right:
        hidden = page.slider("mask", 0, 100, percent(DEFAULT.mask_share), 5, format="%d %%")
        swapped = page.slider(
            "random", 0, 100 - hidden, min(100 - hidden, percent(DEFAULT.random_share)), 5,
            format="%d %%",
        )  # fmt: skip
        page.caption("kept.rest", percent=100 - hidden - swapped)
    return Rule(rate / 100, hidden / 100, swapped / 100, unit)


def seen_hidden(result: RuleResult) -> str:
    """How many of 100 tokens the model saw as [MASK], over all throws: the nearest answer."""
    hidden = result.counts[result.maskable, HIDDEN].mean() / result.draws
    return min(ANSWERS, key=lambda name: abs(ANSWERS[name] - 100 * hidden))


def percent(share: float) -> int:
    return round(100 * share)


def numbers(page: LabPage, result: RuleResult) -> None:
    """This throw, and the mean of many."""
    with st.container(horizontal=True, key="masked-rule-metrics"):
        st.metric(page.text("metric.tokens"), int(result.maskable.sum()))
        st.metric(page.text("metric.asked"), int(result.asked.sum()))
        st.metric(page.text("metric.asked_share"), f"{asked_share(result):.1%}")
        if math.isfinite(result.neighbour_share):
            st.metric(page.text("metric.neighbour"), f"{result.neighbour_share:.0%}")
    page.caption("metric.about", draws=result.draws)


def asked_share(result: RuleResult) -> float:
    """Questions per token of the sentence, over all throws."""
    return float(result.asked_per_draw.mean() / result.maskable.sum())


def notebook(config: RuleConfig) -> tuple[str, ...]:
    return (
        "from labcore.pretraining import masked_rule as lab\n"
        "from labcore.pretraining.masked_rule import Rule\n\n"
        f"result = lab.run(lab.{config!r})",
        "import pandas as pd\n\nfrom labcore.text.masking import FATES\n\n"
        "pd.DataFrame(\n"
        '    {"token": result.labels, "read": result.read,\n'
        '     "fate": [FATES[fate] for fate in result.fates], "asked": result.asked}\n)',
        "print(result.counts[result.maskable].sum(axis=0) / result.draws / result.maskable.sum())",
    )
