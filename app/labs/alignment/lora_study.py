"""What was recorded of many runs: the frontier, the spectrum of an update, the learning rates."""

import streamlit as st

from app.charts import lora as charts
from app.page import LabPage
from labcore.tuning.lora_frontier import Frontier
from labcore.tuning.lora_rates import METHOD_CASES, SCALE_CASES, STEPS, RateStudy
from labcore.tuning.lora_spectrum import KEPT, SpectrumStudy
from labcore.tuning.tune import NEW_TASKS

COSTS = ("parameters", "kilobytes", "step_ms")
GAINS = ("new_nats", "old_nats")
ALIKE_NATS = 0.1  # less is no difference


def frontier(page: LabPage) -> None:
    recorded = page.recording("frontier", Frontier)
    columns = st.columns(3)
    with columns[0]:
        task = page.choice("task", NEW_TASKS, NEW_TASKS[0])
    with columns[1]:
        cost = page.choice("cost", COSTS, COSTS[0])
    with columns[2]:
        gain = page.choice("gain", GAINS, GAINS[0])
    page.caption(f"frontier.{task}", steps=recorded.result.steps)
    guess = page.predict("forgets_more", options=("full", "alike", "lora"))
    page.reveal(guess, forgets_more(recorded.result, task))
    figure = charts.frontier(recorded.result, task, cost, gain, page.text)
    page.figure(figure, recorded.provenance, "frontier")
    st.dataframe(figure.data(), hide_index=True)
    page.offer_notebook(
        "from labcore.tuning.lora_frontier import CASES, case, config_of\n\n"
        'names = ("rank-1", "rank-8", "full")\n'
        f"found = {{name: case(config_of(CASES[{task!r}][name], {task!r}), seeds=(0,)) for name in names}}",
        "for name, one in found.items():\n"
        "    print(name, one.parameters, one.memory.total, one.new_nats, one.old_nats)",
    )


def forgets_more(study: Frontier, task: str) -> str:
    """Who tells the old text worse at the end: LoRA of rank 8, or the full fine-tune."""
    lora, full = (study.cases[task][name].old_nats.mean() for name in ("rank-8", "full"))
    return "alike" if abs(lora - full) < ALIKE_NATS else "lora" if lora > full else "full"


def spectrum(page: LabPage) -> None:
    recorded = page.recording("spectrum", SpectrumStudy)
    runs = page.recording("frontier", Frontier).result
    study = recorded.result
    left, right = st.columns(2)
    with left:
        task = page.choice("task", NEW_TASKS, NEW_TASKS[0])
    with right:
        matrix = page.choice(
            "matrix", ("all", *study.names), "all", style="select",
            label=lambda name: page.text("matrix.all") if name == "all" else name,
        )  # fmt: skip
    page.figure(charts.shares(study, matrix, page.text), recorded.provenance, "shares")
    if page.guess_first("cut", ("cut", "alike", "learnt"), better_rank_8(study, runs, task)):
        page.figure(charts.cuts(study, runs, task, page.text), recorded.provenance, "cuts")
    page.offer_notebook(
        "from labcore.tuning import lora_spectrum as lab\n\n"
        f"found = lab.spectrum({task!r}, seeds=(0,))",
        "print(lab.energy(found.values)[0].mean(axis=0)[[0, 1, 3, 7, 15, 31]])\n"
        "print(dict(zip(lab.KEPT, found.cut_nats[0])), found.full_nats)",
    )


def better_rank_8(study: SpectrumStudy, runs: Frontier, task: str) -> str:
    """Rank 8, cut from the full fine-tune's updates or learnt as such: whose loss is lower."""
    cut = study.tasks[task].cut_nats[:, KEPT.index(8)].mean()
    learnt = runs.cases[task]["rank-8"].new_nats.mean()
    return "alike" if abs(cut - learnt) < ALIKE_NATS else "cut" if cut < learnt else "learnt"


def rates(page: LabPage) -> None:
    recorded = page.recording("rates", RateStudy)
    look = page.choice("rates_of", ("methods", "scales"), "methods")
    page.caption(f"rates.{look}", steps=STEPS)
    if look == "methods":
        figure = charts.rates(recorded.result, tuple(METHOD_CASES), page.text)
        names = tuple(METHOD_CASES)[:2]
    else:
        figure = charts.scales(recorded.result, page.text)
        names = tuple(SCALE_CASES)[:2]
    page.figure(figure, recorded.provenance, f"rates_{look}")
    page.offer_notebook(
        "from labcore.tuning.lora_rates import METHOD_CASES, SCALE_CASES, end_nats\n\n"
        "cases = METHOD_CASES | SCALE_CASES\n"
        f"for name in {names!r}:\n"
        "    for rate in (0.003, 0.01):\n"
        "        print(name, rate, end_nats(cases[name], rate, seed=0))"
    )
