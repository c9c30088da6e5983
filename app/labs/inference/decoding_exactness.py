"""Exactness: one guess on a small vocabulary, thousands of draws from the models, three seeds of them."""

import streamlit as st

from app.charts import decoding as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import ANALYTIC, MEASURED, Provenance
from labcore.serving import exactness as lab
from labcore.serving import first_token
from labcore.serving.exactness import Exactness, ExactnessConfig
from labcore.serving.exactness_study import CASES, ExactnessStudy
from labcore.serving.speculative import RULES
from labcore.text.world import LANGUAGES

LOOKS = ("small", "draws", "study")
DRAFT_TEMPERATURES = ("0.5", "1.0", "2.0")
DEFAULT = ExactnessConfig()
EXACT = 1e-9  # a total variation below this is rounding
REDRAWN = first_token.FirstTokenConfig(rule="redraw")  # with a draft halfway unlike its target


def experiment(page: LabPage) -> None:
    look = page.choice("look", LOOKS, LOOKS[0])
    {"small": small, "draws": draws, "study": study}[look](page)


def small(page: LabPage) -> None:
    guess = page.predict("redraw", options=("target", "draft", "likelier"))
    page.reveal(guess, leaning(page.run(first_token.run, REDRAWN)))
    left, right = st.columns(2)
    with left:
        unlike = page.slider("unlike", 0, 100, 50, 5)
    with right:
        rule = page.choice("rule", RULES, "exact")
    config = first_token.FirstTokenConfig(unlike / 100, rule)
    result = page.run(first_token.run, config)
    st.markdown(
        page.text("small.outcome", kept=f"{result.kept_share:.1%}", off=f"{result.distance:.3f}")
    )
    page.caption(f"rule.{rule}")
    page.figure(charts.first_token(result, page.text), ANALYTIC, "first_token")
    page.offer_notebook(
        f"from labcore.serving import first_token as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.p, result.written, result.distance)",
    )


def leaning(result: first_token.FirstToken) -> str:
    """What comes out: the target, too much of what the draft prefers, or too much of what the target does."""
    if result.distance < EXACT:
        return "target"
    surplus = (result.written - result.p)[result.q > result.p].sum()
    return "draft" if surplus > 0 else "likelier"


def draws(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        count = page.slider("draws", 500, 5000, DEFAULT.draws, 500)
        guesses = page.slider("test_guesses", 1, 4, DEFAULT.guesses)
    with right:
        warmth = page.choice(
            "draft_temperature", DRAFT_TEMPERATURES, "0.5", style="slide", label=str
        )
        seed = page.number("test_seed", 0, 9999, DEFAULT.seed)
    language = page.choice("story", LANGUAGES, page.text.language)
    config = ExactnessConfig(count, guesses, 1.0, float(warmth), language, seed)
    way = page.choice("shown_way", RULES, "exact")
    page.job(lab.compare, config, lambda view: draw_test(page, view, way))
    page.offer_notebook(
        "from labcore.events import drain\nfrom labcore.serving import exactness as lab\n\n"
        f"config = lab.ExactnessConfig({', '.join(changed_fields(config))})\n"
        "result = drain(lab.compare(config))",
        "for way in lab.WAYS:\n    print(way, result.distance(way), result.p_value(way))",
    )


def draw_test(page: LabPage, view: JobView | None, way: str) -> None:
    if view is None:
        page.caption("test.press_run")
    elif view.result is not None:
        draw_counts(page, view.result, way, MEASURED)
    elif view.events:
        last = view.events[-1]
        st.markdown(page.text("test.so_far", way=page.text(f"way.{last.way}"), draws=last.draws))


def draw_counts(page: LabPage, result: Exactness, way: str, source: Provenance) -> None:
    st.dataframe(charts.verdicts(result, page.text), hide_index=True)
    page.caption("verdicts.about", outcomes=len(result.outcomes) - 1)
    page.figure(charts.outcomes(result, way, page.text), source, "outcomes")


def study(page: LabPage) -> None:
    case = page.choice("case", tuple(CASES), next(iter(CASES)))
    page.caption(f"case.{case}")
    recorded = page.recording(f"exactness-{case}", ExactnessStudy)
    page.figure(charts.distances(recorded.result, page.text), recorded.provenance, "distances")
    way = page.choice("shown_way", RULES, "exact")
    draw_counts(page, recorded.result.first, way, recorded.provenance)
    page.offer_notebook(
        "from labcore.serving.exactness_study import CASES, study\n\n"
        f"result = study(CASES[{case!r}])",
        "print(result.distances, result.p_values)",
    )
