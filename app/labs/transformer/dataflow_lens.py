"""Reading the residual stream: what every stage would say, and who wrote the answer."""

import streamlit as st

from app.charts import dataflow as charts
from app.charts import paths as path_charts
from app.labs.transformer.dataflow_place import Place
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import dataflow as lab
from labcore.architecture.lens import Attribution, attribute, settled_at
from labcore.architecture.paths import stream_paths
from labcore.errors import LabInputError

NOBODY = "none"
RIVALS = 5
WRITERS = ("embed", "attn", "mlp")


def draw_lens(page: LabPage, place: Place) -> None:
    """Predict where the answer settles; then every stage's first choice."""
    if place.lens is None:
        page.error(LabInputError("model", place.config.model, "needs_vocabulary_head"))
        return
    st.markdown(page.text("lens.about"))
    guess = page.predict("settled", options=("early", "middle", "late", "last"))
    if guess is None and not page.toggle("unveil", False):
        return
    column = place.lens.positions.index(place.position)
    layers = place.walk.config.num_layers
    stage = int(settled_at(place.lens)[column])
    page.reveal(guess, depth(stage, layers))
    say_settled(page, place, stage, column)
    measure = page.choice("measure", ("first", "answer", "divergence"), "first")
    figure = charts.lens_table(place.lens, place.walk, measure, page.text)
    page.figure(figure, COMPUTED, "lens")
    if len(place.lens.positions) < len(place.walk.tokens.ids):
        page.caption("lens.window", count=len(place.lens.positions))


def depth(stage: int, layers: int) -> str:
    """In which part of the model a stage stands; stage 0 is the embedding, `layers` the last block.

    >>> depth(0, 4), depth(2, 4), depth(3, 4), depth(4, 4)
    ('early', 'middle', 'late', 'last')
    """
    if stage == layers:
        return "last"
    return "early" if stage < layers / 3 else "middle" if stage <= 2 * layers / 3 else "late"


def say_settled(page: LabPage, place: Place, stage: int, column: int) -> None:
    layers = place.walk.config.num_layers
    key = "lens.settled_before" if stage == 0 else "lens.settled"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(page.text("lens.answer"), width="content")
        st.code(place.lens.answer_labels[column], language=None, width="content")
    page.caption(key, layer=stage - 1, layers=layers)


def draw_credit(page: LabPage, place: Place) -> None:
    """One token's logit as a sum over the blocks, then over the heads."""
    st.markdown(page.text("credit.about"))
    try:
        candidates = lab.next_token(place.walk, place.loaded.tokenizer, place.position)
        names = dict(zip(map(str, candidates.ids), candidates.labels, strict=True))
        token, rival = pick_tokens(page, names)
        parts = attribute(
            place.loaded.model, place.walk, int(token), place.position,
            None if rival == NOBODY else int(rival),
        )  # fmt: skip
    except LabInputError as error:
        page.error(error)
        return
    if not page.guess_first("writer", WRITERS, largest_writer(parts)):
        return
    layers = place.walk.config.num_layers
    page.figure(charts.credit(parts, names[token], layers, page.text), COMPUTED, "credit")
    page.caption("credit.total", total=f"{parts.total:.2f}")
    page.figure(charts.credit_heads(parts, page.text), COMPUTED, "credit_heads")


def largest_writer(parts: Attribution) -> str:
    """Which kind of block adds most to the logit, all its layers together."""
    added = {
        writer: sum(
            float(share)
            for name, share in zip(parts.parts, parts.contributions, strict=True)
            if name.split(".")[-1] == writer
        )
        for writer in WRITERS
    }
    return max(WRITERS, key=added.get)


def pick_tokens(page: LabPage, names: dict[str, str]) -> tuple[str, str]:
    """The token whose logit is taken apart, and the one that it is compared with."""
    first = list(names)[:RIVALS]
    left, right = st.columns(2)
    with left:
        token = page.choice("token", first, first[0], style="select", label=names.get)
    rivals = [NOBODY, *(one for one in first if one != token)]
    with right:
        rival = page.choice(
            "against", rivals, NOBODY, style="select",
            label=lambda one: names.get(one) or page.text("credit.nobody"),
        )  # fmt: skip
    return token, rival


def draw_paths(page: LabPage, place: Place) -> None:
    """The stream of every token as a path in three dimensions, to be turned by hand."""
    st.markdown(page.text("paths.about"))
    figure = path_charts.stream(stream_paths(place.walk), place.position, page.text)
    page.figure(figure, COMPUTED, "paths")
