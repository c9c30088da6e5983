"""The held-out model: three laws and the learner say what it will come to, then it is seen, or trained."""

import streamlit as st

from app.charts import scaling_budget as charts
from app.job import JobView
from app.labs.pretraining.scaling_sweep import COUNTS
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.scaling import sweep
from labcore.scaling.extrapolation import Extrapolation
from labcore.scaling.sweep import SweepConfig

MOMENTS = tuple(f"{budget:g}" for budget in sweep.HELD_OUT.gigaflops)
LOW_NATS, HIGH_NATS, STEP_NATS = 1.7, 2.3, 0.005
CLOSE = 0.01  # a guess counts as close within one per cent


def draw(page: LabPage) -> None:
    left, middle, right = st.columns(3)
    with left:
        count = page.choice("count", COUNTS, "blocks")
    with middle:
        moment = page.choice(
            "moment", MOMENTS, MOMENTS[1], label=lambda g: page.text("budget", gigaflops=g)
        )
    with right:
        seed = page.number("seed", 0, 9999, 0)
    guess = page.predict(
        "held_out", low=LOW_NATS, high=HIGH_NATS, step=STEP_NATS, unit=page.text("unit.nats")
    )
    recording = page.recording(f"extrapolation-{count}", Extrapolation)
    found: Extrapolation = recording.result
    budgets = tuple(budget for budget in sweep.HELD_OUT.gigaflops if budget <= float(moment))
    config = SweepConfig(sweep.HELD_OUT.widths, budgets, seeds=(seed,))

    def picture(view: JobView | None) -> None:
        live = view.events if view is not None else ()
        revealed = guess is not None or bool(view is not None and view.result)
        figure = charts.predictions(found, revealed, live, page.text)
        page.figure(figure, recording.provenance if revealed else COMPUTED, "predictions")
        if not revealed:
            page.caption("hidden")
            return
        say(page, found)
        page.reveal(guess, float(found.measured[-1].mean()), tolerance=CLOSE)
        page.figure(charts.reach(found, page.text), COMPUTED, "reach")

    st.markdown(page.text("live.held_out"))
    page.job(sweep.extend, config, picture)
    offer_notebook(page, config)


def say(page: LabPage, found: Extrapolation) -> None:
    """What came out, and how far each law was off."""
    last = found.measured[-1]
    errors = {
        form: f"{error:+.3f}" for form, error in zip(found.forms, found.errors[:, -1], strict=True)
    }
    st.markdown(
        page.text(
            "held_out.summary", nats=f"{last.mean():.3f}", low=f"{last.min():.3f}",
            high=f"{last.max():.3f}", seeds=len(last), **errors,
        )
    )  # fmt: skip


def offer_notebook(page: LabPage, config: SweepConfig) -> None:
    page.offer_notebook(
        "from labcore.scaling import law, sweep\n"
        "from labcore.scaling.answers import Asking, question\n\n"
        "small = sweep.run(sweep.SweepConfig())  # half a minute on one core\n"
        "fits = {form: law.fit(question(small, Asking(form=form))) for form in law.FORMS}",
        f"held_out = sweep.run(sweep.{config!r})\n"
        "for n, d, nats in zip(held_out.blocks, held_out.tokens, held_out.annealed_nats):\n"
        '    print(d, f"{nats:.3f}", {form: round(fit.law.loss(n, d), 3) for form, fit in fits.items()})',
    )
