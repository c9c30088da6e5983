"""Where LoRA begins, and what merging does to the weights."""

import streamlit as st

from app.charts import lora_mechanics as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.tuning import lora_mechanics as lab
from labcore.tuning.tune import NEW_TASKS


def experiment(page: LabPage) -> None:
    st.markdown(f"**{page.text('start.title')}**")
    left, right = st.columns(2)
    with left:
        rank = page.choice("start_rank", ("1", "2", "4", "8", "16", "32"), "8", "slide", label=str)
    with right:
        alpha = page.choice("start_alpha", ("1", "4", "16", "64"), "16", "slide", label=str)
    found = page.run(lab.starts, lab.StartConfig(int(rank), float(alpha)))
    page.figure(charts.starts(found, page.text), COMPUTED, "starts")
    st.markdown(f"**{page.text('merge.title')}**")
    left, right = st.columns(2)
    with left:
        adapter = page.choice("adapter", NEW_TASKS, NEW_TASKS[0])
    with right:
        precision = page.choice("precision", tuple(lab.PRECISIONS), "fp32")
    merged = page.run(lab.merging, lab.MergeConfig(adapter, precision))
    page.badge(COMPUTED)
    st.dataframe(charts.merged_table(merged, page.text), hide_index=True)
    page.caption(f"merge.{precision}", share=f"{merged.not_restored:.0%}")
    page.offer_notebook(
        "from labcore.tuning import lora_mechanics as lab\n\n"
        f"print(lab.starts(lab.StartConfig({rank}, {float(alpha)})))",
        f"print(lab.merging(lab.MergeConfig({adapter!r}, {precision!r})))",
    )
