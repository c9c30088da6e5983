"""The first part: a conversation of the learner's own, token by token, and conversations in rows."""

import streamlit as st

from app.charts import sft as charts
from app.model_picker import is_here
from app.page import LabPage
from app.provenance import COMPUTED, MEASURED
from labcore.tuning import sft_packing as packing
from labcore.tuning import sft_template as lab

CHARACTERS = 300


def draw(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        question = page.text_area("question", page.text("question.example"), CHARACTERS, lines=3)
    with right:
        answer = page.text_area("answer", page.text("answer.example"), CHARACTERS, lines=3)
    left, middle, right = st.columns(3)
    with left:
        model = page.choice("model", lab.MODELS, "small")
    with middle:
        end = page.choice("end", lab.ENDS, "asked")
    with right:
        mask_prompt = page.toggle("mask_prompt", True)
    if model != lab.REAL or is_here(page, model, "model"):
        conversation(page, lab.TemplateConfig(question, answer, model, mask_prompt, end))
    with st.expander(page.text("packing"), expanded=True, key="sft-packing"):
        rows(page)


def conversation(page: LabPage, config: lab.TemplateConfig) -> None:
    if config.model == lab.REAL:
        page.model(config.model)
    result = page.run(lab.run, config)
    asked, tokens = int(result.asked.sum()), len(result.tokens)
    st.markdown(page.text("asked", asked=asked, tokens=tokens, share=f"{asked / tokens:.0%}"))
    if result.cut_characters:
        page.caption("cut", characters=result.cut_characters)
    page.figure(charts.conversation(result, page.text), COMPUTED, "conversation")
    page.offer_notebook(
        f"from labcore.tuning import sft_template as lab\n\nresult = lab.run(lab.{config!r})",
        "for token, asked in zip(result.tokens, result.asked):\n"
        '    print("*" if asked else " ", token)',
    )


def rows(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        count = page.slider("conversations", *packing.CONVERSATIONS, 16, 4)
    with right:
        size = page.slider("row_tokens", *packing.ROW_TOKENS, 96, 32)
    result = page.run(packing.run, packing.PackingConfig(count, size))
    st.markdown(
        page.text(
            "packed", padded=f"{result.padded_waste:.0%}", packed=f"{result.packed_waste:.0%}",
            rows=len(result.packed), count=count, apart=f"{result.apart_change:.5f}",
            open=f"{result.open_change:.1f}", asked=f"{result.asked_share:.0%}",
        )
    )  # fmt: skip
    for name in ("padded", "packed"):
        waste = getattr(result, f"{name}_waste")
        figure = charts.rows(getattr(result, name), waste, page.text)
        page.figure(figure, COMPUTED, f"rows_{name}")
    page.figure(charts.mask(result, page.text), MEASURED, "mask")
