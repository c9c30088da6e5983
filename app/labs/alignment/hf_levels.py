"""Sixteen levels for a real matrix: the table, the size of a block, the price in bits."""

import streamlit as st

from app.charts import hf as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.tuning import nf4_study as lab
from labcore.tuning.nf4_study import NF4Config

BLOCKS = tuple(map(str, lab.BLOCKS))
DEFAULT = NF4Config()
LAYERS = {"world-decoder": 4, "smollm2-135m-instruct": 30}


def draw(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        table = page.choice("table", lab.TABLES, DEFAULT.table)
        block = int(page.choice("block", BLOCKS, str(DEFAULT.block), style="slide", label=str))
        double = page.toggle("double", DEFAULT.double)
    with right:
        model = page.choice("weights_of", lab.MODELS, DEFAULT.model)
        layer = page.slider("layer", 1, LAYERS[model], 1) - 1
        outlier = page.slider("outlier", 1, 50, 1)
    page.model(model)
    config = NF4Config(model, layer, table, block, double, float(outlier))
    result = page.run(lab.run, config)
    rows, columns = result.shape
    st.markdown(
        page.text(
            "levels.outcome", error=f"{result.error:.1%}", bits=f"{result.bits:.3f}", rows=rows,
            columns=columns, saved=f"{32 / result.bits:.1f}",
        )
    )  # fmt: skip
    page.figure(charts.levels(result, page.text), COMPUTED, "levels")
    page.figure(charts.blocks(result, block, page.text), COMPUTED, "blocks")
    page.offer_notebook(
        f"from labcore.tuning import nf4_study as lab\n\nresult = lab.run(lab.{config!r})",
        "result.error, result.bits, dict(zip(result.levels, result.used))",
    )
