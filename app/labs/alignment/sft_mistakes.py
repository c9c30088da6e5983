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


def draw(page: LabPage) -> None:
    recorded = page.recording("study", Study)
    group = page.choice("group", tuple(GROUPS), "labels")
    page.caption(f"group.{group}")
    names = GROUPS[group]
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
