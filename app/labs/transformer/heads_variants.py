"""Parts 3 and 4: decoders that differ in their heads alone, trained side by side."""

import streamlit as st

from app.charts import head_variants as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import ANALYTIC, MEASURED, Provenance
from app.results import Recording
from labcore.architecture import head_variants as lab

SETS = {"1-8": (1, 2, 4, 8), "1-32": (1, 8, 32), "all": (1, 2, 4, 8, 16, 32), "ends": (1, 4)}
DEFAULT = lab.VariantsConfig()


def draw_count(page: LabPage) -> None:
    """How many heads at equal width."""
    chosen = page.choice("counts", tuple(SETS), "1-8")
    config = settings(page, tuple(f"heads-{count}" for count in SETS[chosen]))
    guess = page.predict("best_count", options=("few", "many", "middle", "none"))
    page.job(lab.train_side_by_side, config, lambda view: show_count(page, config, view, guess))
    notebook(page, config, "run")


def draw_sharing(page: LabPage) -> None:
    """Keys and values of their own, shared, or rebuilt from a latent."""
    config = settings(page, tuple(lab.SHARING))
    guess = page.predict("fastest", options=tuple(lab.SHARING))
    page.job(lab.train_and_time, config, lambda view: show_sharing(page, config, view, guess))
    page.figure(charts.published(lab.published_caches(), page.text), ANALYTIC, "published")
    notebook(page, config, "run_timed")


def settings(page: LabPage, names: tuple[str, ...]) -> lab.VariantsConfig:
    with st.expander(page.text("more"), key="heads-variants-more"):
        left, middle, right = st.columns(3)
        with left:
            steps = page.slider("steps", 20, 1000, DEFAULT.steps, 20)
        with middle:
            runs = page.slider("runs", 1, 5, 1)
        with right:
            first = page.number("first_seed", 0, 9999, 0)
    seeds = tuple(range(first, first + runs))
    return lab.VariantsConfig(names, steps=steps, seeds=seeds, look_every=max(10, steps // 10))


def show_count(
    page: LabPage, config: lab.VariantsConfig, view: JobView | None, guess: Guess | None
) -> None:
    recording = page.recording("count", lab.VariantsResult)
    shown = show(page, config, view, recording, "count")
    if shown is None:
        return
    figure = charts.last_losses(shown.result, recording.result, page.text)
    page.figure(figure, shown.provenance, "last")
    if view is not None:
        page.reveal(guess, best_count(recording.result))


def show_sharing(
    page: LabPage, config: lab.VariantsConfig, view: JobView | None, guess: Guess | None
) -> None:
    recording = page.recording("sharing", lab.VariantsResult)
    shown = show(page, config, view, recording, "sharing")
    if shown is None:
        return
    speed = shown.result.speed
    page.figure(charts.decoding(speed, page.text), shown.provenance, "decoding")
    times = dict(zip(speed.names, speed.milliseconds[:, -1], strict=True))
    ratios = {name.replace("-", "_"): f"{times['mha'] / time:.1f}" for name, time in times.items()}
    page.caption("decoding.told", length=f"{speed.lengths[-1]:,}", **ratios)
    if view is not None:
        page.reveal(guess, fastest(shown.result))


def show(
    page: LabPage, config: lab.VariantsConfig, view: JobView | None, recording: Recording, key: str
) -> Recording | None:
    """The losses: recorded before a run, growing during it. Gives back what has been finished."""
    if view is None:
        page.caption("job.recorded.seeds", seeds=len(recording.result.seeds))
        shown = Recording(lab.chosen(recording.result, config.names), recording.provenance)
    elif view.result is not None:
        shown = Recording(view.result, MEASURED)
    else:
        if view.events:
            page.caption("seed.now", seed=view.events[-1].seed, step=view.events[-1].step)
            course = charts.course_of(view.events)
            draw_course(page, course, recording.result, MEASURED, key)
        return None
    draw_course(page, shown.result, recording.result, shown.provenance, key)
    st.dataframe(
        charts.summary(shown.result, page.text), hide_index=True, column_config=numbers(page)
    )
    page.caption("summary.about" if len(shown.result.seeds) > 1 else "summary.one_seed")
    return shown


def draw_course(
    page: LabPage, shown: lab.VariantsResult | charts.Course, recorded: lab.VariantsResult,
    source: Provenance, key: str,
) -> None:  # fmt: skip
    """The losses, and magnified what the variants differ by."""
    page.figure(charts.losses(shown, recorded, page.text), source, f"{key}_losses")
    page.figure(charts.gaps(shown, recorded, page.text), source, f"{key}_gaps")


def numbers(page: LabPage) -> dict:
    """How the columns of the summary are written."""
    whole = {
        name: st.column_config.NumberColumn(format="localized") for name in ("parameters", "cache")
    }
    nats = {
        name: st.column_config.NumberColumn(format="%.3f") for name in ("loss", "lowest", "highest")
    }
    return {page.text(f"column.{name}"): column for name, column in (whole | nats).items()}


def fastest(result: lab.VariantsResult) -> str:
    """The kind that writes a token soonest with the longest cache; MLA as it is written down."""
    names = result.speed.names[:4]
    return names[int(result.speed.milliseconds[:4, -1].argmin())]


def best_count(result: lab.VariantsResult) -> str:
    """Where the lowest loss lies among all numbers of heads; none, if nobody loses with every seed."""
    final = result.loss_nats[:, :, -1]
    best = int(final.mean(axis=1).argmin())
    if not (final > final[best]).all(axis=1).any():
        return "none"
    count = int(result.names[best].removeprefix("heads-"))
    return "few" if count == 1 else "many" if count == 32 else "middle"


def notebook(page: LabPage, config: lab.VariantsConfig, run: str) -> None:
    page.offer_notebook(
        "from labcore.architecture import head_variants as lab\n"
        "from labcore.architecture.head_variants import VariantsConfig\n\n"
        f"config = {config!r}\n"
        f"result = lab.{run}(config)",
        "for name, losses, parameters, cache in zip(\n"
        "    result.names, result.loss_nats, result.parameters, result.cache_bytes\n"
        "):\n"
        "    print(name, losses[:, -1].round(3), parameters, 'parameters', cache, 'bytes per token')",
        "print(result.floor_nats, result.seconds)",
    )
