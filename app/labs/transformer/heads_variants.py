"""Parts 3 and 4: decoders that differ in their heads alone, trained side by side."""

from collections.abc import Sequence

import streamlit as st

from app.charts import head_variants as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import ANALYTIC, MEASURED, Provenance
from app.results import Recording
from labcore.architecture import head_variants as lab
from labcore.architecture.decode_speed import SpeedConfig

SETS = {"1-8": (1, 2, 4, 8), "1-32": (1, 8, 32), "all": (1, 2, 4, 8, 16, 32), "ends": (1, 4)}
DEFAULT = lab.VariantsConfig()


def draw_count(page: LabPage) -> None:
    """How many heads at equal width."""
    chosen = page.choice("counts", tuple(SETS), "1-8")
    config = settings(page, tuple(f"heads-{count}" for count in SETS[chosen]), None)
    guess = page.predict("best_count", options=("few", "many", "middle", "none"))
    page.job(
        lab.train_side_by_side, config, lambda view: show(page, "count", config, view, guess)
    )  # fmt: skip
    notebook(page, config)


def draw_sharing(page: LabPage) -> None:
    """Keys and values of their own, shared, or rebuilt from a latent."""
    config = settings(page, tuple(lab.SHARING), SpeedConfig())
    guess = page.predict("fastest", options=("mha", "gqa", "mqa", "mla"))
    page.job(
        lab.train_side_by_side, config, lambda view: show(page, "sharing", config, view, guess)
    )  # fmt: skip
    page.figure(charts.published(lab.published_caches(), page.text), ANALYTIC, "published")
    notebook(page, config)


def settings(
    page: LabPage, names: tuple[str, ...], speed: SpeedConfig | None
) -> lab.VariantsConfig:
    with st.expander(page.text("more"), key="heads-variants-more"):
        left, middle, right = st.columns(3)
        with left:
            steps = page.slider("steps", 20, 1000, DEFAULT.steps, 20)
        with middle:
            runs = page.slider("runs", 1, 5, 1)
        with right:
            first = page.number("first_seed", 0, 9999, 0)
    seeds = tuple(range(first, first + runs))
    return lab.VariantsConfig(
        names, steps=steps, seeds=seeds, look_every=max(10, steps // 10), speed=speed
    )


def show(
    page: LabPage, part: str, config: lab.VariantsConfig, view: JobView | None, guess: Guess | None
) -> None:
    """The recorded run of five seeds, or the live one before its spread."""
    recording = page.recording(part, lab.VariantsResult)
    known: lab.VariantsResult = recording.result
    alike = config.steps == DEFAULT.steps and config.look_every == DEFAULT.look_every
    if view is None:
        page.caption("job.recorded.seeds", seeds=len(known.seeds))
        draw_result(page, part, config.names, recording, True)
    elif view.result is not None:
        live = Recording(view.result, MEASURED)
        draw_result(page, part, config.names, live, alike)
        if part == "sharing":
            page.reveal(guess, fastest(view.result))
        else:
            page.reveal(guess, best_count(known))
    elif view.events:
        page.caption("seed.now", seed=view.events[-1].seed, step=view.events[-1].step)
        course = charts.course_of(view.events)
        figure = charts.losses(config.names, course, known, alike, page.text)
        page.figure(figure, MEASURED, f"{part}_losses")


def draw_result(
    page: LabPage, part: str, names: Sequence[str], shown: Recording, alike: bool
) -> None:
    known = page.recording(part, lab.VariantsResult).result
    result: lab.VariantsResult = lab.chosen(shown.result, tuple(names))
    source: Provenance = shown.provenance
    page.figure(charts.losses(names, result, known, alike, page.text), source, f"{part}_losses")
    st.dataframe(charts.summary(result, page.text), hide_index=True)
    page.caption("summary.about" if len(result.seeds) > 1 else "summary.one_seed")
    if part == "count":
        counts = [int(name.removeprefix("heads-")) for name in names]
        page.figure(charts.last_losses(result, counts, page.text), source, "last")
    if result.speed is not None:
        page.figure(charts.decoding(result.speed, page.text), source, "decoding")
        times = dict(zip(result.speed.names, result.speed.milliseconds[:, -1], strict=True))
        page.caption(
            "decoding.told", length=int(result.speed.lengths[-1]),
            **{name.replace("-", "_"): f"{times['mha'] / time:.1f}" for name, time in times.items()},
        )  # fmt: skip


def fastest(result: lab.VariantsResult) -> str:
    """The kind that writes a token soonest with the longest cache; MLA as it is written down."""
    names = result.speed.names[:4]
    return names[int(result.speed.milliseconds[:4, -1].argmin())]


def best_count(result: lab.VariantsResult) -> str:
    """Where the lowest loss lies among all recorded numbers of heads; none, if no seed can tell."""
    final = result.loss_nats[:, :, -1]
    best = int(final.mean(axis=1).argmin())
    if all(final[number].min() <= final[best].max() for number in range(len(final))):
        return "none"
    count = int(result.names[best].removeprefix("heads-"))
    return "few" if count == 1 else "many" if count == 32 else "middle"


def notebook(page: LabPage, config: lab.VariantsConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import head_variants as lab\n"
        "from labcore.architecture.decode_speed import SpeedConfig\n"
        "from labcore.architecture.head_variants import VariantsConfig\n\n"
        f"config = {config!r}\n"
        "result = lab.run(config)",
        "for name, losses, parameters, cache in zip(\n"
        "    result.names, result.loss_nats, result.parameters, result.cache_bytes\n"
        "):\n"
        "    print(name, losses[:, -1].round(3), parameters, 'parameters', cache, 'bytes per token')",
        "print(result.floor_nats, result.seconds)",
    )
