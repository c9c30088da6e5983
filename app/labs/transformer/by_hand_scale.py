"""Why √d: four factors, five measures, seven widths."""

import streamlit as st

from app.charts import score_scale as charts
from app.page import LabPage
from app.provenance import MEASURED
from labcore.architecture import score_scale as lab
from labcore.architecture.score_scale import ScoreScaleConfig

DEFAULT = ScoreScaleConfig()
FIRST_WIDTH = "64"
PEAKED, EVEN = 0.8, 0.3  # of the largest weight


def draw(page: LabPage) -> None:
    guess = page.predict("peak", options=("even", "half", "one"))
    measure = page.choice("measure", lab.MEASURES, "std", style="pills")
    config = knobs(page)
    result = page.run(lab.run, config)
    figure = charts.against_width(result, measure, config.keys, page.text)
    title = page.text("title.scale", measure=page.text(f"option.measure.{measure}"))
    page.figure(figure, MEASURED, "scale", title)
    page.caption(f"measure.{measure}", **numbers(result))
    page.reveal(guess, band(float(result.measures["largest"]["none"][:, -1].mean())))
    widths = [str(width) for width in lab.WIDTHS]
    width = page.choice("d", widths, FIRST_WIDTH, style="slide", label=str)
    page.figure(charts.one_query(result, int(width), page.text), MEASURED, "one")
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> ScoreScaleConfig:
    with st.expander(page.text("more"), key="by_hand-scale-more"):
        left, right = st.columns(2)
        with left:
            keys = page.slider("keys", *lab.LIMITS["keys"], DEFAULT.keys)
            heads = page.slider("heads", *lab.LIMITS["heads"], DEFAULT.heads)
        with right:
            seeds = page.slider("seeds", *lab.LIMITS["seeds"], DEFAULT.seeds)
            seed = page.number("seed", *lab.LIMITS["seed"], DEFAULT.seed)
    return ScoreScaleConfig(keys, heads, seeds, seed)


def numbers(result: lab.ScoreScaleResult) -> dict[str, str]:
    """What the sentence under the picture quotes: the ends of the unscaled line, and the mean of √d's."""
    reach, mean = result.measures["reach"], result.means
    return {
        "median": f"{reach['none'][:, -1].mean():.2g}",
        "mean": f"{mean['none'][:, -1].mean():.2g}",
        "steady": f"{reach['sqrt_d'].mean():.2g}",
    }


def band(largest: float) -> str:
    if largest > PEAKED:
        return "one"
    return "even" if largest < EVEN else "half"


def notebook(config: ScoreScaleConfig) -> tuple[str, ...]:
    return (
        "from labcore.architecture import score_scale as lab\n\n"
        f"config = lab.{config!r}\nresult = lab.run(config)",
        "import pandas as pd\n\n"
        "pd.concat({name: pd.DataFrame({scale: values.mean(axis=0) for scale, values in of.items()},"
        " index=lab.WIDTHS) for name, of in result.measures.items()})",
    )
