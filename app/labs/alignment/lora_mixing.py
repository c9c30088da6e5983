"""Several adapters on one base, each with a slider; one of them may be the learner's own."""

import streamlit as st

from app.charts import lora_mechanics as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.tuning import lora_arithmetic as lab
from labcore.tuning.peft_reading import LIMIT_BYTES
from labcore.tuning.tale_tasks import TASKS
from labcore.tuning.tune import NEW_TASKS


def experiment(page: LabPage) -> None:
    judged, own = uploaded(page)
    columns = st.columns(3 if own else 2)
    with columns[0]:
        cipher = page.slider("cipher", -1.0, 1.5, 1.0, 0.25)
    with columns[1]:
        backwards = page.slider("backwards", -1.0, 1.5, 1.0, 0.25)
    own_weight = 0.0
    if own:
        with columns[2]:
            own_weight = page.slider("own_weight", -1.0, 1.5, 0.0, 0.25)
    config = lab.MixConfig(cipher, backwards, own, own_weight)
    found = page.run(lab.mix, config)
    page.figure(charts.mixed(found.nats, found.base_nats, page.text), COMPUTED, "mixed")
    page.caption("mixed.floor", floor=f"{found.floor_nats:.2f}")
    st.markdown(page.text("told"))
    st.code(found.told or "…", language=None, wrap_lines=True)
    if judged is not None:
        st.markdown(page.text("own.alone", parameters=f"{judged.parameters:,}"))
        page.figure(charts.mixed(judged.nats, judged.base_nats, page.text), COMPUTED, "own")
    recordings(page)
    page.offer_notebook(
        "from labcore.tuning import lora_arithmetic as lab\n\n"
        f"print(lab.mix(lab.MixConfig(cipher={cipher}, backwards={backwards})))"
    )


def uploaded(page: LabPage) -> tuple[lab.Judged | None, bytes]:
    """What was learnt of an uploaded adapter, and the adapter itself if it can be added to others."""
    with st.expander(page.text("own.title"), key="lora-own"):
        st.markdown(page.text("own.about"))
        file = st.file_uploader(
            page.text("own.upload"), type="zip", key="lora.upload",
            max_upload_size=LIMIT_BYTES // 2**20,
        )  # fmt: skip
    if file is None:
        return None, b""
    try:
        judged = page.run(lab.judge, file.getvalue())
    except LabInputError as error:
        page.error(error)
        return None, b""
    if not judged.has_updates:
        page.caption("own.no_updates")
    return judged, file.getvalue() if judged.has_updates else b""


def recordings(page: LabPage) -> None:
    recorded = page.recording("arithmetic", lab.ArithmeticStudy)
    left, right = st.columns(2)
    with left:
        adapter = page.choice("adapter", NEW_TASKS, NEW_TASKS[0])
    with right:
        told = page.choice("told", TASKS, "both", style="select")
    page.figure(charts.line(recorded.result, adapter, page.text), recorded.provenance, "line")
    page.figure(charts.grid(recorded.result, told, page.text), recorded.provenance, "grid")
    st.dataframe(charts.controls(recorded.result, page.text), hide_index=True)
    page.caption("controls.about")
