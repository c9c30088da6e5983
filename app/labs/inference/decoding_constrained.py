"""Writing under a pattern: one text, what was ruled out, and what masking does to the distribution."""

import streamlit as st

from app.charts import constrained as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.serving import constrained as lab
from labcore.serving.constrained import CASES, FINITE, BothWays, ConstrainedConfig
from labcore.serving.constrained_study import ConstrainedStudy
from labcore.serving.regular import MOST_CHARACTERS

GRAMMARS = (*CASES, "own")
HARDLY, OFTEN = 0.05, 1 / 3  # shares of what is written
TEMPERATURES = ("0", "0.5", "1.0", "1.5")


def experiment(page: LabPage) -> None:
    config, grammar = knobs(page)
    page.model(lab.TARGET)
    try:
        result = page.run(lab.run, config)
    except LabInputError as error:
        page.error(error)
        return
    st.text(config.opening + result.text)
    key = "pattern.matches" if result.matches else "pattern.unfinished"
    st.markdown(page.text(key, vocabulary=result.vocabulary))
    st.markdown(page.text("pattern.free.yes" if result.free_matches else "pattern.free.no"))
    st.text(config.opening + result.free)
    if result.places:
        page.figure(charts.places(result, page.text), COMPUTED, "allowed")
        page.figure(charts.mass(result, page.text), COMPUTED, "mass")
    if grammar == FINITE:
        trap(page)
    recorded = page.recording("constrained", ConstrainedStudy)
    page.figure(charts.matches(recorded.result, page.text), recorded.provenance, "matches")
    page.offer_notebook(
        "from labcore.serving import constrained as lab\n\n"
        f"result = lab.run(lab.{config!r})\nprint(result.text, result.matches)",
        "for place in result.places:\n    print(place.token, place.allowed, place.mass)",
    )


def trap(page: LabPage) -> None:
    """Two texts that match, of which the model itself would hardly ever write one."""
    ways = page.run(lab.both_ways, ConstrainedConfig(*CASES[FINITE]))
    if page.guess_first("windy", ("hardly", "sometimes", "often"), unlikely_one(ways)):
        page.figure(charts.both_ways(ways, page.text), COMPUTED, "both_ways")


def unlikely_one(ways: BothWays) -> str:
    """How often masking writes the text that is rarest among the model's own matches."""
    share = ways.masked[min(range(len(ways.texts)), key=ways.conditioned.__getitem__)]
    return "hardly" if share < HARDLY else "often" if share > OFTEN else "sometimes"


def knobs(page: LabPage) -> tuple[ConstrainedConfig, str]:
    grammar = page.choice("grammar", GRAMMARS, GRAMMARS[0], style="pills")
    opening, pattern = CASES.get(grammar, CASES["choice"])
    if grammar == "own":
        opening = page.text_area("own_opening", opening, MOST_CHARACTERS)
        pattern = page.text_area("own_pattern", pattern, MOST_CHARACTERS)
    else:
        st.code(pattern, language=None, wrap_lines=True)
    left, right = st.columns(2)
    with left:
        heat = page.choice("pattern_temperature", TEMPERATURES, "1.0", style="slide", label=str)
    with right:
        seed = page.number("pattern_seed", 0, 9999, 0)
    return ConstrainedConfig(opening, pattern, temperature=float(heat), seed=seed), grammar
