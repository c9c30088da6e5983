"""Knobs that several parts share: which levels a weight may take."""

from dataclasses import replace

import streamlit as st

from app.page import LabPage
from labcore.compression.rounding import CLIPS, GRANULARITIES, MOST_BITS, GridConfig

GROUP_SIZES = ("16", "32", "64", "128")


def grid_knobs(page: LabPage, default: GridConfig, low: int) -> GridConfig:
    """Bits and blocks in sight, the rest a click away. Parts share them, so their defaults are alike."""
    left, right = st.columns(2)
    with left:
        bits = page.slider("bits", low, MOST_BITS, default.bits)
    with right:
        granularity = page.choice("granularity", GRANULARITIES, default.granularity)
    with st.expander(page.text("more.grid"), key="quantisation-more-grid"):
        left, right = st.columns(2)
        with left:
            symmetric = page.toggle("symmetric", default.symmetric)
            size = default.group_size
            if granularity == "group":
                size = int(page.choice("group_size", GROUP_SIZES, "32", label=str))
        with right:
            clip = page.choice("clip", CLIPS, default.clip)
            percentile = default.percentile
            if clip == "percentile":
                percentile = page.slider("percentile", 90.0, 100.0, 99.0, 0.5, format="%.1f")
    return replace(
        default, bits=bits, symmetric=symmetric, granularity=granularity, group_size=size,
        clip=clip, percentile=percentile,
    )  # fmt: skip


def notebook_grid(grid: GridConfig) -> str:
    return (
        f"GridConfig({grid.bits}, {grid.symmetric}, {grid.granularity!r}, {grid.group_size}, "
        f"{grid.clip!r}, {grid.percentile})"
    )
