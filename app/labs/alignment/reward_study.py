"""Part three: planted tastes and whether they are found, over three seeds."""

from app.charts import reward_study as charts
from app.page import LabPage
from app.provenance import Provenance
from labcore.tuning.reward_study import FANS, PAIRS, SLIPS, Study

GROUPS = {
    "taste": ("informed", "no-taste", "digits", "shallow", "shallow-no-taste"),
    "fans": ("no-taste", *(f"fans-{share:g}" for share in FANS)),
    "slips": ("informed", *(f"slips-{share:g}" for share in SLIPS)),
    "pairs": (*(f"pairs-{pairs}" for pairs in PAIRS), "informed"),
}
WITH_MARKS = ("informed", "no-taste", "shallow", "shallow-no-taste")

COIN, NEARLY = 0.55, 0.05  # shares of pairs told


def draw(page: LabPage) -> None:
    recorded = page.recording("study", Study)
    group = page.choice("group", tuple(GROUPS), "taste")
    page.caption(f"group.{group}")
    if guessed(page, group, recorded.result):
        draw_group(page, recorded.result, group, recorded.provenance)
    page.offer_notebook(
        "from labcore.tuning.reward_study import CASES, case\n\n"
        f"cases = {{name: case(CASES[name], seeds=(0,)) for name in {GROUPS[group]!r}}}",
        "for name, one in cases.items():\n"
        "    print(name, one.planted, one.found, one.accuracy, one.best_accuracy)",
    )


def guessed(page: LabPage, group: str, study: Study) -> bool:
    """Ask before a comparison is shown; whether it may be."""
    if group == "slips":
        return page.guess_first("flat", ("kept", "half", "little"), flattened(study))
    if group == "pairs":
        return page.guess_first("few", ("coin", "worse", "nearly"), from_few(study))
    return True


def flattened(study: Study) -> str:
    """What is left of the worth of being right when three labels in ten are turned around."""
    slips, careful = (study.cases[name].found[:, 0].mean() for name in ("slips-0.3", "informed"))
    left = slips / careful
    return "kept" if left > 3 / 4 else "half" if left > 1 / 3 else "little"


def from_few(study: Study) -> str:
    """How well a model from 250 pairs tells held-out pairs, beside the one from all of them."""
    few, all_pairs = (study.cases[name].accuracy.mean() for name in ("pairs-250", "informed"))
    return "coin" if few < COIN else "nearly" if all_pairs - few < NEARLY else "worse"


def draw_group(page: LabPage, study: Study, group: str, source: Provenance) -> None:
    names, text = GROUPS[group], page.text
    causes = {"taste": ("marks", "digits"), "fans": ("marks", "right"), "pairs": ("right",)}
    if group == "slips":
        page.figure(charts.flattening(study, names, text), source, "flattening")
    for cause in causes.get(group, ()):
        page.figure(charts.found(study, names, cause, group, text), source, f"found_{cause}")
    if group == "taste":
        page.figure(charts.dependence(study, WITH_MARKS, text), source, "gain")
    if group in ("slips", "pairs"):
        for measure in ("accuracy", "calibration_error"):
            page.figure(
                charts.score(study, names, measure, group, text), source, f"score_{measure}"
            )
