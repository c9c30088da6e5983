"""QLoRA on this machine: one model in six formats, and LoRA against QLoRA over three seeds."""

import streamlit as st

from app.charts import hf as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.tuning import hf_models
from labcore.tuning import hf_study as lab
from labcore.tuning.hf_study import Formats, FormatsConfig, Study

FEW, MANY = 4.0, 6.5  # how many times smaller the model has become
BARELY, ALIKE = 0.25, 0.9  # of QLoRA's gain
PICTURED = ("lora", "qlora", "repacked")


def draw(page: LabPage) -> None:
    look = page.choice("look", ("formats", "training"), "formats")
    page.caption(f"look.{look}")
    {"formats": formats, "training": training}[look](page)


def formats(page: LabPage) -> None:
    config = FormatsConfig(page.choice("weighed", hf_models.MODELS, hf_models.REAL))
    guess = page.predict("shrink", options=("eight", "five", "three"))
    unveiled = guess is not None or page.toggle("unveil", False)

    def picture(view: JobView | None) -> None:
        if view is not None:
            weighed(page, [event for event in view.events if event is not None], MEASURED, guess)
        elif config != FormatsConfig():
            page.caption("press_weigh")
        elif unveiled:
            recorded = page.recording("formats", Formats)
            page.caption("job.recorded")
            weighed(page, recorded.result.rows, recorded.provenance, guess)

    page.job(lab.weigh, config, picture)
    page.offer_notebook(
        f"from labcore.tuning import hf_study as lab\n\nformats = lab.run_weigh(lab.{config!r})",
        "import pandas as pd\n\npd.DataFrame([\n"
        "    {name: getattr(row, name) for name in row.__slots__} for row in formats.rows\n])",
    )


def weighed(
    page: LabPage, rows: list[lab.Weighed], source: Provenance, guess: Guess | None
) -> None:
    if not rows:
        page.caption("starting")
        return
    if times := smaller(rows):
        page.reveal(guess, times)
    page.figure(charts.held(rows, page.text), source, "held")
    if len(rows) > 1:
        page.figure(charts.moved(rows, page.text), source, "moved")
    st.dataframe(charts.formats_table(rows, page.text), hide_index=True)
    page.caption("formats.about", tokens=rows[0].tokens)


def smaller(rows: list[lab.Weighed]) -> str:
    """How many times smaller the whole model is with NF4; "" until both have been weighed."""
    held = {row.name: row.counted for row in rows}
    if not {"fp32", "nf4"} <= held.keys():
        return ""
    times = held["fp32"] / held["nf4"]
    return "three" if times < FEW else "five" if times < MANY else "eight"


def learnt(study: Study) -> str:
    """What the third arm gained by training, beside QLoRA's gain, on text held out."""
    gains = {
        name: float((arm.eval_loss[:, 0] - arm.eval_loss[:, -1]).mean())
        for name, arm in study.arms.items()
    }
    share = gains["repacked"] / gains["qlora"]
    return "barely" if share < BARELY else "slower" if share < ALIKE else "same"


def training(page: LabPage) -> None:
    recorded = page.recording("study", Study)
    study, source = recorded.result, recorded.provenance
    guess = page.predict("repacked", options=("same", "slower", "barely"))
    names = PICTURED if guess else PICTURED[:2]
    if not guess:
        page.caption("arms.waiting")
    st.dataframe(charts.arms_table(study, names, page.text), hide_index=True)
    page.caption("arms.about", seeds=len(study.seeds), steps=study.arms["lora"].loss.shape[1])
    page.figure(charts.arms(study, "loss", names, page.text), source, "arms_loss")
    page.figure(charts.arms(study, "grad_norm", names, page.text), source, "arms_gradient")
    page.reveal(guess, learnt(study))
    page.figure(charts.arms(study, "cpu_seconds", PICTURED[:2], page.text), source, "arms_seconds")
    page.offer_notebook(
        "from labcore.tuning import hf_study as lab\n\nresult = lab.study(seeds=(0,))",
        "for name, arm in result.arms.items():\n    print(name, arm.eval_loss)",
    )
