"""Plain, tiled in Python, fused: time and memory over length, measured on this machine."""

import streamlit as st

from app.charts import flash_measured as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.serving import tile_speed as lab
from labcore.serving.tile_speed import WAYS, Speed, SpeedConfig

LONGEST = ("512", "1024", "2048", "4096")
TILES = ("32", "64", "128", "256", "512")
DEFAULT = SpeedConfig()


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("faster", options=("always", "long", "never"))
    page.job(lab.measure, config, lambda view: show(page, config, view, guess))
    page.offer_notebook(
        f"from labcore.serving import tile_speed as lab\n\nspeed = lab.run(lab.{config!r})",
        "import pandas as pd\n\npd.DataFrame(speed.median.T, speed.lengths, lab.WAYS)",
    )


def knobs(page: LabPage) -> SpeedConfig:
    left, right = st.columns(2)
    with left:
        longest = page.choice("longest", LONGEST, str(DEFAULT.longest), style="slide", label=str)
        causal = page.toggle("time_causal", DEFAULT.causal)
    with right:
        tile = page.choice("loop_tile", TILES, str(DEFAULT.tile), style="slide", label=str)
        rounds = page.slider("rounds", 3, 15, DEFAULT.rounds)
    return SpeedConfig(int(longest), int(tile), causal, int(rounds))


def show(page: LabPage, config: SpeedConfig, view: JobView | None, guess: Guess | None) -> None:
    """Recorded before a run with the recorded settings, growing during it, whole at its end."""
    recorded = {
        DEFAULT: "time",
        SpeedConfig(causal=True): "time-causal",
    }.get(config)
    if view is None and recorded:
        recording = page.recording(recorded, Speed)
        page.caption("job.recorded")
        pictures(page, recording.result, recording.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        pictures(page, view.result, MEASURED)
        page.reveal(guess, verdict(view.result))
    elif view.events:
        page.figure(charts.times(lab.gathered(config, view.events), page.text), MEASURED, "times")


def pictures(page: LabPage, speed: Speed, source: Provenance) -> None:
    page.figure(charts.times(speed, page.text), source, "times")
    st.markdown(crossovers(page, speed))
    page.figure(charts.memory(speed, page.text), source, "memory")
    page.figure(charts.sizes(speed, page.text), source, "sizes")


def crossovers(page: LabPage, speed: Speed) -> str:
    """From which length on the loop and the kernel are faster than the plain way, as measured."""
    last = {way: f"{speed.median[index, -1]:.3g}" for index, way in enumerate(WAYS)}
    held = {way: f"{speed.peak_bytes[index, -1] / 1e6:.3g}" for index, way in enumerate(WAYS)}
    lines = [
        page.text("time.told", length=f"{speed.lengths[-1]:,}", **last),
        page.text("memory.told", **held),
    ]
    for way in ("tiled", "fused"):
        first = speed.crossover(way)
        key = f"cross.{way}.never" if first is None else f"cross.{way}"
        lines.append(page.text(key, **({} if first is None else {"length": f"{first:,}"})))
    return "\n".join(f"- {line}" for line in lines)


def verdict(speed: Speed) -> str:
    """When the loop in Python is faster than the plain way."""
    first = speed.crossover("tiled")
    if first is None:
        return "never"
    return "always" if first == speed.lengths[0] else "long"
