"""How far the rules can be trusted: every fault with several seeds, and what each run was called."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import clinic as charts
from app.labs.pretraining.findings import diagnosis_words, draw_findings
from app.page import LabPage
from app.provenance import Provenance
from labcore.pretraining import clinic_study as lab
from labcore.pretraining.clinic_study import ALIKE, LEVELS, Judged, PairsStudy, Table
from labcore.training.diagnosis import diagnose
from labcore.training.signals import RunLog

GROUPS = ("full", "healthy", "milder")
PREDICTED = ("few", "half", "most")
FEW, MOST = 1 / 3, 2 / 3  # of the runs, named rightly from the training loss alone


def draw(page: LabPage) -> None:
    recording = page.recording("table", Table)
    runs: list[Judged] = recording.result.runs
    guess = page.predict("alone", options=PREDICTED)
    level = page.choice("level", LEVELS, "all", style="pills")
    if level == "loss":
        page.reveal(guess, band(share(runs, "loss", "full")))
    told = say_groups(page, runs, level)
    runs = [run for run in runs if told or run.group != "milder"]
    truths, columns = draw_confusion(page, runs, level, recording.provenance)
    one_run(page, runs, level, recording.provenance, truths, columns)
    shares = {
        group: {level: share(runs, level, group) for level in LEVELS}
        for group in (("full", "milder") if told else ("full",))
    }
    page.figure(charts.by_level(shares, page.text), recording.provenance, "by_level")
    page.offer_notebook(*NOTEBOOK)


def say_groups(page: LabPage, runs: Sequence[Judged], level: str) -> bool:
    """How many runs of each group are named rightly; of smaller doses once that is predicted, or asked
    for. Whether it was."""
    for group in GROUPS:
        inside = [run for run in runs if run.group == group]
        if group == "milder" and not page.guess_first(
            "milder", PREDICTED, band(share(runs, "all", "milder"))
        ):
            return False
        right = sum(run.right(level) for run in inside)
        st.markdown(page.text(f"table.group.{group}", right=right, runs=len(inside)))
    return True


def share(runs: Sequence[Judged], level: str, group: str) -> float:
    """Of the runs of a group, those that are named rightly at a level."""
    inside = [run for run in runs if run.group == group]
    return sum(run.right(level) for run in inside) / len(inside)


def band(share: float) -> str:
    """The answer to how much the training loss alone tells.

    >>> band(0.2), band(0.5), band(0.9)
    ('few', 'half', 'most')
    """
    return "few" if share < FEW else "half" if share < MOST else "most"


def draw_confusion(
    page: LabPage, runs: Sequence[Judged], level: str, source: Provenance
) -> tuple[list[str], list[str]]:
    truths, columns, counts = lab.confusion(runs, level)
    right = np.array(
        [[name == truth or name in ALIKE.get(truth, ()) for name in columns] for truth in truths]
    )
    figure = charts.confusion(truths, columns, counts, right, page.text)
    page.figure(figure, source, "confusion")
    return truths, columns


def one_run(
    page: LabPage, runs: Sequence[Judged], level: str, source: Provenance,
    truths: list[str], columns: list[str],
) -> None:  # fmt: skip
    """Any run of the table, with what the rules say at this level; a click on a cell picks its first."""
    words = diagnosis_words(page.text)
    wrong_only = page.toggle("wrong_only", False)
    names = {name_of(run): run for run in runs}
    if cell := page.clicked("confusion"):
        place = truths[cell["row"]], columns[cell["column"]]
        inside = [run for run in runs if (run.truth, run.named[level]) == place]
        if inside:
            page.controls.set("run", name_of(inside[0]))
            if inside[0].right(level):
                wrong_only = False
    listed = [name for name, run in names.items() if not (wrong_only and run.right(level))]
    if not listed:
        page.caption("table.none_wrong")
        return

    def label(name: str) -> str:
        run = names[name]
        return page.text(
            "table.run", truth=words(f"fault.{run.truth}"), recipe=page.text(f"recipe.{run.recipe}"),
            seed=run.seed, named=words(f"fault.{run.named[level]}"),
        )  # fmt: skip

    run = names[page.choice("run", listed, listed[0], style="select", label=label)]
    log = lab.blinded(log_of(page, run), level)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        alt = page.text("alt.run", truth=words(f"fault.{run.truth}"), points=len(log.step))
        page.figure(charts.losses(log, None, page.text, alt), source, "run")
    with right:
        draw_findings(page.text, diagnose(log))


def name_of(run: Judged) -> str:
    return f"{run.truth}.{run.recipe}.{run.seed}"


def log_of(page: LabPage, run: Judged) -> RunLog:
    """The clinic's own runs lie in the recording of the pairs."""
    if run.log is not None:
        return run.log
    study: PairsStudy = page.recording("pairs", PairsStudy).result
    return study.runs[run.recipe][study.seeds.index(run.seed)]


NOTEBOOK = (
    "from labcore.pretraining import clinic_study as lab\n\n"
    "# The recorded study has all recipes, seeds 0, 1 and 2, and 160 steps.\n"
    "study = lab.pairs(seeds=(7,), steps=60, recipes=('healthy', 'copy', 'empty'))\n"
    "runs = lab.of_pairs(study)",
    "import pandas as pd\n\n"
    "truths, columns, counts = lab.confusion(runs, 'all')\n"
    "pd.DataFrame(counts, index=truths, columns=columns)",
    "{level: sum(run.right(level) for run in runs) / len(runs) for level in lab.LEVELS}",
)
