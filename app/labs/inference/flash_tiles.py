"""The square in tiles, counted; and the largest tile that a real chip can hold."""

import streamlit as st

from app.charts import flash_tiles as charts
from app.page import LabPage
from app.provenance import ANALYTIC, COMPUTED
from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.serving import on_chip
from labcore.serving import tile_walk as lab
from labcore.serving.tile_walk import WalkConfig

LENGTHS = ("32", "64", "128", "256")
SIZES = ("8", "16", "32", "64", "128", "256")
REAL_LENGTHS = ("512", "1024", "2048", "4096", "8192", "32768", "131072")
WIDTHS = ("64", "128", "256")
DEFAULT = WalkConfig()
FIRST_STEP = 12


def draw(page: LabPage) -> None:
    config = knobs(page)
    walk = page.run(lab.run, config)
    count = len(walk.places)
    step = int(page.slider("step", 1, count, min(FIRST_STEP, count)))
    st.markdown(
        page.text(
            "walk.told", step=step, tiles=count, moved=f"{walk.moved[step - 1]:,}",
            held=f"{walk.held:,}", plain_held=f"{walk.plain_held:,}",
        )
    )  # fmt: skip
    page.figure(charts.square(walk, step, page.text), COMPUTED, "square")
    page.figure(charts.moved(walk, step, page.text), COMPUTED, "moved")
    page.caption(
        "moved.told", moved=f"{walk.moved[-1]:,}", formula=f"{walk.formula:,}",
        plain=f"{walk.plain_moved:,}", share=f"{walk.moved[-1] / walk.plain_moved:.0%}",
        difference=f"{walk.difference:.0e}",
    )  # fmt: skip
    page.figure(charts.by_size(walk, config.query_tile, page.text), ANALYTIC, "by_size")
    real_chip(page, config.causal)
    page.offer_notebook(
        f"from labcore.serving import tile_walk as lab\n\nwalk = lab.run(lab.{config!r})",
        "walk.moved[-1], walk.formula, walk.plain_moved, walk.held",
    )


def knobs(page: LabPage) -> WalkConfig:
    left, middle, right = st.columns(3)
    with left:
        length = page.choice("length", LENGTHS, str(DEFAULT.length), style="slide", label=str)
        causal = page.toggle("causal", DEFAULT.causal)
    with middle:
        rows = page.choice("query_tile", SIZES, str(DEFAULT.query_tile), style="slide", label=str)
    with right:
        columns = page.choice("columns", SIZES, str(DEFAULT.key_tile), style="slide", label=str)
    return WalkConfig(int(length), DEFAULT.width, int(rows), int(columns), causal)


def real_chip(page: LabPage, causal: bool) -> None:
    """The same counts at the size of a real model on a real device."""
    st.markdown(f"**{page.text('chip')}**")
    left, middle, right = st.columns(3)
    with left:
        device = page.choice(
            "device", tuple(on_chip.SHARED_BYTES), "a100-80", style="select",
            label=lambda name: DEVICES[name].title,
        )  # fmt: skip
    with middle:
        length = page.choice("real_length", REAL_LENGTHS, "4096", style="slide", label=str)
    with right:
        width = page.choice("width", WIDTHS, "64", label=str)
    try:
        config = on_chip.BillConfig(device, int(length), int(width), causal)
        result = page.run(on_chip.bill, config)
    except LabInputError as error:
        page.error(error)
        return
    page.badge(ANALYTIC)
    st.markdown(
        page.text(
            "chip.told", tile=result.tile, kept=f"{result.tile_bytes / 1024:.0f}",
            shared=f"{result.shared_bytes / 1024:.0f}",
            ridge=f"{DEVICES[device].peak_flops / DEVICES[device].memory_bandwidth:.0f}",
        )
    )  # fmt: skip
    st.dataframe(charts.bill(result, page.text), hide_index=True)
    page.caption("chip.about")
