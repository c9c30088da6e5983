"""Probability: a test for a rare illness, the next word of a story, and the plot that it will have."""

import numpy as np
import streamlit as st

from app.charts import probability as charts
from app.page import LabPage
from app.provenance import ANALYTIC, COMPUTED
from labcore.foundations import bayes, next_word, which_plot
from labcore.foundations.bayes import ScreeningConfig
from labcore.foundations.next_word import NextConfig
from labcore.foundations.which_plot import NAMES, PlotConfig

SHOWN = (
    bayes.posterior, bayes.run, bayes.draw, next_word.counted_shares, next_word.surprises,
    which_plot.likelihoods, which_plot.from_logs, which_plot.divergence,
)  # fmt: skip

PARTS = ("test", "story", "plot")
LANGUAGES = ("en", "zh")
SHARES = ("0.1", "0.5", "1", "2", "5", "10", "20", "50")  # prevalence in percent
DEFAULT, NEXT, PLOT = ScreeningConfig(), NextConfig(), PlotConfig()


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {"test": draw_test, "story": draw_story, "plot": draw_plot}[part](page)


def draw_test(page: LabPage) -> None:
    guess = page.predict("worth", low=0, high=100, step=1, unit="%")
    left, right = st.columns(2)
    with left:
        prevalence = float(page.choice("prevalence", SHARES, "1", style="slide", label=str)) / 100
        people = page.slider("people", 1000, bayes.MOST_PEOPLE, DEFAULT.people, 1000)
    with right:
        sensitivity = page.slider("sensitivity", 50, 100, 90) / 100
        false_alarm = page.slider("false_alarm", 1, 50, 5) / 100
    seed = page.number("seed", 0, 9999, 0)
    config = ScreeningConfig(prevalence, sensitivity, false_alarm, people, seed)
    result = page.run(bayes.run, config)
    true, false = (10_000 * result.joint[:, 0]).round(1)
    st.markdown(
        page.text(
            "test.outcome", true=f"{true:g}", false=f"{false:g}", posterior=f"{100 * result.posterior:.1f}",
            negative=f"{100 * result.after_negative:.3f}", odds=f"{prevalence / (1 - prevalence):.4g}",
            ratio=f"{sensitivity / false_alarm:.3g}",
            after=f"{prevalence / (1 - prevalence) * sensitivity / false_alarm:.4g}",
        )
    )  # fmt: skip
    page.figure(charts.town(result, page.text), COMPUTED, "town")
    page.figure(charts.prevalence(result, prevalence, page.text), ANALYTIC, "prevalence")
    page.figure(charts.running(result, page.text), COMPUTED, "running")
    page.figure(charts.repeats(result, page.text), ANALYTIC, "repeats")
    page.reveal(guess, 100 * page.run(bayes.run, DEFAULT).posterior, 0.25)
    page.offer_notebook(
        f"from labcore.foundations import bayes as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.joint)\nprint(result.posterior, result.running[-1])",
    )


def draw_story(page: LabPage) -> None:
    guess = page.predict("unseen", options=("nothing", "guesses", "knows"))
    picked = page.clicked("story")
    if picked:
        page.controls.set("position", max(1, int(picked["token"])))
    left, right = st.columns(2)
    with left:
        language = page.choice("language", LANGUAGES, page.text.language)
        story = page.slider("story", 0, next_word.STORIES - 1, NEXT.story)
    with right:
        counted = int(page.choice("counted", tuple(map(str, next_word.CORPUS_SIZES)),
                                  str(NEXT.counted), label=str))  # fmt: skip
        position = page.slider("position", 1, 40, NEXT.position)
    config = NextConfig(language, story, position, counted)
    result = page.run(next_word.run, config)
    page.figure(charts.story(result, page.text), COMPUTED, "story")
    here = result.position
    st.text(page.text("story.begins", beginning=" ".join(result.labels[:here]), token=result.true))
    page.caption(
        "story.outcome", matches=int(result.matches[here]), counted=counted,
        exact=f"{np.exp(-result.exact_nats[here]):.3f}", model=f"{np.exp(-result.model_nats[here]):.3f}",
    )  # fmt: skip
    page.figure(charts.next_tokens(result, page.text), COMPUTED, "next")
    if not result.matches[here]:
        page.caption("story.unseen")
    page.figure(charts.matches(result, page.text), COMPUTED, "matches")
    page.figure(charts.summed(result, page.text), COMPUTED, "summed")
    page.caption(
        "story.chain", exact=f"{result.exact_nats.sum():.2f}", model=f"{result.model_nats.sum():.2f}",
        power=f"{result.exact_nats.sum() / np.log(10):.1f}",
    )  # fmt: skip
    page.reveal(guess, where_unseen(result))
    page.offer_notebook(
        f"from labcore.foundations import next_word as lab\n\nresult = lab.run(lab.{config!r})",
        "for row in zip(result.names, result.exact, result.counted, result.model):\n    print(*row)",
    )


def where_unseen(result: next_word.NextResult) -> str:
    """What the model does at the places that no counted story has reached."""
    unseen = result.matches == 0
    extra = float(
        (result.model_nats - result.exact_nats)[unseen].mean()
    )  # nats beyond the exact ones
    return "knows" if extra < 0.25 else "guesses" if extra < 3 else "nothing"


def draw_plot(page: LabPage) -> None:
    guess = page.predict("stubborn", low=0, high=40, step=1)
    left, right = st.columns(2)
    with left:
        language = page.choice("language", LANGUAGES, page.text.language)
        plot = page.choice("plot", NAMES, PLOT.plot, style="select")
        seed = page.number("telling", 0, 999, 0)
    with right:
        favoured = page.choice("favoured", NAMES, PLOT.favoured, style="select",
                               label=lambda name: page.text(f"option.plot.{name}"))  # fmt: skip
        percent = page.slider("prior", 0.1, 99.9, 12.5, 0.1)
    config = PlotConfig(plot, language, favoured, round(percent / 100, 4), seed)
    result = page.run(which_plot.run, config)
    st.text(" ".join(result.labels[: charts.READ]) + " …")
    page.caption(
        "plot.outcome", settled=result.settled, token=result.labels[max(result.settled - 1, 0)],
        plot=page.text(f"option.plot.{plot}"),
    )  # fmt: skip
    page.figure(charts.plots(result, "posterior", page.text), COMPUTED, "plots")
    page.figure(charts.learnt(result, page.text), COMPUTED, "learnt")
    page.figure(charts.plots(result, "naive", page.text), COMPUTED, "naive")
    page.reveal(guess, float(page.run(which_plot.run, PlotConfig(prior=0.999)).settled), 0.15)
    page.offer_notebook(
        f"from labcore.foundations import which_plot as lab\n\nresult = lab.run(lab.{config!r})",
        "for label, row in zip(result.labels, result.posterior[:8]):\n    print(label, row.round(3))",
    )
