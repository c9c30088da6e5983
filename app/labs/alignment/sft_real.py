"""The fourth part: SmolLM2 tuned on a written set, as a longer run; before and after side by side."""

import re
from collections.abc import Sequence

import streamlit as st

from app.charts import sft as charts
from app.job import JobView
from app.labs.alignment.sft_run import answer_table
from app.model_picker import is_here
from app.page import LabPage
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.tuning import instructions
from labcore.tuning import sft_smollm2 as lab
from labcore.tuning.sft_smollm2 import AskConfig, RealConfig, RealLook, RealResult

RATES = ("0.0005", "0.002", "0.005")
SETS = (*instructions.BUNDLED, *instructions.HUB_SETS, "own")
DEFAULT = RealConfig()
TUNED = "sft.real.tuned"  # in the session: the settings of the last run and its adapter


def draw(page: LabPage) -> None:
    config = knobs(page)
    if config is None:
        return
    if not is_here(page, lab.MODEL, "model"):
        page.caption("real.needs")
        recorded = page.recording("smollm2", RealResult)
        pictures(page, recorded.result.looks, recorded.provenance, recorded.result)
        return
    page.job(lab.tune_real, config, lambda view: course(page, config, view))
    own_question(page, config)
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> RealConfig | None:
    left, right = st.columns(2)
    with left:
        data = page.choice("data", SETS, "en", style="select")
    with right:
        rate = page.choice("real_rate", RATES, "0.002", style="select", label=str)
    left, right = st.columns(2)
    with left:
        epochs = page.slider("epochs", *lab.LIMITS["epochs"], DEFAULT.epochs)
    with right:
        mask_prompt = page.toggle("real_mask", True)
    own = b""
    if data == "own":
        file = st.file_uploader(page.text("own_data"), type=["json", "jsonl"], key="sft.own_data")
        if file is None:
            page.caption("own_data.about")
            return None
        own = file.getvalue()
    return RealConfig(data, own, epochs, float(rate), mask_prompt)


def course(page: LabPage, config: RealConfig, view: JobView | None) -> None:
    if view is None and config == DEFAULT:
        recorded = page.recording("smollm2", RealResult)
        page.caption("real.recorded", seconds=f"{recorded.result.seconds:.0f}")
        st.session_state[TUNED] = (config, recorded.result.adapter)
        pictures(page, recorded.result.looks, recorded.provenance, recorded.result)
    elif view is None:
        page.caption("real.press_run")
    elif view.result is not None:
        st.session_state[TUNED] = (config, view.result.adapter)
        pictures(page, view.result.looks, MEASURED, view.result)
    elif view.events:
        expected_time(page, view.events[-1])
        pictures(page, view.events, MEASURED, None)


def expected_time(page: LabPage, last: RealLook) -> None:
    """How long it will take, told from the steps made on this machine."""
    if last.step:
        left = (last.steps - last.step) * last.seconds_each
        page.caption("real.left", each=f"{last.seconds_each:.1f}", steps=last.steps - last.step,
                     minutes=f"{left / 60:.1f}")  # fmt: skip
    else:
        page.caption("real.first_step", steps=last.steps)


def pictures(
    page: LabPage, looks: Sequence[RealLook], source: Provenance, result: RealResult | None
) -> None:
    if result:
        nats = [look.held_out_nats for look in looks if look.held_out_nats == look.held_out_nats]
        before, after = (sum(one.tokens[at] for one in result.answered) for at in (0, 1))
        count = len(result.answered)
        st.markdown(
            page.text(
                "real.outcome", trained=result.trained_rows, held_out=result.held_out_rows,
                old=f"{nats[0]:.2f}", new=f"{nats[-1]:.2f}", long=f"{before / count:.0f}",
                short=f"{after / count:.0f}", text_old=f"{result.text_nats[0]:.2f}",
                text_new=f"{result.text_nats[1]:.2f}", kilobytes=f"{len(result.adapter) / 1e3:.0f}",
            )
        )  # fmt: skip
    page.figure(charts.real_losses(looks, page.text), source, "real_losses")
    if result:
        st.markdown(f"**{page.text('answers')}**")
        answer_table(charts.real_answers(result.answered, page.text))
        page.caption("real.answers.about", most=lab.MOST_ANSWER_TOKENS)


def own_question(page: LabPage, config: RealConfig) -> None:
    """The learner's question, answered with and without the adapter; some seconds, so on request."""
    tuned_as, adapter = st.session_state.get(TUNED, (None, b""))
    if tuned_as != config:
        return
    st.markdown(f"**{page.text('own')}**")
    example = page.text("real_prompt.example")
    prompt = page.text_area("real_prompt", example, lab.MOST_CHARACTERS, lines=2)
    asked = AskConfig(prompt, adapter)
    if st.button(page.text("real.ask"), icon=":material/chat:", key="sft.real.ask"):
        st.session_state["sft.real.asked"] = asked
    if st.session_state.get("sft.real.asked") != asked:
        return
    with st.spinner(page.text("real.answering")):
        result = page.run(lab.ask, asked)
    for column, key, text in zip(
        st.columns(2), ("before", "after"), (result.before, result.after), strict=True
    ):
        with column.container(border=True):
            st.caption(page.text(f"column.{key}"))
            st.text(text)
    page.badge(COMPUTED)


def notebook(config: RealConfig) -> Sequence[str]:
    shown = re.sub(r"own=b'.*?', ", "", repr(config))
    return (
        f"from labcore.tuning import sft_smollm2 as lab\n\nresult = lab.run(lab.{shown})",
        "for one in result.answered:\n    print(one, end='\\n\\n')",
    )
