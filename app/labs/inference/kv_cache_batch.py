"""Prefill against decode, one text against many."""

import numpy as np
import streamlit as st

from app.charts import kv_cache as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.serving import batch_speed as lab
from labcore.serving.batch_speed import BatchConfig, BatchResult

DEFAULT = BatchConfig()
CONTEXTS = ("16", "64", "128", "256")


def batch(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        model = page.choice("size", tuple(lab.MODELS), DEFAULT.model)
    with right:
        context = page.choice("cached", CONTEXTS, str(DEFAULT.context), style="slide", label=str)
    config = BatchConfig(model, int(context))
    guess = page.predict("batching", options=("64", "20", "5", "1"))
    page.job(lab.measure, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(
        "from labcore.serving import batch_speed as lab\n\n"
        f"result = lab.run(lab.BatchConfig({', '.join(changed_fields(config))}))",
        "import numpy as np\n\n"
        "seconds = np.median(result.decode_seconds, axis=0)\n"
        "for size, took in zip(result.sizes, seconds):\n"
        '    print(f"{size:3} texts: {took * 1e3:6.1f} ms a token, {size / took:6.0f} tokens/s")',
    )


def draw(page: LabPage, config: BatchConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        recorded = page.recording("batch", BatchResult)
        page.caption("job.recorded")
        outcome(page, recorded.result, recorded.provenance, guess)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED, guess)
    elif view.events:
        figures(page, view.events[-1], MEASURED)


def outcome(page: LabPage, result: BatchResult, source: Provenance, guess: Guess | None) -> None:
    seconds, prefill = (
        np.median(rows, axis=0) for rows in (result.decode_seconds, result.prefill_seconds)
    )
    gain = result.sizes[-1] * seconds[0] / seconds[-1]
    st.markdown(
        page.text(
            "batch.outcome", most=int(result.sizes[-1]), gain=f"{gain:.1f}",
            wait=f"{seconds[-1] / seconds[0]:.1f}", prefill=f"{result.sizes[-1] / prefill[-1]:,.0f}",
            decode=f"{1 / seconds[0]:,.0f}",
        )
    )  # fmt: skip
    page.reveal(guess, nearest(gain))
    figures(page, result, source)
    page.figure(charts.use(result, page.text), source, "use")


def figures(page: LabPage, shown: lab.BatchLook | BatchResult, source: Provenance) -> None:
    page.figure(charts.throughput(shown, lab.SIZES, page.text), source, "throughput")
    page.figure(charts.latency(shown, lab.SIZES, page.text), source, "latency")


def nearest(gain: float) -> str:
    """The option that comes closest, on a scale of factors."""
    return min(("64", "20", "5", "1"), key=lambda option: abs(np.log(gain / int(option))))
