"""The picture of a stage: from the generator, drawn, or brought. What cannot be used is refused."""

import streamlit as st

from app.components import easel
from app.page import LabPage
from labcore.errors import LabInputError
from labcore.vision import own_picture
from labcore.vision.captions import COLOUR_WORDS, SHAPE_WORDS
from labcore.vision.looking import SceneConfig, as_pixels, generated
from labcore.vision.pictures import COLOURS, RELATIONS, SHAPES, SIDE

SOURCES = ("generated", "drawn", "brought")
DEFAULT = SceneConfig()
UPLOAD = "multimodal.upload"


def picture(page: LabPage) -> bytes | None:
    """The pixels of the picture that the knobs ask for, or None while there is none."""
    source = page.choice("source", SOURCES, SOURCES[0])
    if source == "generated":
        return page.run(generated, scene(page))
    return drawn(page) if source == "drawn" else brought(page)


def scene(page: LabPage) -> SceneConfig:
    left, middle, right = st.columns(3)
    with left:
        relation = page.choice("relation", RELATIONS[::-1], DEFAULT.relation)
        seed = page.number("scene_seed", 0, 9999, DEFAULT.seed)
    with middle:
        first = thing(page, "first", DEFAULT.first)
    if relation == "alone":
        return SceneConfig(relation, first, DEFAULT.second, seed)
    with right:
        second = thing(page, "second", DEFAULT.second)
    return SceneConfig(relation, first, second, seed)


def thing(page: LabPage, which: str, default: tuple[str, str]) -> tuple[str, str]:
    colour = page.choice(
        f"{which}_colour",
        COLOURS,
        default[0],
        style="select",
        label=lambda one: colour_word(page, one),
    )
    shape = page.choice(
        f"{which}_shape",
        SHAPES,
        default[1],
        style="select",
        label=lambda one: shape_word(page, one),
    )
    return colour, shape


def colour_word(page: LabPage, colour: str) -> str:
    return COLOUR_WORDS[page.text.language][COLOURS.index(colour)]


def shape_word(page: LabPage, shape: str) -> str:
    return SHAPE_WORDS[page.text.language][SHAPES.index(shape)]


def drawn(page: LabPage) -> bytes:
    if (cells := page.clicked("easel")) is not None:
        page.controls.set("drawing", str(cells))
    cells = page.controls.kept("drawing", own_picture.EXAMPLE, checked, str)
    easel.mount(
        {
            "side": SIDE,
            "cells": cells,
            "palette": own_picture.css_palette(),
            "words": {
                "sheet": page.text("easel.sheet"),
                "colours": [*(colour_word(page, one) for one in COLOURS), page.text("easel.paper")],
                "tools": {
                    "brush": page.text("easel.brush"),
                    **{shape: shape_word(page, shape) for shape in SHAPES},
                },
                "clear": page.text("easel.clear"),
                "hint": page.text("easel.hint"),
            },
        },
        "multimodal.figure.easel",
    )  # fmt: skip
    return as_pixels(own_picture.read_drawing(cells))


def checked(cells: str) -> str:
    own_picture.read_drawing(cells)
    return cells


def brought(page: LabPage) -> bytes | None:
    file = st.file_uploader(
        page.text("upload"),
        type=list(own_picture.ENDINGS),
        key=UPLOAD,
        help=page.text("upload.help"),
    )
    page.caption("upload.about")
    if file is None:
        return None
    try:
        return as_pixels(own_picture.read_picture(file.getvalue()))
    except LabInputError as error:
        page.error(error)
        return None
