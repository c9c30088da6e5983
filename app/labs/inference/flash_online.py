"""One query's row, a few keys at a time: of a real head, or typed by the learner."""

import numpy as np
import streamlit as st

from app.charts import flash as charts
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.serving import online_softmax as lab
from labcore.serving.online_softmax import OnlineConfig, OnlineResult

DEFAULT = OnlineConfig()
TEXT_LIMIT = 1000
OWN = "2, 1, 7, 3, 9, 4, 12, 5"
FIRST_TILE = 3
RAISED = 100.0  # added to every score in the question
ROUNDING = 1e-3  # an error above this is more than rounding in 32 bits


def draw(page: LabPage) -> None:
    config = knobs(page)
    if config is None:
        return
    try:
        result = page.run(lab.run, config)
    except LabInputError as error:
        page.error(error)
        return
    page.part(draw_tile, page, result)
    guess = page.predict("raised", options=("same", "rough", "nothing"))
    page.reveal(
        guess, raised(page.run(lab.run, OnlineConfig(page.text("default.text"), offset=RAISED)))
    )
    st.markdown(f"**{page.text('three')}**")
    page.caption("three.about", format=page.text(f"option.format.{config.format}"))
    page.badge(COMPUTED)
    st.dataframe(charts.three(result, page.text), hide_index=True)
    page.offer_notebook(
        "from labcore.serving import online_softmax as lab\n\n"
        f"result = lab.run(lab.OnlineConfig({', '.join(changed_fields(config))}))",
        "import pandas as pd\n\n"
        "pd.DataFrame({name: getattr(result, name) for name in "
        "('seen', 'largest', 'shrink', 'total', 'distance')})",
    )


def draw_tile(page: LabPage, result: OnlineResult) -> None:
    """What has been seen and is carried after one of the tiles."""
    tile = int(page.slider("tile", 1, len(result.seen), min(FIRST_TILE, len(result.seen)))) - 1
    st.markdown(told(page, result, tile))
    page.figure(charts.row(result, tile, page.text), COMPUTED, "row")
    page.figure(charts.carried(result, tile, page.text), COMPUTED, "carried")


def raised(result: OnlineResult) -> str:
    """What the textbook's softmax makes of scores that were raised."""
    error = result.errors["naive"]
    return "nothing" if not np.isfinite(error) else "same" if error < ROUNDING else "rough"


def knobs(page: LabPage) -> OnlineConfig | None:
    source = page.choice("source", ("head", "own"), "head")
    try:
        config = own_row(page) if source == "own" else row_of_a_head(page)
    except LabInputError as error:
        page.error(error)
        return None
    return config


def own_row(page: LabPage) -> OnlineConfig:
    own = lab.read_scores(page.text_area("own", OWN, TEXT_LIMIT, lines=1))
    return OnlineConfig(own=own, **shared(page))


def row_of_a_head(page: LabPage) -> OnlineConfig:
    """The text and the head; the query last, since the text says how many there are."""
    text = page.text_area("text", page.text("default.text"), TEXT_LIMIT, lines=3)
    first = page.run(lab.run, OnlineConfig(text))
    left, middle, right = st.columns(3)
    with left:
        layer = page.slider("layer", 0, first.layers - 1, DEFAULT.layer)
    with middle:
        head = page.slider("head", 0, first.heads - 1, DEFAULT.head)
    with right:
        last = len(first.tokens) - 1
        query = page.slider("query", 1, last, last)
    return OnlineConfig(text, int(layer), int(head), int(query), **shared(page))


def shared(page: LabPage) -> dict:
    left, middle, right = st.columns(3)
    with left:
        key_tile = page.slider("key_tile", 1, 16, DEFAULT.key_tile)
    with middle:
        offset = page.slider("offset", -150, 150, 0, 5)
    with right:
        form = page.choice("format", tuple(lab.FORMATS), DEFAULT.format)
    return {"key_tile": int(key_tile), "offset": float(offset), "format": form}


def told(page: LabPage, result: OnlineResult, tile: int) -> str:
    """What this tile does to the two numbers that are carried."""
    first = int(result.seen[tile - 1]) if tile else 0
    largest = result.largest
    rises = tile and largest[tile] > largest[tile - 1]
    before = result.total[tile - 1] * result.shrink[tile] if tile else 0.0
    key = "told.first" if not tile else "told.rises" if rises else "told.stays"
    return page.text(
        key, tile=tile + 1, first=first, last=int(result.seen[tile]) - 1,
        before=f"{largest[tile - 1]:.2f}", largest=f"{largest[tile]:.2f}",
        shrink=f"{result.shrink[tile]:.3g}", old=f"{result.total[tile - 1]:.3f}",
        kept=f"{before:.3f}", new=f"{result.total[tile] - before:.3f}",
        total=f"{result.total[tile]:.3f}", distance=f"{result.distance[tile]:.1%}",
    )  # fmt: skip
