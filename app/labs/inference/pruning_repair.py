"""Part 3: a short training run mends what pruning broke, beside the same run without pruning."""

from collections.abc import Sequence

import streamlit as st

from app.charts import pruning_units as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.compression import repair as lab
from labcore.compression.repair import Look, RepairConfig, RepairResult, Study

DEFAULT = RepairConfig()
GONE, MOST_LEFT = 0.1, 0.6  # shares of a lead that is left
RATES = ("0.00005", "0.0001", "0.0005", "0.001", "0.002")


def repair(page: LabPage) -> None:
    config = knobs(page)
    page.job(lab.repair, config, lambda view: draw(page, config, view))
    study = page.recording("repairs", Study)
    if page.guess_first("lead", ("kept", "half", "gone"), lead(study.result)):
        page.figure(charts.repairs(study.result, page.text), study.provenance, "repairs")
        st.dataframe(charts.repair_ends(study.result, page.text), hide_index=True)
    page.offer_notebook(
        "from labcore.compression import repair as lab\n\n"
        f"result = lab.run(lab.RepairConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        '    print(f"step {look.step:3}: {look.pruned_nats:.4f} nats pruned, "\n'
        '          f"{look.dense_nats:.4f} not pruned")\n'
        "print(result.zero_share)",
    )


def lead(study: Study) -> str:
    """What a repair leaves of SparseGPT's lead over magnitude, at 70 % zeros."""
    gap = (study.losses["magnitude-0.7"] - study.losses["sparsegpt-0.7"]).mean(axis=0)  # (M,)
    left = float(gap[-1] / gap[0])
    return "gone" if left < GONE else "kept" if left > MOST_LEFT else "half"


def knobs(page: LabPage) -> RepairConfig:
    left, right = st.columns(2)
    with left:
        way = page.choice("way", lab.WAYS, DEFAULT.way)
    with right:
        ratio = page.slider("repair_ratio", 10, 90, 70, 10)
    hold = True
    if way != "neurons":
        hold = page.toggle("hold", DEFAULT.hold)
    with st.expander(page.text("more.repair"), key="pruning-repair-more"):
        left, middle, right = st.columns(3)
        with left:
            steps = page.slider("steps", 10, 120, DEFAULT.steps, 10)
        with middle:
            rate = page.choice("learning_rate", RATES, "0.0005", style="select", label=str)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return RepairConfig(way, ratio / 100, hold, steps, float(rate), seed)


def draw(page: LabPage, config: RepairConfig, view: JobView | None) -> None:
    """The run as far as it is; before it, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("repair", RepairResult)
        page.caption("job.recorded")
        show(page, config, recorded.result.looks, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run.repair")
    elif view.result is not None:
        show(page, config, view.result.looks, view.result, MEASURED)
    elif view.events:
        show(page, config, view.events, None, MEASURED)


def show(
    page: LabPage, config: RepairConfig, looks: Sequence[Look], result: RepairResult | None,
    source: Provenance,
) -> None:  # fmt: skip
    if result is not None:
        first, last = looks[0], looks[-1]
        st.markdown(
            page.text(
                "outcome.repair", step=last.step, before=f"{first.pruned_nats:.3f}",
                after=f"{last.pruned_nats:.3f}", dense_before=f"{first.dense_nats:.3f}",
                dense_after=f"{last.dense_nats:.3f}", zeros_before=f"{result.zero_share[0]:.0%}",
                zeros_after=f"{result.zero_share[1]:.0%}",
            )
        )  # fmt: skip
    floor = None if result is None else result.floor_nats
    page.figure(charts.course(list(looks), floor, config, page.text), source, "course")
