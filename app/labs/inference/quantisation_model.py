"""The whole bundled model in few bits; below it methods by bits, recorded."""

import streamlit as st

from app.charts import quantisation as charts
from app.job import JobView
from app.labs.inference.quantisation_knobs import grid_knobs, notebook_grid
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.compression import quantise_model as lab
from labcore.compression.quantise_model import QuantiseConfig, QuantiseResult
from labcore.compression.quantise_study import MethodStudy

DEFAULT = QuantiseConfig()
LITTLE, MUCH = 0.001, 0.02  # nats
FAMILIES = {
    "granularity": ("tensor", "row", "group"),
    "clip": ("row", "row-symmetric", "row-percentile", "row-mse"),
    "method": ("row", "group", "gptq-row", "gptq-group", "awq-group", "nf4", "fp4"),
}


def draw_part(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("rise", options=("none", "little", "much"))
    page.job(lab.quantise, config, lambda view: draw(page, config, view, guess))
    compare(page)
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> QuantiseConfig:
    method = page.choice("method", lab.METHODS, DEFAULT.method)
    page.caption(f"method.{method}")
    grid = DEFAULT.grid if method in ("nf4", "fp4") else grid_knobs(page, DEFAULT.grid, low=2)
    seed = DEFAULT.seed
    if method in ("gptq", "awq"):
        seed = page.number("seed", 0, 99, DEFAULT.seed)
    return QuantiseConfig(method, grid, seed)


def draw(page: LabPage, config: QuantiseConfig, view: JobView | None, guess: Guess | None) -> None:
    """The model as it came out; before a run the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("model", QuantiseResult)
        page.caption("job.recorded")
        show(page, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        show(page, view.result, MEASURED)
        page.reveal(guess, verdict(view.result))


def show(page: LabPage, result: QuantiseResult, source: Provenance) -> None:
    st.markdown(
        page.text(
            "model.outcome", full=f"{result.full_loss:.4f}", few=f"{result.loss:.4f}",
            rise=f"{result.loss - result.full_loss:+.4f}", floor=f"{result.floor:.4f}",
            bits=f"{32 * result.stored_bytes / result.full_bytes:.2f}",
            seconds=f"{result.seconds:.2f}",
        )
    )  # fmt: skip
    page.figure(charts.losses(result, page.text), source, "losses")
    page.figure(charts.sizes(result, page.text), source, "sizes")
    page.figure(charts.errors(result, page.text), source, "errors")


def verdict(result: QuantiseResult) -> str:
    rise = result.loss - result.full_loss
    return "none" if rise < LITTLE else "little" if rise < MUCH else "much"


def compare(page: LabPage) -> None:
    """Methods by bits over three calibration seeds."""
    recorded = page.recording("methods", MethodStudy)
    family = page.choice("family", tuple(FAMILIES), "granularity")
    page.caption(f"family.{family}")
    ways = FAMILIES[family]
    page.figure(charts.methods(recorded.result, ways, page.text), recorded.provenance, "methods")
    with st.expander(page.text("methods.table"), key="quantisation-methods-table"):
        table = charts.methods_table(recorded.result, ways, page.text)
        st.dataframe(table, hide_index=True, height="content")


def notebook(config: QuantiseConfig) -> tuple[str, str]:
    return (
        "from labcore.compression import quantise_model as lab\n"
        "from labcore.compression.rounding import GridConfig\n\n"
        f"result = lab.run(lab.QuantiseConfig({config.method!r}, {notebook_grid(config.grid)}, "
        f"{config.seed}))",
        "print(result.full_loss, result.loss, result.stored_bytes)\n"
        "print(dict(zip(result.names, result.errors.round(4))))",
    )
