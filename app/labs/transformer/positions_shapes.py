"""Six encodings side by side: what they hold, and what they do to a score over distance."""

import streamlit as st

from app.charts import positions as charts
from app.page import LabPage
from app.provenance import ANALYTIC, COMPUTED
from labcore.architecture import positions_shapes as lab
from labcore.architecture.positions_length import ENCODINGS, LengthResult, similarity
from labcore.architecture.positions_shapes import ShapesConfig

DEFAULT = ShapesConfig()
FORMULAS = ("sinusoidal", "alibi", "none")  # nothing is drawn or learned
HAS_WIDTH = ("rope", "sinusoidal", "learned")
HAS_HEADS = ("alibi", "t5")


def draw(page: LabPage) -> None:
    if cell := page.clicked("gallery"):
        page.controls.set("encoding", ENCODINGS[cell["head"]])
    encoding = page.choice("encoding", ENCODINGS, "rope", style="pills")
    config, head = knobs(page, encoding)
    result = page.run(lab.run, config)
    page.figure(charts.gallery(result, encoding, page.text), COMPUTED, "gallery")
    st.markdown(page.text(f"about.{encoding}"))
    source = ANALYTIC if encoding in (*FORMULAS, "rope") else COMPUTED
    figure = charts.own_matrix(result, encoding, head, page.text)
    page.figure(figure, source, "matrix", page.text(f"figure.matrix.{encoding}"))
    figure = charts.over_distance(result.shapes[encoding].lines, encoding, page.text)
    source = ANALYTIC if encoding in FORMULAS else COMPUTED
    page.figure(figure, source, "lines", page.text(f"figure.lines.{encoding}"))
    page.caption(f"lines.{encoding}.look")
    if encoding == "rope":
        codes = (f"{result.codes_agree:.0e}", f"{result.codes_mixed:.1f}")
        st.markdown(page.text("rope.codes", agree=codes[0], mixed=codes[1]))
    draw_trained(page, encoding)
    offer_notebook(page, config, encoding)


def knobs(page: LabPage, encoding: str) -> tuple[ShapesConfig, int]:
    """Only what this encoding has."""
    width, theta, heads, head = DEFAULT.width, DEFAULT.theta, DEFAULT.heads, 0
    left, right = st.columns(2)
    with left:
        if encoding in HAS_WIDTH:
            widths = [str(width) for width in lab.WIDTHS]
            width = int(page.choice("width", widths, str(DEFAULT.width), label=str))
        if encoding in HAS_HEADS:
            counts = [str(count) for count in lab.HEADS]
            heads = int(page.choice("heads", counts, str(DEFAULT.heads), label=str))
    with right:
        if encoding == "rope":
            bases = [f"{theta:.0f}" for theta in lab.THETAS]
            theta = float(page.choice("theta", bases, f"{DEFAULT.theta:.0f}", label=grouped))
        if encoding == "alibi":
            head = page.slider("head", 0, heads - 1, 0)
    with st.expander(page.text("more"), key="positions-more-shapes"):
        reaches = [str(reach) for reach in lab.REACHES]
        reach = page.choice("reach", reaches, str(DEFAULT.reach), label=grouped)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return ShapesConfig(width, theta, heads, reach=int(reach), seed=seed), head


def grouped(number: str) -> str:
    return f"{int(number):,}"


def draw_trained(page: LabPage, encoding: str) -> None:
    """What training makes of the two encodings that are learned."""
    if encoding not in ("learned", "t5"):
        return
    recording = page.recording("length", LengthResult)
    if encoding == "t5":
        figure = charts.trained_bias(recording.result.t5_bias, page.text)
        page.figure(figure, recording.provenance, "trained_bias")
    else:
        figure = charts.trained_rows(similarity(recording.result.learned_rows), page.text)
        page.figure(figure, recording.provenance, "trained_rows")


def offer_notebook(page: LabPage, config: ShapesConfig, encoding: str) -> None:
    page.offer_notebook(
        "from labcore.architecture import positions_shapes as lab\n\n"
        f"config = lab.{config!r}\n"
        f"shape = lab.run(config).shapes[{encoding!r}]\n"
        "shape.matrix.shape, shape.alone[-1].round(3)",
        "import pandas as pd\n\n"
        "pd.DataFrame({line.name: pd.Series(line.value, line.distance) for line in shape.lines})",
    )
