"""Part 4: one matrix with zeros, in several forms, timed and weighed."""

import numpy as np
import streamlit as st

from app.charts import pruning_forms as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.compression import matrix_forms as lab
from labcore.compression.matrix_forms import FormsConfig, FormsResult

DEFAULT = FormsConfig()
SIZES, TOKENS = ("256", "512", "1024", "2048"), ("1", "16", "64")
ALIKE = 0.15  # a difference of less is the machine's mood


def speed(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        size = page.choice("size", SIZES, str(DEFAULT.size), label=str)
    with right:
        tokens = page.choice("tokens", TOKENS, str(DEFAULT.tokens), label=str)
    config = FormsConfig(int(size), int(tokens))
    guess = page.predict("csr", options=("faster", "same", "slower"))
    page.job(lab.measure, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(
        "from labcore.compression import matrix_forms as lab\n\n"
        f"result = lab.run(lab.FormsConfig({', '.join(changed_fields(config))}))",
        "import numpy as np\n\n"
        "for name, rounds in result.milliseconds.items():\n"
        "    print(name, dict(zip(result.shares, np.median(rounds, axis=1).round(4))))",
    )


def draw(page: LabPage, config: FormsConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        recorded = page.recording("forms", FormsResult)
        page.caption("job.recorded")
        show(page, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run.speed")
    elif view.result is not None:
        show(page, view.result, MEASURED)
        page.reveal(guess, csr_at_half(view.result))


def show(page: LabPage, result: FormsResult, source: Provenance) -> None:
    half = int(np.searchsorted(result.shares, 0.5))
    times = {name: np.median(rounds, axis=1) for name, rounds in result.milliseconds.items()}
    st.markdown(
        page.text(
            "outcome.speed", whole=f"{times['dense'][0]:.3g}", zeros=f"{times['dense'][half]:.3g}",
            csr=f"{times['csr'][half]:.3g}", smaller=f"{times['smaller'][half]:.3g}",
            pays=pays_from(result, page),
        )
    )  # fmt: skip
    page.figure(charts.times(result, page.text), source, "form_times")
    # The bytes are counted, not timed: they are the same on every machine.
    stored = COMPUTED if source is MEASURED else source
    page.figure(charts.stored(result, page.text), stored, "stored")


def pays_from(result: FormsResult, page: LabPage) -> str:
    """The first share at which CSR beats the dense product, in words."""
    csr, dense = (np.median(result.milliseconds[name], axis=1) for name in ("csr", "dense"))
    wins = np.flatnonzero(csr < (1 - ALIKE) * dense)
    if not len(wins):
        return page.text("pays.never")
    return page.text("pays.from", share=f"{result.shares[wins[0]]:.0%}")


def csr_at_half(result: FormsResult) -> str:
    """CSR against the dense product with half of the weights gone."""
    half = int(np.searchsorted(result.shares, 0.5))
    ratio = np.median(result.milliseconds["csr"][half]) / np.median(
        result.milliseconds["dense"][half]
    )
    return "slower" if ratio > 1 + ALIKE else "faster" if ratio < 1 - ALIKE else "same"
