"""Watermark: a model writes with the mark and without, and a reader who has the key counts."""

import numpy as np
import streamlit as st

from app.charts import guard_marks as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.guard import marked_text as lab
from labcore.guard.marked_text import BIASES, LEVEL, Marked, MarkedConfig, MarkStudy

WRITERS = ("world", "smollm2")
KINDS = ("marked", "plain")


def experiment(page: LabPage) -> None:
    guess = page.predict("entropy", options=("world", "same", "smollm2"))
    writer = page.choice("mark_writer", WRITERS, "world")
    study = page.recording("marks", MarkStudy)
    other = page.recording("marks-smollm2", Marked)
    page.reveal(guess, stronger(study.result, other.result))
    if writer == "smollm2":
        page.caption("marks.smollm2")
        draw_runs(page, [other.result], other.provenance)
        config = lab.SMOLLM2
    else:
        config = world(page, study.result, study.provenance)
    st.divider()
    page.figure(charts.price(study.result, page.text), study.provenance, "price")
    page.offer_notebook(*notebook(config))


def world(page: LabPage, study: MarkStudy, source: Provenance) -> MarkedConfig:
    left, right = st.columns(2)
    with left:
        story = page.choice("story", lab.LANGUAGES, "en")
        bias = page.slider("bias", 0.0, 6.0, 2.0, 0.5)
        share = page.slider("green", 10, 90, 50, 5)
    with right:
        warmth = page.slider("temperature", 0.5, 1.5, 1.0, 0.1)
        texts = page.slider("texts", 10, 100, 40, 10)
        seed = page.number("mark_seed", 0, 9999, 0)
    config = MarkedConfig("world-decoder", story, share / 100, bias, warmth, texts, seed)

    def draw(view: JobView | None) -> None:
        if view is None and config == MarkedConfig(bias=bias) and bias in BIASES:
            page.caption("marks.recorded")
            draw_runs(page, study.runs[BIASES.index(bias)], source)
        elif view is None:
            page.caption("marks.press_run")
        elif view.result is not None:
            draw_runs(page, [view.result], MEASURED)
        elif view.events:
            page.caption("marks.writing", share=f"{view.events[-1].share:.0%}")

    page.job(lab.mark_texts, config, draw)
    return config


def stronger(study: MarkStudy, other: Marked) -> str:
    """Whose marked texts are found more often at 40 tokens, both with a bias of 2."""
    world = np.concatenate([one.p["marked"] for one in study.runs[BIASES.index(2.0)]], axis=1)
    at = lab.LENGTHS.index(40)
    ours, theirs = (float((p[at] < LEVEL).mean()) for p in (world, other.p["marked"]))
    return "same" if abs(ours - theirs) < 0.1 else "world" if ours > theirs else "smollm2"


def draw_runs(page: LabPage, runs: list[Marked], source: Provenance) -> None:
    hits = sum(int((one.p["marked"][-1] < LEVEL).sum()) for one in runs)
    wrong = sum(int((one.p["plain"][-1] < LEVEL).sum()) for one in runs)
    of = sum(one.p["plain"].shape[1] for one in runs)
    (low, high), (least, most) = lab.bounds(hits, of), lab.bounds(wrong, of)
    st.markdown(
        page.text(
            "marks.outcome", hits=hits, of=of, low=f"{low:.0%}", high=f"{high:.0%}", wrong=wrong,
            least=f"{least:.1%}", most=f"{most:.1%}", tokens=lab.LENGTHS[-1],
            marked=f"{np.mean([one.nats['marked'] for one in runs]):.2f}",
            plain=f"{np.mean([one.nats['plain'] for one in runs]):.2f}",
        )
    )  # fmt: skip
    for kind in KINDS:
        page.figure(charts.tokens(runs[0], kind, page.text), source, f"tokens_{kind}")
    page.figure(charts.evidence(runs, page.text), source, "evidence")
    page.figure(charts.found(runs, page.text), source, "found")
    page.figure(charts.damaged(runs, page.text), source, "damaged")


def notebook(config: MarkedConfig) -> tuple[str, str]:
    return (
        "from labcore.events import drain\nfrom labcore.guard import marked_text as lab\n\n"
        f"result = drain(lab.mark_texts(lab.MarkedConfig({', '.join(changed_fields(config))})))",
        "print(result.lengths)\nprint((result.p['marked'] < lab.LEVEL).mean(axis=1))\n"
        "print((result.p['plain'] < lab.LEVEL).mean(axis=1))",
    )
