"""The leak: two models that differ in a mask, the floor between their losses, and what each writes."""

from dataclasses import replace

import streamlit as st

from app.charts import causal_leak as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.architecture import causal_leak as lab
from labcore.architecture.causal_leak import CausalLeakConfig, CausalLeakResult

DEFAULT = CausalLeakConfig()
SHARES = ("few", "some", "most")
FEW, MOST = 0.1, 0.5  # of the steps
SPACE = "·"  # on screen, so that a text of nothing but spaces can be seen


def draw(page: LabPage) -> None:
    guess = page.predict("leak", options=("above", "at", "below"))
    config = knobs(page)
    page.job(lab.prove_the_leak, config, lambda view: picture(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> CausalLeakConfig:
    left, right = st.columns(2)
    with left:
        layers = page.slider("num_layers", *lab.LIMITS["num_layers"], DEFAULT.num_layers)
        length = page.slider("length", *lab.LIMITS["length"], DEFAULT.length, 4)
    with right:
        steps = page.slider("steps", 50, lab.LIMITS["steps"][1], DEFAULT.steps, 50)
        seed = page.number("leak_seed", *lab.LIMITS["seed"], DEFAULT.seed)
    return CausalLeakConfig(layers, length, steps, seed=seed)


def picture(
    page: LabPage, config: CausalLeakConfig, view: JobView | None, guess: Guess | None
) -> None:
    """The run as far as it is; before any, five recorded seeds of the default settings."""
    recording = page.recording("leak", CausalLeakResult)
    usual = replace(config, seed=DEFAULT.seed) == DEFAULT
    behind = recording.result if usual else None
    if view is None and usual:
        page.caption("leak.recorded", seeds=len(recording.result.nats))
        draw_result(page, recording.result, recording.provenance)
        reveal(page, recording.result, guess)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        draw_result(page, view.result, MEASURED, behind)
        reveal(page, view.result, guess)
    elif view.events:
        figure = charts.losses_of_events(view.events, config.steps, page.text, behind)
        page.figure(figure, MEASURED, "losses")


def draw_result(
    page: LabPage, result: CausalLeakResult, source: Provenance,
    behind: CausalLeakResult | None = None,
) -> None:  # fmt: skip
    """Both curves with the floor, the losses by position; the writing, once it is predicted."""
    total, floor = int(result.steps[-1]), result.floor_nats
    figure = charts.losses(result.steps, result.nats, floor, total, page.text, behind)
    page.figure(figure, source, "losses")
    say_proof(page, result)
    page.figure(charts.positions(result, page.text), source, "positions")
    if not page.guess_first("rules", SHARES, broken(float(result.forbidden[:, 1].mean()))):
        return
    left, right = st.columns(2)
    for at, (column, kind) in enumerate(zip((left, right), lab.KINDS, strict=True)):
        with column:
            share = f"{100 * result.forbidden[:, at].mean():.1f}"
            st.markdown(page.text(f"written.{kind}", share=share))
            texts = (text.replace(" ", SPACE) for text in result.samples[at])
            st.code("\n".join(texts), language=None)
    page.caption("written.about")


def say_proof(page: LabPage, result: CausalLeakResult) -> None:
    """The numbers of the proof in one sentence."""
    masked, leaking = result.nats[:, :, -1].mean(axis=0)
    st.markdown(
        page.text(
            "proof", masked=f"{masked:.3f}", open=f"{leaking:.3f}",
            floor=f"{result.floor_nats:.3f}", entropy=f"{result.entropy_nats:.3f}",
            writing=f"{result.by_prefix[:, 1].mean():.2f}",
            uniform=f"{result.uniform_nats:.2f}",
        )
    )  # fmt: skip


def reveal(page: LabPage, result: CausalLeakResult, guess: Guess | None) -> None:
    leaking, floor = float(result.nats[:, 1, -1].mean()), result.floor_nats
    near = abs(leaking - floor) < 0.05 * floor
    page.reveal(guess, "at" if near else "below" if leaking < floor else "above")


def broken(share: float) -> str:
    """How many of the steps that a model writes break a rule of the language.

    >>> broken(0.01), broken(0.3), broken(0.9)
    ('few', 'some', 'most')
    """
    return "few" if share < FEW else "some" if share < MOST else "most"


def notebook(config: CausalLeakConfig) -> tuple[str, ...]:
    return (
        "from labcore.architecture import causal_leak as lab\n\n"
        f"config = lab.{config!r}\nresult = lab.run(config)",
        'print("floor", result.floor_nats, "masked, open:", result.nats[0, :, -1])\n'
        'print("when writing:", result.by_prefix[0].mean(axis=1), "forbidden:", result.forbidden[0])\n'
        "for texts in result.samples:\n    print(*texts, sep=chr(10))",
    )
