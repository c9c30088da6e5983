"""Part 2: what every head is worth, how well a slope guesses it, and how many can go."""

import streamlit as st

from app import model_picker, results
from app.charts import head_ranking as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.architecture import head_ranking as lab
from labcore.architecture.head_gates import places

DEFAULT_MODEL = "world-decoder"
NO_VOCABULARY = ("minilm-l6",)
LARGE = 20_000_000  # parameters: beyond these the defaults read less text
ALLOWED_RISE = 0.1  # nats, in the prediction


def draw(page: LabPage) -> None:
    name = model_picker.pick(page, DEFAULT_MODEL, "ranked", but=NO_VOCABULARY)
    if name is None:
        return
    large = page.model(name).card.parameters > LARGE
    with st.expander(page.text("more"), key="heads-ranking-more"):
        left, middle, right = st.columns(3)
        with left:
            samples = page.slider("samples", 2, 8, 3 if large else 4)
        with middle:
            rows = page.slider("rows", 1, 32, 2 if large else 12)
        with right:
            seed = page.number("seed", 0, 9999, 0)
    config = lab.RankingConfig(name, samples, rows, seed)
    shape = page.model(name).model.config
    heads = shape.num_heads * len(places(shape))
    guess = page.predict("can_go", low=0, high=heads, step=1, unit=page.text("unit.heads"))
    page.job(lab.rank_heads, config, lambda view: show(page, config, view, guess))
    page.offer_notebook(
        "from labcore.architecture import head_ranking as lab\n\n"
        f"config = lab.{config!r}\n"
        "result = lab.run(config)\n"
        "print(result.importance.mean(axis=0).round(3))  # nats, places by heads",
        "print('rank correlation with the slope, sample by sample:', result.agreement.round(2))",
        "for order, losses in result.removed.items():\n"
        "    print(order, losses.mean(axis=0).round(2))",
    )


def show(
    page: LabPage, config: lab.RankingConfig, view: JobView | None, guess: Guess | None
) -> None:
    if view is None:
        recording = recorded(page, config)
        if recording is None:
            page.caption("ranking.press_run")
        else:
            page.caption("job.recorded")
            draw_result(page, recording.result, recording.provenance)
    elif view.result is not None:
        draw_result(page, view.result, MEASURED)
        page.reveal(guess, can_go(view.result), tolerance=0.15)
    elif view.events:
        page.caption(f"stage.{view.events[-1].stage}")


def recorded(page: LabPage, config: lab.RankingConfig) -> results.Recording | None:
    """The recording of this very run, if there is one."""
    path = results.RECORDINGS / f"heads-ranking-{config.model}.safetensors"
    if config.model.startswith("own-") or "/" in config.model or not path.is_file():
        return None
    found = page.recording(f"ranking-{config.model}", lab.RankingResult)
    samples, rows = len(found.result.importance), found.result.rows
    same = (samples, rows, config.seed) == (config.samples, config.rows, found.provenance.seed)
    return found if same else None


def draw_result(page: LabPage, result: lab.RankingResult, source: Provenance) -> None:
    page.figure(charts.removal(result, page.text), source, "removal")
    heads = int(result.counts[-1])
    page.caption(
        "removal.told", heads=heads, can_go=round(can_go(result)), rise=f"{ALLOWED_RISE:.1f}",
        by_chance=round(can_go(result, "random")), sum=f"{result.added_up[-1] - result.added_up[0]:.2f}",
        all=f"{result.removed['measured'][:, -1].mean() - result.added_up[0]:.2f}",
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        page.figure(charts.importance_map(result, page.text), source, "importance")
    with right:
        page.figure(charts.slope_against_measure(result, page.text), source, "slopes")
    mean = lab.rank_correlation(result.importance.mean(axis=0), result.slope.mean(axis=0))
    page.caption(
        "slopes.told", rho=f"{mean:.2f}", low=f"{result.agreement.min():.2f}",
        high=f"{result.agreement.max():.2f}", samples=len(result.agreement),
    )  # fmt: skip
    page.figure(charts.importance_bars(result, page.text), source, "bars")


def can_go(result: lab.RankingResult, order: str = "measured") -> float:
    """How many heads can be off, in this order, before the loss has risen by a tenth of a nat."""
    losses = result.removed[order].mean(axis=0)
    within = losses <= losses[0] + ALLOWED_RISE
    stays = within.cumprod().sum() - 1  # the last point before the first that is too high
    return float(result.counts[stays])
