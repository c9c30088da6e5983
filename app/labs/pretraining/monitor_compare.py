"""This session's runs side by side: what was set beside what came out, and their curves over one another."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import monitor_studies as charts
from app.labs.pretraining import monitor_session as session
from app.labs.pretraining.monitor_session import Kept
from app.page import LabPage
from app.provenance import MEASURED
from labcore.pretraining.corpus import WorldTextConfig
from labcore.pretraining.fault_study import FaultStudy
from labcore.pretraining.monitor import MonitorConfig, MonitorResult
from labcore.pretraining.monitor_text import STORY_TOKENS
from labcore.training.signals import RunLog

AXES = ("step", "tokens", "seconds", "tflops")
MEASURES = ("validation", "train")
MOST_LINES = 7  # that can be told apart by colour; the latest are drawn


def draw(page: LabPage) -> None:
    runs = session.kept()
    recorded = page.recording("faults", FaultStudy)
    if not runs:
        page.caption("compare.none")
    names = [page.text("compare.run", number=number) for number in range(1, len(runs) + 1)]
    left, right = st.columns(2)
    with left:
        axis = page.choice("axis", AXES, "step")
    with right:
        measure = page.choice("measure", MEASURES, "validation")
        beside = page.toggle("beside_recorded", True) if runs else True
    lines = {name: line(one, axis, measure) for name, one in zip(names, runs, strict=True)}
    lines = dict(list(lines.items())[-MOST_LINES:])
    if beside:
        default = page.recording("default", MonitorResult).result
        study = recorded.result
        shown = zip(study.seeds, study.healthy, strict=True) if not runs else [(0, default.log)]
        lines |= {
            page.text("compare.recorded", seed=seed): line(
                as_kept(default, log, seed), axis, measure
            )
            for seed, log in shown
        }
    source = MEASURED if runs else recorded.provenance
    titles = page.text(f"axis.{axis}"), page.text(f"axis.{measure}")
    page.figure(charts.overlay(lines, *titles, page.text), source, "overlay")
    if runs:
        st.dataframe(table(page, names, runs), hide_index=True)
        page.caption("compare.table", most=session.MOST_RUNS)
        st.button(
            page.text("compare.forget"), key="monitor.forget", type="tertiary",
            icon=":material/delete:", on_click=session.forget,
        )  # fmt: skip


def as_kept(result: MonitorResult, log: RunLog, seed: int) -> Kept:
    """A recorded run of the default recipe, as if it were one of the session's."""
    return Kept(
        MonitorConfig(seed=seed), log, result.final_nats, result.parameters,
        result.memory_numbers, result.flops_per_token, result.seconds,
    )  # fmt: skip


def line(run: Kept, axis: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """One run's curve over the axis asked for."""
    log = run.log
    y = log.validation_nats if measure == "validation" else log.loss_nats
    per_step = tokens_per_step(run)
    tokens = per_step * np.arange(1, len(log.step) + 1)
    x = {
        "step": log.step,
        "tokens": tokens,
        "seconds": np.cumsum(per_step / np.maximum(log.tokens_per_second, 1e-9)),
        "tflops": tokens * run.flops_per_token / 1e12,
    }[axis]
    return x, y


def tokens_per_step(run: Kept) -> float:
    """Rows of a batch times tokens of a row."""
    return run.config.batch_size * row_tokens(run.config)


def row_tokens(config: MonitorConfig) -> int:
    is_world = isinstance(config.corpus, WorldTextConfig)
    return STORY_TOKENS if is_world else config.corpus.row_tokens


def table(page: LabPage, names: Sequence[str], runs: Sequence[Kept]) -> pd.DataFrame:
    """What was set, then what came out."""
    return pd.DataFrame([row(page, name, run) for name, run in zip(names, runs, strict=True)])


def row(page: LabPage, name: str, run: Kept) -> dict:
    text, config, log = page.text, run.config, run.log
    world = isinstance(config.corpus, WorldTextConfig)
    fault = text("compare.hidden") if run.hidden else text(f"option.fault.{config.fault}")
    steps = f"{int(log.step[0])}–{int(log.step[-1])}" if log.step[0] > 1 else f"{int(log.step[-1])}"
    return {
        text("column.run"): name,
        text("column.held_out"): f"{run.final_nats:.3f}",
        text("column.train"): f"{float(np.mean(log.loss_nats[-10:])):.3f}",
        text("column.fault"): fault,
        text("column.optimiser"): text(f"option.optimiser.{config.optimiser}"),
        text("column.rate"): f"{config.learning_rate:g}",
        text("column.schedule"): text(f"option.schedule.{config.schedule}"),
        text("column.warmup"): f"{config.warmup_steps}",
        text("column.steps"): steps,
        text("column.batch"): f"{config.batch_size} / {config.micro_batches}",
        text("column.clip"): "–" if config.clip_norm is None else f"{config.clip_norm:g}",
        text("column.decay"): f"{config.weight_decay:g}",
        text("column.precision"): text(f"option.precision.{config.precision}"),
        text("column.model"): f"{config.num_layers} × {config.hidden_size}",
        text("column.corpus"): text(f"option.corpus.{config.corpus.languages if world else 'kept'}"),
        text("column.seed"): "?" if run.hidden else f"{config.seed}",
        text("column.speed"): f"{float(np.median(log.tokens_per_second)):,.0f}",
        text("column.seconds"): f"{run.seconds:.1f}",
    }  # fmt: skip
