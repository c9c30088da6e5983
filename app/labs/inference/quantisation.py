"""Quantisation: a matrix and its levels, a whole model, outlier channels, time, and who needs the bits."""

import streamlit as st

from app.charts import quantisation as charts
from app.labs.inference import quantisation_model as model_part
from app.labs.inference import quantisation_outliers as outliers_part
from app.labs.inference import quantisation_sensitivity as sensitivity_part
from app.labs.inference import quantisation_speed as speed_part
from app.labs.inference.quantisation_knobs import grid_knobs, notebook_grid
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.compression import levels as lab
from labcore.compression.gptq import gptq
from labcore.compression.levels import LevelsConfig
from labcore.compression.rounded_inputs import round_inputs
from labcore.compression.rounding import GridConfig, least_error_grid, range_grid
from labcore.compression.scaling import awq_scales, smoothing_scales

SHOWN = (
    range_grid, least_error_grid, lab.levels_of, gptq, awq_scales, smoothing_scales, round_inputs,
)  # fmt: skip

PARTS = ("levels", "model", "outliers", "speed", "sensitivity")
LAYERS = 4
KINDS = {"q": "attn", "k": "attn", "v": "attn", "out": "attn", "up": "mlp", "down": "mlp"}
BLOCK_SIZES = ("16", "32", "64", "128")
DEFAULT = LevelsConfig()


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0], style="pills")
    page.caption(f"part.{part}")
    {
        "levels": levels, "model": model_part.draw_part, "outliers": outliers_part.draw_part,
        "speed": speed_part.draw_part, "sensitivity": sensitivity_part.draw_part,
    }[part](page)  # fmt: skip


def levels(page: LabPage) -> None:
    """One matrix, as light as a knob."""
    config = levels_knobs(page)
    result = page.run(lab.run, config)
    outputs, inputs = result.shape
    st.markdown(
        page.text(
            "levels.outcome", outputs=outputs, inputs=inputs, blocks=result.blocks,
            levels=len(result.levels), bits=f"{result.bits_per_weight:.2f}",
            kilobytes=f"{result.stored_bytes / 1e3:.1f}", full=f"{result.full_bytes / 1e3:.0f}",
            weights=f"{100 * result.weight_error:.3g}",
            results=f"{100 * result.output_error:.3g}",
        )
    )  # fmt: skip
    page.figure(charts.levels(result, page.text), COMPUTED, "levels")
    page.figure(charts.used(result, page.text), COMPUTED, "used")
    page.offer_notebook(
        "from labcore.compression import levels as lab\n"
        "from labcore.compression.rounding import GridConfig\n\n"
        f"result = lab.run(lab.LevelsConfig({config.matrix!r}, {config.scheme!r}, "
        f"{notebook_grid(config.grid)}, {config.block_size}, {config.block}))",
        "print(result.levels)\nprint(result.weight_error, result.output_error, result.bits_per_weight)",
    )


def levels_knobs(page: LabPage) -> LevelsConfig:
    left, right = st.columns(2)
    with left:
        layer = page.slider("layer", 0, LAYERS - 1, LAYERS - 1)
        scheme = page.choice("scheme", lab.SCHEMES, DEFAULT.scheme)
    with right:
        kind = page.choice("kind", tuple(KINDS), "up", style="pills", label=str)
        if scheme == "uniform":
            grid, size = None, DEFAULT.block_size
        else:
            size = int(page.choice("block_size", BLOCK_SIZES, "64", label=str))
            grid = DEFAULT.grid
    if grid is None:
        grid = grid_knobs(page, DEFAULT.grid, low=2)
    matrix = f"stack.layers.{layer}.{KINDS[kind]}.{kind}"
    blocks = count_blocks(kind, scheme, grid, size)
    block = page.slider("block", 0, blocks - 1, 0) if blocks > 1 else 0
    return LevelsConfig(matrix, scheme, grid, size, block)


def count_blocks(kind: str, scheme: str, grid: GridConfig, size: int) -> int:
    """How many blocks share a scale each: `up` is 512 × 128, `down` 128 × 512, the others 128 × 128."""
    rows = 512 if kind == "up" else 128
    weights = 128 * (512 if kind in ("up", "down") else 128)
    if scheme != "uniform":
        return weights // size
    return {"tensor": 1, "row": rows, "group": weights // grid.group_size}[grid.granularity]
