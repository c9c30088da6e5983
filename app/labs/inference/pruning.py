"""Pruning: single weights, whole units, a short repair, and what it all does to size and speed."""

import streamlit as st

from app.charts import pruning as charts
from app.labs.inference.pruning_repair import repair
from app.labs.inference.pruning_speed import speed
from app.labs.inference.pruning_structured import structured
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.compression import matrix_forms, smaller_model, unit_importance
from labcore.compression import pruning as methods
from labcore.compression import repair as repairing
from labcore.compression import unstructured as lab
from labcore.compression.unstructured import Study, UnstructuredConfig, UnstructuredResult

SHOWN = (
    methods.wanda_scores, methods.keep_mask, methods.sparsegpt, smaller_model.without_heads,
    unit_importance.slopes, repairing.hold_zeros, matrix_forms.to_csr, matrix_forms.pack_two_four,
)  # fmt: skip

PARTS = ("unstructured", "structured", "repair", "speed")
COMPARED = {method: lab.COMPARED for method in methods.METHODS} | {
    "sparsegpt": ("row", "matrix", "n:m")
}
DEFAULT = UnstructuredConfig()


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {"unstructured": unstructured, "structured": structured, "repair": repair, "speed": speed}[
        part
    ](page)


def unstructured(page: LabPage) -> None:
    """Single weights: a knob each for who goes, how many, and compared with whom."""
    config = knobs(page)
    result = page.run(lab.run, config)
    recorded = page.recording("unstructured", Study)
    draw(page, config, result)
    figure = charts.losses(recorded.result, config.planted, (config, result), page.text)
    page.figure(figure, recorded.provenance, "losses")
    page.part(draw_matrices, page, result)
    page.figure(charts.two_four(recorded.result, page.text), recorded.provenance, "two_four")
    page.offer_notebook(
        "from labcore.compression import unstructured as lab\n\n"
        f"result = lab.run(lab.UnstructuredConfig({', '.join(changed_fields(config))}))",
        'print(f"{result.dense_nats:.4f} nats before, {result.loss_nats:.4f} after, "\n'
        '      f"floor {result.floor_nats:.4f}")\n'
        "for name, zeros, error in zip(result.names, result.zero_share, result.output_error):\n"
        '    print(f"{name:24} {zeros:.0%} zeros, output off by {error:.1%}")',
    )


def draw_matrices(page: LabPage, result: UnstructuredResult) -> None:
    """The matrices side by side, and one of them with its holes."""
    what = page.choice("what", ("zeros", "error"), "zeros")
    page.figure(charts.by_matrix(result, what, page.text), COMPUTED, f"by_matrix_{what}")
    name = page.choice("matrix", result.names, result.names[0], style="select", label=short_name)
    page.figure(charts.mask(result, name, page.text), COMPUTED, "mask")


def knobs(page: LabPage) -> UnstructuredConfig:
    left, right = st.columns(2)
    with left:
        method = page.choice("method", methods.METHODS, DEFAULT.method)
        planted = page.toggle("planted", DEFAULT.planted)
    with right:
        ways = COMPARED[method]
        compared = page.choice("compared", ways, DEFAULT.compared)
        ratio = page.slider("ratio", 0, 95, 50, 5)
    with st.expander(page.text("more"), key="pruning-more"):
        left, right = st.columns(2)
        with left:
            stories = page.slider("stories", 2, 128, DEFAULT.stories, 2)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return UnstructuredConfig(method, ratio / 100, compared, planted, stories, seed)


def draw(page: LabPage, config: UnstructuredConfig, result: UnstructuredResult) -> None:
    st.markdown(
        page.text(
            "outcome", zeros=f"{result.zero_share.mean():.0%}", before=f"{result.dense_nats:.3f}",
            after=f"{result.loss_nats:.3f}", floor=f"{result.floor_nats:.3f}",
        )
    )  # fmt: skip
    if config.compared == "n:m":
        page.caption("outcome.two_four")


def short_name(name: str) -> str:
    """>>> short_name("stack.layers.2.attn.out")
    '2.attn.out'
    """
    return name.removeprefix("stack.layers.")
