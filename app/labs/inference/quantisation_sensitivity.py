"""Each matrix alone at two bits; a budget of bits shared out by that, against all alike."""

import streamlit as st

from app.charts import quantisation_speed as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.compression import quantise_sensitivity as lab
from labcore.compression.quantise_sensitivity import (
    SensitivityConfig,
    SensitivityResult,
    SensitivityStudy,
)

BUDGETS = ("2.25", "2.5", "2.75", "3.0", "3.25", "3.5")
DEFAULT = SensitivityConfig()


def draw_part(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        budget = page.choice("budget", BUDGETS, "2.5", style="slide", label=str)
    with right:
        seed = page.number("seed", 0, 99, DEFAULT.seed)
    config = SensitivityConfig(float(budget), seed=seed)
    page.job(lab.measure, config, lambda view: draw(page, config, view))
    recorded = page.recording("sensitivity", SensitivityStudy)
    page.figure(charts.shared(recorded.result, page.text), recorded.provenance, "shared")
    page.offer_notebook(
        "from labcore.compression import quantise_sensitivity as lab\n\n"
        f"result = lab.run(lab.SensitivityConfig({', '.join(changed_fields(config))}))",
        "print(dict(zip(result.names, result.bits)))\nprint(result.mixed_loss, result.uniform_losses)",
    )


def draw(page: LabPage, config: SensitivityConfig, view: JobView | None) -> None:
    if view is None and config == DEFAULT:
        recorded = page.recording("alone", SensitivityResult)
        page.caption("job.recorded")
        show(page, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        show(page, view.result, MEASURED)


def show(page: LabPage, result: SensitivityResult, source: Provenance) -> None:
    st.markdown(
        page.text(
            "sensitivity.outcome", spent=f"{result.spent:.2f}", mixed=f"{result.mixed_loss:.4f}",
            worst=f"{result.worst_loss:.4f}", two=f"{result.uniform_losses[0]:.4f}",
            three=f"{result.uniform_losses[1]:.4f}", full=f"{result.full_loss:.4f}",
            promised=f"{result.added_up:+.4f}",
            came=f"{result.mixed_loss - result.full_loss:+.4f}",
        )
    )  # fmt: skip
    page.figure(charts.rises(result, page.text), source, "rises")
    st.markdown(f"**{page.text('sensitivity.bits')}**")
    st.dataframe(charts.chosen(result, page.text), hide_index=True)
