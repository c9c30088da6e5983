"""Whether tiles change the result, and whether they save arithmetic."""

import streamlit as st

from app.charts import flash_measured as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.errors import LabInputError
from labcore.serving import tile_exactness as lab
from labcore.serving import tiled_model
from labcore.serving.tile_exactness import ExactConfig, Exactness
from labcore.serving.tiled_model import TiledModelConfig

LENGTHS = ("64", "128", "256", "512")
DEFAULT = ExactConfig()
TEXT_LIMIT = 1000


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("error", options=("none", "rounding", "thousandth", "percent"))
    page.job(lab.compare, config, lambda view: show(page, config, view, guess))
    in_a_model(page)
    page.offer_notebook(
        f"from labcore.serving import tile_exactness as lab\n\nresult = lab.run(lab.{config!r})",
        "{name: values.max() for name, values in result.tiled.items()}, result.flops",
    )


def knobs(page: LabPage) -> ExactConfig:
    left, middle, right = st.columns(3)
    with left:
        length = page.choice("exact_length", LENGTHS, str(DEFAULT.length), style="slide", label=str)
    with middle:
        seeds = page.slider("seeds", 1, 5, DEFAULT.seeds)
    with right:
        causal = page.toggle("exact_causal", DEFAULT.causal)
    return ExactConfig(int(length), causal=causal, seeds=int(seeds))


def show(page: LabPage, config: ExactConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        recorded = page.recording("exact", Exactness)
        page.caption("job.recorded")
        pictures(page, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        pictures(page, view.result, MEASURED)
        page.reveal(guess, size_of(float(view.result.tiled["fp32"].max())))


def pictures(page: LabPage, result: Exactness, source: Provenance) -> None:
    page.figure(charts.errors(result, page.text), source, "errors")
    st.markdown(f"**{page.text('beside')}**")
    page.badge(source)
    st.dataframe(charts.beside(result, page.text), hide_index=True)
    page.caption("beside.about")
    page.figure(charts.work(result, page.text), source, "work")


def in_a_model(page: LabPage) -> None:
    """The bundled model with all its heads in tiles."""
    st.markdown(f"**{page.text('model')}**")
    text = page.text_area("text", page.text("default.text"), TEXT_LIMIT, lines=2)
    tile = page.slider("model_tile", 1, 16, 4)
    try:
        result = page.run(tiled_model.run, TiledModelConfig(text, int(tile)))
    except LabInputError as error:
        page.error(error)
        return
    page.badge(COMPUTED)
    st.dataframe(charts.model(result, page.text), hide_index=True)
    page.caption(
        "model.about", heads=result.heads, tokens=result.tokens, largest=f"{result.largest:.1f}"
    )


def size_of(error: float) -> str:
    """The answer of the prediction, from the largest difference in 32 bits."""
    if error == 0:
        return "none"
    if error < 1e-5:
        return "rounding"
    return "thousandth" if error < 5e-3 else "percent"
