"""One head beside another: the same head on a second text, or a head of a second model."""

import pandas as pd
import streamlit as st

from app import model_picker
from app.charts import attention as charts
from app.labs.transformer.attention_place import Place
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import attention_maps as lab

TEXT_LIMIT = 2000


def draw(page: LabPage, place: Place) -> None:
    """Two maps side by side, their scores, and where they differ if they can be laid over each other."""
    with st.container(border=True, key="attention-second"):
        second = second_pass(page, place)
        if second is None:
            return
        layer, head = second_head(page, place, second)
    sides = ((place.heads, place.layer, place.head), (second, layer, head))
    for column, side, key in zip(st.columns(2), sides, ("first", "second"), strict=True):
        with column:
            page.figure(charts.one_head(*side, page.text), COMPUTED, key)
    st.dataframe(score_table(page, *sides), hide_index=True)
    difference = lab.difference(place.heads, second, (place.layer, place.head), (layer, head))
    if difference is None:
        page.caption("compare.cannot_subtract")
    else:
        figure = charts.difference_map(difference, place.heads, page.text)
        page.figure(figure, COMPUTED, "difference")


def second_pass(page: LabPage, place: Place) -> lab.Heads | None:
    """The same kind of attention in another pass, or the nearest kind that the other model has."""
    name, text = place.config.model, place.config.text
    if page.choice("with", ("text", "model"), "text") == "text":
        text = page.text_area("text2", page.text("default.text2"), TEXT_LIMIT)
    else:
        name = model_picker.pick(page, "world-decoder", "model2")
    if name is None:
        return None
    page.model(name)
    kinds = page.run(lab.run, lab.AttentionConfig(name, text)).kinds
    return kinds.get(place.heads.kind) or next(iter(kinds.values()))


def second_head(page: LabPage, place: Place, second: lab.Heads) -> tuple[int, int]:
    """The head that stands on the right: the same one on another text, any of another model."""
    if page.controls.values["with"] == "text":
        return place.layer, place.head
    layers, heads = second.weights.shape[:2]
    left, right = st.columns(2)
    with left:
        layer = page.slider("layer2", 0, layers - 1, second.opening[0])
    with right:
        head = page.slider("head2", 0, heads - 1, second.opening[1])
    return layer, head


def score_table(page: LabPage, *sides: tuple[lab.Heads, int, int]) -> pd.DataFrame:
    """Every score and the spread of both heads; empty where a text cannot tell."""
    names = list(dict.fromkeys(name for heads, _, _ in sides for name in heads.scores))
    table = {page.text("column.pattern"): [page.text(f"pattern.{name}") for name in names]}
    table[page.text("column.pattern")].append(page.text("option.measure.spread"))
    for side, (heads, layer, head) in zip(("first", "second"), sides, strict=True):
        scores = [
            float(heads.scores[name][layer, head]) if name in heads.scores else None
            for name in names
        ]
        table[page.text(f"figure.{side}")] = [*scores, float(heads.entropy[layer, head])]
    return pd.DataFrame(table).round(3)
