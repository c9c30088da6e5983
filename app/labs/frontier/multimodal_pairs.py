"""Contrastive training before one's eyes: the matrix forming, pairs found again, word order told or not."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import vision as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.vision import pair_training as lab
from labcore.vision.pair_exam import SIZE
from labcore.vision.pair_model import READERS
from labcore.vision.pair_study import PairStudy
from labcore.vision.pair_training import NEGATIVES, Look, PairConfig, Trained

DEFAULT = PairConfig()
BATCHES = ("8", "16", "32", "64", "128")
TEMPERATURES = ("learned", "0.02", "0.07", "0.3", "1")


def experiment(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("order", low=0.0, high=100.0, step=1.0, unit="%")
    which = page.choice(
        "matrix", charts.PARTS, charts.PARTS[0], label=lambda one: page.text(f"part.{one}")
    )
    page.job(lab.learn, config, lambda view: draw(page, config, view, guess, which))
    st.divider()
    studied(page)
    page.offer_notebook(
        "from labcore.events import drain\nfrom labcore.vision import pair_training as lab\n\n"
        f"result = drain(lab.learn(lab.PairConfig({', '.join(changed_fields(config))})))",
        "print('found, seen and held out:', result.found[:, -1])\n"
        "print('order, binding, colour:', result.won[:, -1], 'tied:', result.tied[:, -1])",
    )


def knobs(page: LabPage) -> PairConfig:
    left, right = st.columns(2)
    with left:
        reader = page.choice("reader", READERS, DEFAULT.reader)
        batch = page.choice("batch", BATCHES, str(DEFAULT.batch_size), label=str)
        steps = page.slider("updates", 50, 1000, DEFAULT.steps, 50)
    with right:
        negatives = page.choice("negatives", NEGATIVES, DEFAULT.negatives)
        heat = page.choice(
            "temperature", TEMPERATURES, TEMPERATURES[0],
            label=lambda one: page.text("option.temperature.learned") if one == "learned" else one,
        )  # fmt: skip
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    learned = heat == "learned"
    warmth = DEFAULT.temperature if learned else float(heat)
    return PairConfig(reader, negatives, int(batch), warmth, learned, steps, seed=seed)


def draw(
    page: LabPage, config: PairConfig, view: JobView | None, guess: Guess | None, which: str
) -> None:
    if view is None and config == DEFAULT:
        kept = page.recording("pairs", Trained)
        page.caption("job.recorded")
        outcome(page, config, kept.result, kept.provenance, guess, which)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        asked = guess if config == DEFAULT else None
        outcome(page, config, view.result, MEASURED, asked, which)
    elif view.events:
        so_far(page, view.events, which)


def so_far(page: LabPage, looks: Sequence[Look], which: str) -> None:
    last, (steps, found, won, tied) = looks[-1], charts.looks_so_far(looks)
    page.caption(
        "pairs.now", step=last.step, loss=f"{last.loss:.2f}", heat=f"{last.temperature:.3f}"
    )
    at = charts.PARTS.index(which)
    numbers = [str(one + 1) for one in range(len(last.matrices[at]))]
    page.figure(charts.pairs(last.matrices[at], numbers, page.text), MEASURED, "pairs")
    curves(page, steps, found, won, tied, MEASURED)


def curves(
    page: LabPage, steps: np.ndarray, found: np.ndarray, won: np.ndarray, tied: np.ndarray,
    source: Provenance,
) -> None:  # fmt: skip
    left, right = st.columns(2)
    with left:
        page.figure(charts.found(steps, found, SIZE, page.text), source, "found")
    with right:
        page.figure(charts.told_apart(steps, won[0], tied[0], page.text), source, "told_apart")


def outcome(
    page: LabPage, config: PairConfig, result: Trained, source: Provenance, guess: Guess | None,
    which: str,
) -> None:  # fmt: skip
    at = charts.PARTS.index(which)
    told = result.captions[page.text.language][at]
    captions = [f"{number} · {one}" for number, one in enumerate(told, start=1)]
    st.markdown(
        page.text(
            "pairs.outcome", seen=percent(result.found[0, -1].mean()),
            other=percent(result.found[1, -1].mean()), order=percent(result.won[0, -1, 0]),
            binding=percent(result.won[0, -1, 1]), colour=percent(result.won[0, -1, 2]),
            tied=percent(result.tied[0, -1, 0]), size=SIZE,
        )
    )  # fmt: skip
    page.reveal(guess, round(100 * float(result.won[0, -1, 0])), tolerance=0.15)
    moment = st.select_slider(
        page.text("moment"), [int(step) for step in result.steps], int(result.steps[-1]),
        key="multimodal.moment",
    )  # fmt: skip
    look = int(np.flatnonzero(result.steps == moment)[0])
    left, right = st.columns([3, 2])
    with left:
        page.figure(charts.pairs(result.matrices[look, at], captions, page.text), source, "pairs")
    with right:
        page.figure(charts.shown(result.pictures[at], captions, page.text), source, "shown")
    curves(page, result.steps, result.found, result.won, result.tied, source)
    page.figure(charts.losses(result.losses, config.batch_size, page.text), source, "losses")


def percent(share: float) -> str:
    return f"{100 * share:.0f}"


def studied(page: LabPage) -> None:
    kept = page.recording("study", PairStudy)
    guess = page.predict("bag", options=("order", "coin", "ties"))
    if guess is None and not page.toggle("unveil", False):
        return
    page.reveal(guess, bags_verdict(kept.result))
    page.caption("study.about", seeds=len(kept.result.seeds))
    left, right = st.columns(2)
    with left:
        page.figure(charts.study_found(kept.result, page.text), kept.provenance, "study_found")
    with right:
        figure = charts.study_told_apart(kept.result, page.text)
        page.figure(figure, kept.provenance, "study_told_apart")
    with st.expander(page.text("study.table"), key="multimodal-study"):
        st.dataframe(charts.study_table(kept.result, page.text), hide_index=True)


def bags_verdict(study: PairStudy) -> str:
    """What the bag made of captions in the same words: mostly tied, mostly right, or neither."""
    at = study.names.index("bag")
    if study.tied[at, :, 0, 0].mean() > 0.5:
        return "ties"
    return "order" if study.won[at, :, 0, 0].mean() > 0.75 else "coin"
