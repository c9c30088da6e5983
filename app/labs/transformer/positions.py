"""Positional encodings: their shapes, a sentence moved, words reordered, long texts, and RoPE's cures."""

from app.labs.transformer import (
    positions_length,
    positions_order,
    positions_rescue,
    positions_shapes,
    positions_shift,
)
from app.page import LabPage
from labcore.architecture import positions_length as length
from labcore.architecture import positions_order as order
from labcore.architecture import positions_shapes as shapes
from labcore.architecture import positions_shift as shift
from labcore.model.positions import alibi_bias, rotate, rotation, sinusoidal, t5_bucket

SHOWN = (
    sinusoidal,
    rotation,
    rotate,
    alibi_bias,
    t5_bucket,
    shapes.rope_overlap,
    shift.both_places,
    order.equivariance_error,
    order.place_error,
    length.compare,
    length.loss_at,
)

PARTS = {
    "shapes": positions_shapes.draw,
    "shift": positions_shift.draw,
    "order": positions_order.draw,
    "length": positions_length.draw,
    "rescue": positions_rescue.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "shapes")
    page.caption(f"part.{part}.about")
    PARTS[part](page)
