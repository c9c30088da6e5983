"""A hyper-parameter search of short runs: what the sampler tries, what is cut, where it ends."""

import pandas as pd
import streamlit as st

from app.charts import monitor_studies as charts
from app.job import JobView
from app.labs.pretraining import corpus_knob
from app.labs.pretraining.monitor_knobs import corpus_imports
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.pretraining import hyper_search as lab
from labcore.pretraining.hyper_search import SAMPLERS, SearchConfig, SearchResult, Trial

DEFAULT = SearchConfig()
SPACES = {
    "adamw": (("adamw",), 1e-3, 1e-1),
    "muon": (("muon",), 3e-3, 3e-1),
    "lion": (("lion",), 1e-3, 1e-1),
    "all": (("adamw", "lion", "muon"), 1e-3, 1e-1),
}


def draw(page: LabPage) -> None:
    config = knobs(page)
    page.job(lab.search, config, lambda view: picture(page, config, view))
    page.offer_notebook(
        f"from labcore.pretraining import hyper_search as lab\n{corpus_imports(config.corpus)}\n\n"
        f"result = lab.run(lab.{config!r})",
        "import pandas as pd\n\npd.DataFrame(\n"
        "    [(t.optimiser, t.learning_rate, t.weight_decay, t.warmup_steps, t.final_nats, t.cut)\n"
        "     for t in result.trials],\n"
        '    columns=["optimiser", "rate", "decay", "warm-up", "nats", "cut"],\n)',
    )


def knobs(page: LabPage) -> SearchConfig:
    left, right = st.columns(2)
    with left:
        optimisers, low, high = SPACES[page.choice("space", tuple(SPACES), "adamw")]
        sampler = page.choice("sampler", SAMPLERS, DEFAULT.sampler)
        prune = page.toggle("prune", DEFAULT.prune)
    with right:
        corpus = corpus_knob.pick(page, told="stories")
        trials = page.slider("trials", 2, 30, DEFAULT.trials)
        steps = page.slider("trial_steps", 30, 150, DEFAULT.steps, 10)
        seed = page.number("search_seed", 0, 9999, 0)
    return SearchConfig(optimisers, low, high, trials, steps, sampler, prune, seed, corpus)


def picture(page: LabPage, config: SearchConfig, view: JobView | None) -> None:
    if view is None:
        if config == DEFAULT:
            recording = page.recording("search", SearchResult)
            page.caption("job.recorded")
            finished(page, recording.result, recording.provenance)
        else:
            page.caption("press_run")
    elif view.result is not None:
        finished(page, view.result, MEASURED)
    elif view.events:
        trials = [event.trial for event in view.events if event.trial is not None]
        now = view.events[-1]
        page.caption("search.now", number=now.number + 1, trials=now.trials, step=now.step)
        if trials:
            pictures(page, trials, None, MEASURED)


def finished(page: LabPage, result: SearchResult, source: Provenance) -> None:
    best, unspent = result.trials[result.best], sum(trial.cut for trial in result.trials)
    st.markdown(
        page.text(
            "search.best", number=best.number + 1, nats=f"{best.final_nats:.2f}",
            optimiser=page.text(f"option.optimiser.{best.optimiser}"),
            rate=f"{best.learning_rate:.3g}", decay=f"{best.weight_decay:g}",
            warmup=best.warmup_steps, cut=unspent, updates=f"{result.updates:,}",
        )
    )  # fmt: skip
    pictures(page, result.trials, result.floor_nats, source)


def pictures(
    page: LabPage, trials: list[Trial], floor_nats: float | None, source: Provenance
) -> None:
    left, right = st.columns(2)
    with left:
        figure = charts.search_course(trials, floor_nats, page.text)
        page.figure(figure, source, "search_course")
    with right:
        page.figure(charts.search_rates(trials, page.text), source, "search_rates")
    st.dataframe(table(page, trials), hide_index=True)


def table(page: LabPage, trials: list[Trial]) -> pd.DataFrame:
    text = page.text
    return pd.DataFrame(
        [
            {
                text("column.trial"): trial.number + 1,
                text("column.optimiser"): text(f"option.optimiser.{trial.optimiser}"),
                text("column.rate"): f"{trial.learning_rate:.3g}",
                text("column.decay"): trial.weight_decay,
                text("column.warmup"): trial.warmup_steps,
                text("column.held_out"): f"{trial.final_nats:.2f}",
                text("column.ended"): text("cut.yes" if trial.cut else "cut.no", step=trial.looks[-1]),
            }
            for trial in trials
        ]
    )  # fmt: skip
