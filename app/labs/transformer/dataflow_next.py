"""The last stop: from logits to a distribution, from a distribution to a token."""

import streamlit as st

from app.charts import dataflow as charts
from app.labs.transformer.dataflow_place import Place
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import dataflow as lab

DRAWS = ("1", "50", "1000")
LARGEST_SEED = 10_000


def draw(page: LabPage, place: Place) -> None:
    """Knobs, the distribution before and after them, and draws from it."""
    temperature = page.slider("temperature", 0.0, 2.0, 1.0, step=0.05)
    left, right = st.columns(2)
    with left:
        top_k = page.slider("top_k", 0, 50, 0)
    with right:
        top_p = page.slider("top_p", 0.05, 1.0, 1.0, step=0.05)
    knobs = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    walk, vocabulary = place.walk, place.loaded.tokenizer.vocab_size
    candidates = lab.next_token(walk, place.loaded.tokenizer, place.position, **knobs)
    page.figure(charts.next_tokens(candidates, vocabulary, page.text), COMPUTED, "next")
    page.caption(
        "next.entropy",
        before=f"{candidates.entropy_before_nats:.2f}",
        after=f"{candidates.entropy_after_nats:.2f}",
        kept=f"{candidates.kept:,}",
    )
    draw_tokens(page, place, candidates, knobs)


def draw_tokens(page: LabPage, place: Place, candidates: lab.Candidates, knobs: dict) -> None:
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        count = int(page.choice("draws", DRAWS, DRAWS[0]))
    with right:
        seed = page.number("seed", 0, LARGEST_SEED, 0)
    tokens = lab.draw_many(place.walk, count, seed, place.position, **knobs)
    if count > 1:
        page.figure(charts.drawn(candidates, tokens, page.text), COMPUTED, "drawn")
    else:
        say_drawn(page, place, int(tokens[0]))


def say_drawn(page: LabPage, place: Place, token: int) -> None:
    """The token drawn, and a button that writes it behind the text, where that makes sense."""
    tokenizer = place.loaded.tokenizer
    piece = tokenizer.decode([token])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(page.text("draw.one"), width="content")
        st.code(tokenizer.label(token), language=None, width="content")
        at_end = place.position == len(place.walk.tokens.ids) - 1
        if place.walk.config.kind == "decoder" and at_end and piece and "\ufffd" not in piece:
            st.button(
                page.text("draw.append"), icon=":material/keyboard_return:",
                key="dataflow.append", on_click=append, args=(page, place.config.text + piece),
            )  # fmt: skip


def append(page: LabPage, text: str) -> None:
    page.controls.set("text", text)
    st.rerun()  # the text stands outside this part
