"""Part 2: heads, neurons or whole layers are cut out, and the model is really smaller."""

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import pruning_units as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.compression import structured as lab
from labcore.compression.structured import StructuredConfig, StructuredResult, Study
from labcore.compression.unit_importance import IMPORTANCES

DEFAULT = StructuredConfig()
REMOVED = {"heads": (2, 4, 6, 8, 10, 12), "neurons": (10, 25, 40, 50, 60, 75), "layers": (1, 2, 3)}
WHOLE = {"heads": 16, "neurons": 100, "layers": 4}


def structured(page: LabPage) -> None:
    config = knobs(page)
    study = page.recording("structured", Study)
    guess = page.predict("layer", options=("first", "middle", "last", "alike"))
    page.job(lab.prune_units, config, lambda view: draw(page, config, view))
    if guess is not None:
        page.reveal(guess, hurts_most(study.result))
    figure = charts.shares(study.result, config.unit, page.text)
    page.figure(figure, study.provenance, f"shares_{config.unit}")
    if config.unit != "neurons":
        figure = charts.alone(study.result, config.unit, page.text)
        page.figure(figure, study.provenance, f"alone_{config.unit}")
    page.offer_notebook(
        "from labcore.compression import structured as lab\n\n"
        f"result = lab.run(lab.StructuredConfig({', '.join(changed_fields(config))}))",
        "print(result.kept.sum(), 'of', result.kept.size, 'units left')\n"
        "print(result.dense_nats, result.loss_nats, result.weights, result.milliseconds.mean(axis=1))",
    )


def knobs(page: LabPage) -> StructuredConfig:
    left, right = st.columns(2)
    with left:
        unit = page.choice("unit", lab.UNITS, DEFAULT.unit)
    with right:
        counts = [str(count) for count in REMOVED[unit]]
        middle = {"heads": "8", "neurons": "50", "layers": "1"}[unit]
        removed = page.choice(
            f"removed_{unit}", counts, middle, style="slide",
            label=lambda count: f"{count}%" if unit == "neurons" else count,
        )  # fmt: skip
    kinds = IMPORTANCES[1:] if unit == "neurons" else IMPORTANCES
    importance = page.choice("importance", kinds, kinds[0])
    with st.expander(page.text("more.seed"), key="pruning-structured-more"):
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return StructuredConfig(unit, int(removed) / WHOLE[unit], importance, seed)


def draw(page: LabPage, config: StructuredConfig, view: JobView | None) -> None:
    """The cut model; before a run, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("smaller", StructuredResult)
        page.caption("job.recorded")
        show(page, config, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run.structured")
    elif view.result is not None:
        show(page, config, view.result, MEASURED)


def show(
    page: LabPage, config: StructuredConfig, result: StructuredResult, source: Provenance
) -> None:
    st.markdown(
        page.text(
            "outcome.structured", gone=int((~result.kept).sum()), of=result.kept.size,
            units=page.text(f"option.unit.{config.unit}"), before=f"{result.dense_nats:.3f}",
            after=f"{result.loss_nats:.3f}",
        )
    )  # fmt: skip
    st.dataframe(sizes(page, result), hide_index=True)
    figure = charts.gone_first(result, config, page.text)
    page.figure(figure, source, f"gone_{config.unit}")
    page.figure(charts.times(result, page.text), source, "times")


def sizes(page: LabPage, result: StructuredResult) -> pd.DataFrame:
    """Weights, bytes and time, before and after."""
    middle = np.median(result.milliseconds, axis=1)
    rows = {
        "size.weights": [f"{count:,}" for count in result.weights],
        "size.bytes": [f"{size / 1e6:.2f} MB" for size in result.model_bytes],
        "size.time": [f"{one:.1f} ms" for one in middle],
    }
    smaller = [
        result.weights[1] / result.weights[0],
        result.model_bytes[1] / result.model_bytes[0],
        middle[1] / middle[0],
    ]
    return pd.DataFrame(
        {
            page.text("column.case"): [page.text(name) for name in rows],
            page.text("column.before"): [pair[0] for pair in rows.values()],
            page.text("column.after"): [pair[1] for pair in rows.values()],
            page.text("column.left"): [f"{share:.0%}" for share in smaller],
        }
    )


def hurts_most(study: Study) -> str:
    """Where the layer stands that is missed most when it alone is silent."""
    rise = study.first["layers"].mean(axis=0)  # (L,)
    if rise.max() < 2 * np.sort(rise)[-2]:
        return "alike"
    at = int(rise.argmax())
    return "first" if at == 0 else "last" if at == len(rise) - 1 else "middle"
