"""One linear map, and SmolLM2, in every form in which they can be stored: time and bytes, measured."""

import streamlit as st

from app.charts import quantisation_speed as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.compression import quantise_speed as lab
from labcore.compression.quantise_speed import SpeedConfig, SpeedResult, SpeedStudy

WIDTHS = ("256", "512", "1024", "2048")
ROWS = ("1", "8", "64")
DEFAULT = SpeedConfig()
OURS = "ours-4"
NEAR = 0.2  # of the time: neither faster nor slower


def draw_part(page: LabPage) -> None:
    what = page.choice("timed", ("layer", "smollm2"), "layer")
    page.caption(f"timed.{what}")
    {"layer": layer, "smollm2": whole}[what](page)


def layer(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        width = page.choice("width", WIDTHS, "1024", style="slide", label=str)
    with right:
        rows = page.choice("rows", ROWS, "1", style="slide", label=str)
    config = SpeedConfig(int(width), int(rows))
    guess = page.predict("fly", options=("faster", "same", "slower"))
    page.job(lab.measure, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(
        "from labcore.compression import quantise_speed as lab\n\n"
        f"result = lab.run(lab.SpeedConfig({', '.join(changed_fields(config))}))",
        "for form, seconds, size in zip(result.forms, result.seconds, result.stored_bytes):\n"
        '    print(f"{form:14} {1e6 * sorted(seconds)[len(seconds) // 2]:8.0f} µs {size:9} bytes")',
    )


def draw(page: LabPage, config: SpeedConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config.width == DEFAULT.width and str(config.rows) in ("1", "64"):
        recorded = page.recording("speed", SpeedStudy)
        page.caption("job.recorded")
        show(page, recorded.result.layers[str(config.rows)], recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        show(page, view.result, MEASURED)
        page.reveal(guess, verdict(view.result))


def show(page: LabPage, result: SpeedResult, source: Provenance) -> None:
    page.figure(charts.times(result, page.text), source, "times")
    page.figure(charts.weights(result, page.text), source, "weights_bytes")


def verdict(result: SpeedResult) -> str:
    """Our four bits, unpacked at every call, against fp32."""
    middle = [sorted(row)[len(row) // 2] for row in result.seconds.tolist()]
    share = middle[result.forms.index(OURS)] / middle[result.forms.index("fp32")]
    return "same" if abs(share - 1) < NEAR else "slower" if share > 1 else "faster"


def whole(page: LabPage) -> None:
    recorded = page.recording("speed", SpeedStudy)
    tokens = page.choice("tokens", tuple(recorded.result.models), "1")
    show(page, recorded.result.models[tokens], recorded.provenance)
    page.offer_notebook(
        "from labcore.compression import quantise_speed as lab\n\n"
        f"result = lab.whole_model({tokens})",
        "for form, seconds, size in zip(result.forms, result.seconds, result.stored_bytes):\n"
        '    print(f"{form:14} {1e3 * min(seconds):8.1f} ms {size / 1e6:7.1f} MB")',
    )
