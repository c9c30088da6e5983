"""The knobs of a watched run: a new one, or one that is taken up where it stopped."""

from collections.abc import Callable

import streamlit as st

from app.labs.pretraining import corpus_knob
from app.labs.pretraining import monitor_session as session
from app.page import LabPage
from labcore.pretraining import monitor as lab
from labcore.pretraining.corpus import Source, WorldTextConfig
from labcore.pretraining.monitor import MonitorConfig
from labcore.pretraining.optimiser_study import StudyResult
from labcore.training.loop import PRECISIONS
from labcore.training.rules import OPTIMISERS
from labcore.training.schedule import SCHEDULES

DEFAULT = MonitorConfig()
RATES = (
    "0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0", "3.0",
)  # fmt: skip
CLIPS = ("0.1", "0.3", "1.0", "3.0", "none")
DECAYS = ("0.0", "0.01", "0.1", "0.3")
PARTS = ("1", "2", "4", "8")
WIDTHS = ("16", "32", "48", "64", "96")
MORE_STEPS = 100  # offered to a run whose plan is done


def read(page: LabPage) -> MonitorConfig:
    """What Run starts."""
    data = session.taken_up()
    if data:
        return go_on(page, data)
    left, right = st.columns(2)
    with left:
        optimiser = page.choice("optimiser", OPTIMISERS, DEFAULT.optimiser)
        rate = page.choice(
            "learning_rate", RATES, str(DEFAULT.learning_rate), style="slide", label=str
        )
        say_good_rate(page, optimiser)
        schedule = page.choice("schedule", SCHEDULES, DEFAULT.schedule, style="pills")
        warmup = page.slider("warmup_steps", 0, 100, DEFAULT.warmup_steps, 5)
    with right:
        corpus = corpus_knob.pick(page, told="stories")
        steps = page.slider("steps", 20, 500, DEFAULT.steps, 10)
        batch = page.slider("batch_size", 4, 64, DEFAULT.batch_size, 4)
        clip = page.choice(
            "clip_norm", CLIPS, str(DEFAULT.clip_norm), style="slide", label=clip_label(page)
        )
    with st.expander(page.text("more"), key="monitor-more"):
        details = more_knobs(page, steps)
    return MonitorConfig(
        optimiser=optimiser, learning_rate=float(rate), schedule=schedule, warmup_steps=warmup,
        corpus=corpus, steps=steps, batch_size=batch,
        clip_norm=None if clip == "none" else float(clip), **details,
    )  # fmt: skip


def more_knobs(page: LabPage, steps: int) -> dict:
    left, right = st.columns(2)
    with left:
        decay = page.choice("weight_decay", DECAYS, str(DEFAULT.weight_decay), label=str)
        parts = page.choice("micro_batches", PARTS, str(DEFAULT.micro_batches), label=str)
        precision = page.choice("precision", PRECISIONS, DEFAULT.precision)
        stop = page.slider("stop_after", 0, steps, 0, 10)
    with right:
        layers = page.slider("num_layers", 1, 8, DEFAULT.num_layers)
        width = page.choice("hidden_size", WIDTHS, str(DEFAULT.hidden_size), label=str)
        activation = page.choice("activation", lab.ACTIVATIONS, DEFAULT.activation)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return {
        "weight_decay": float(decay), "micro_batches": int(parts), "precision": precision,
        "stop_after": stop or None, "num_layers": layers, "hidden_size": int(width),
        "activation": activation, "seed": seed,
    }  # fmt: skip


def called(page: LabPage) -> Callable[[str], str]:
    """An optimiser's name, for other knobs that choose one."""
    return lambda name: page.text(f"option.optimiser.{name}")


def clip_label(page: LabPage) -> Callable[[str], str]:
    return lambda value: page.text("option.clip_norm.none") if value == "none" else value


def say_good_rate(page: LabPage, optimiser: str) -> None:
    """Which rate was best for this optimiser where it was measured."""
    best = page.recording("optimisers", StudyResult).result.best_rate(optimiser)
    name = page.text(f"option.optimiser.{optimiser}")
    page.caption("good_rate", optimiser=name, rate=f"{best:g}")


def corpus_imports(corpus: Source) -> str:
    """The lines that a notebook needs to spell this corpus."""
    if isinstance(corpus, WorldTextConfig):
        return "from labcore.pretraining.corpus import WorldTextConfig"
    return (
        "from labcore.pretraining.pipeline import (\n"
        "    ContaminationConfig, FilterConfig, NearConfig, NormaliseConfig,\n"
        "    PipelineConfig, SourceConfig,\n)\n"
        "from labcore.pretraining.training_text import TrainingTextConfig"
    )


def go_on(page: LabPage, data: bytes) -> MonitorConfig:
    """A run that is continued keeps its settings; how far it goes is the one thing to choose."""
    config, made = lab.config_in(data)
    with st.container(border=True, key="monitor-taken-up"):
        st.markdown(
            page.text(
                "resume.taken", step=made, steps=config.steps,
                optimiser=page.text(f"option.optimiser.{config.optimiser}"),
                rate=f"{config.learning_rate:g}",
                schedule=page.text(f"option.schedule.{config.schedule}"), seed=config.seed,
            )
        )  # fmt: skip
        high = int(lab.LIMITS["steps"][1])
        planned = config.steps if config.steps > made else min(high, made + MORE_STEPS)
        total = page.slider("steps_in_all", min(made + 1, high), high, planned)
        st.button(
            page.text("resume.put_away"), key="monitor.put_away", type="tertiary",
            icon=":material/close:", on_click=session.put_away,
        )  # fmt: skip
    return lab.continued(data, total)
