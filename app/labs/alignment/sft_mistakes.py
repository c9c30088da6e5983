"""The third part: one thing done differently at a time, three seeds of each, recorded."""

from app.charts import sft as charts
from app.page import LabPage
from labcore.tuning.sft_study import Study

GROUPS = {
    "labels": ("right", "no_mask", "no_end"),
    "template": ("right", "right-crossed", "words", "words-crossed"),
    "replay": ("right", "replay-5", "replay-20"),
}
MEASURES = {
    "labels": ("right", "stopped", "story_nats"),
    "template": ("right",),
    "replay": ("right", "story_nats"),
}

ALL, MOST = 0.9, 0.5  # shares of the answers that end
SAME, HARDLY = 0.05, 1 / 3  # right answers lost: as a difference, and what is left as a share


def draw(page: LabPage) -> None:
    recorded = page.recording("study", Study)
    group = page.choice("group", tuple(GROUPS), "labels")
    page.caption(f"group.{group}")
    names = GROUPS[group]
    if guessed(page, group, recorded.result):
        for measure in MEASURES[group]:
            figure = charts.ends(recorded.result, names, measure, page.text)
            page.figure(figure, recorded.provenance, f"ends_{measure}")
        cases = {name: recorded.result.cases[name] for name in names}
        page.figure(charts.by_task(cases, page.text), recorded.provenance, "by_task")
    page.offer_notebook(
        "from dataclasses import replace\n\nfrom labcore.tuning.sft import run\n"
        "from labcore.tuning.sft_study import TRAINED\n\n"
        f"names = [name for name in {names!r} if name in TRAINED]\n"
        "results = {name: run(replace(TRAINED[name], seed=0)) for name in names}",
        "for name, result in results.items():\n    print(name, result.looks[-1])",
    )


def guessed(page: LabPage, group: str, study: Study) -> bool:
    """Ask before a comparison is shown; whether it may be."""
    if group == "labels":
        return page.guess_first("stops", ("all", "most", "few"), stopping(study))
    if group == "template":
        return page.guess_first("other_marks", ("same", "fewer", "hardly"), crossed(study))
    return True


def stopping(study: Study) -> str:
    """How many answers end if the end was never asked for."""
    share = study.cases["no_end"].measures["stopped"][:, -1].mean()
    return "all" if share > ALL else "most" if share > MOST else "few"


def crossed(study: Study) -> str:
    """Right answers in the other template, beside those in the one that was trained."""
    own, other = (
        study.cases[name].measures["right"][:, -1].mean() for name in ("right", "right-crossed")
    )
    return "same" if own - other < SAME else "hardly" if other < HARDLY * own else "fewer"
