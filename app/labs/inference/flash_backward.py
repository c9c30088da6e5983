"""The backward pass: weights computed once more instead of kept."""

import streamlit as st

from app.charts import flash_measured as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.serving import tile_backward as lab
from labcore.serving.tile_backward import BackwardConfig

LENGTHS = ("32", "64", "96", "128", "192")
TILES = ("8", "16", "32", "64", "96")
DEFAULT = BackwardConfig()


def draw(page: LabPage) -> None:
    left, middle, right = st.columns(3)
    with left:
        length = page.choice("back_length", LENGTHS, str(DEFAULT.length), style="slide", label=str)
    with middle:
        tile = page.choice("back_tile", TILES, str(DEFAULT.tile), style="slide", label=str)
    with right:
        causal = page.toggle("back_causal", DEFAULT.causal)
    config = BackwardConfig(int(length), tile=int(tile), causal=causal)
    result = page.run(lab.run, config)
    page.figure(charts.kept(result, page.text), COMPUTED, "kept")
    last = {way: f"{kept[-1] / 1e3:,.0f}" for way, kept in result.kept_bytes.items()}
    page.caption("kept.told", length=int(result.lengths[-1]), **last)
    st.markdown(f"**{page.text('gradients')}**")
    page.badge(COMPUTED)
    st.dataframe(charts.gradients(result, page.text), hide_index=True)
    page.caption(
        "gradients.about", seeds=config.seeds, largest=f"{max(result.largest.values()):.1f}",
        **result.products,
    )  # fmt: skip
    page.offer_notebook(
        f"from labcore.serving import tile_backward as lab\n\nresult = lab.run(lab.{config!r})",
        "result.errors, result.kept_bytes",
    )
