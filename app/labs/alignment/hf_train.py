"""The first part: the script as it is, started from the page and followed by its callback."""

import shlex
from collections.abc import Sequence

import streamlit as st

from app.charts import hf as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.errors import LabInputError
from labcore.tuning import hf_models
from labcore.tuning import hf_run as lab
from labcore.tuning.hf_run import Course, HFConfig, HFResult

# Read once, with the module that runs it: what is shown and handed out is what is started.
SCRIPT = lab.SCRIPT.read_text(encoding="utf-8")
RATES = ("0.0001", "0.0003", "0.001", "0.003", "0.01")
RANKS = tuple(map(str, lab.RANKS))
DEFAULT = HFConfig()
SHORTER, LONGER = 0.7, 1.3  # an answer's words, after to before


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("answer", options=("same", "shorter", "longer", "noise"))

    def picture(view: JobView | None) -> None:
        if view is None and config == DEFAULT:
            recorded = page.recording("default", HFResult)
            page.caption("job.recorded")
            finished(page, recorded.result, recorded.provenance)
        elif view is None:
            page.caption("press_run")
        elif view.result is not None:
            finished(page, view.result, MEASURED)
            page.reveal(guess, verdict(view.result))
            take_home(page, view.result)
        elif view.events:
            under_way(page, config, view)

    page.job(lab.fine_tune, config, picture)
    script(page, config)
    longer(page)
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> HFConfig:
    left, right = st.columns(2)
    with left:
        question = page.text_area("question", DEFAULT.questions[0], lab.MOST_CHARACTERS)
        steps = page.slider("steps", 4, 60, DEFAULT.steps, 4)
    with right:
        trainer = page.choice("trainer", lab.TRAINERS, DEFAULT.trainer)
        load_4bit = page.toggle("load_4bit", DEFAULT.load_4bit)
        rank = page.choice("lora_rank", RANKS, str(DEFAULT.lora_rank), label=str)
    with st.expander(page.text("more"), key="hf-more"):
        left, middle, right = st.columns(3)
        with left:
            rate = page.choice("learning_rate", RATES, "0.001", style="select", label=str)
        with middle:
            model = page.choice("model", hf_models.MODELS, DEFAULT.model)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
        own = own_rows(page)
    return HFConfig(
        model, trainer, load_4bit, lora_rank=int(rank), learning_rate=float(rate), steps=steps,
        questions=(question.strip(),) if question.strip() else (), own_rows=own, seed=seed,
    )  # fmt: skip


def own_rows(page: LabPage) -> str:
    """A learner's own file of rows; what cannot be read is said here, and the lab's rows stay."""
    file = st.file_uploader(
        page.text("own_rows"), type=["json", "jsonl"], key="hf.own_rows",
        help=page.text("own_rows.help", least=lab.LEAST_ROWS),
    )  # fmt: skip
    if file is None:
        return ""
    try:
        told = file.getvalue().decode("utf-8-sig")
        lab.rows_of(HFConfig(own_rows=told))
    except UnicodeDecodeError:
        page.error(LabInputError("instructions", file.name, "readable_rows"))
    except LabInputError as error:
        page.error(error)
    else:
        return told
    return ""


def under_way(page: LabPage, config: HFConfig, view: JobView) -> None:
    """The trainer's lines as they come in, and how long it will take."""
    run = lab.course([event.values for event in view.events if event.event == "log"])
    if not len(run.eval_loss):
        if view.live:
            page.caption("starting")
        return
    left = config.steps - len(run.loss)
    if len(run.loss) >= 2 and left and view.live:
        page.caption("estimate", left=left, seconds=round(left * float(run.seconds[1:].mean())))
    curves(page, config, run, MEASURED)


def curves(page: LabPage, config: HFConfig, run: Course | HFResult, source: Provenance) -> None:
    page.figure(charts.loss(run, config.steps, page.text), source, "loss")
    if len(run.loss):
        left, right = st.columns(2)
        with left:
            page.figure(charts.rates(run, config.steps, page.text), source, "rates")
        with right:
            page.figure(charts.cost(run, config.steps, page.text), source, "cost")


def finished(page: LabPage, result: HFResult, source: Provenance) -> None:
    numbers = {
        "steps": len(result.loss), "rows": result.rows["train"], "kept": result.rows["test"],
        "before": f"{result.eval_loss[0]:.2f}", "after": f"{result.eval_loss[-1]:.2f}",
        "trained": f"{result.trained:,}", "seconds": round(float(result.cpu_seconds.sum())),
    }  # fmt: skip
    st.markdown(page.text("outcome", **numbers))
    if result.config.questions:
        answers(page, result)
        page.caption("answers.about", tokens=result.config.new_tokens)
    curves(page, result.config, result, source)
    with st.expander(page.text("saved"), key="hf-saved"):
        page.caption("saved.about")
        st.dataframe(charts.files(result, page.text), hide_index=True)


def answers(page: LabPage, result: HFResult) -> None:
    """Each question with both answers; what a model or a learner wrote is shown as text alone."""
    said = zip(result.config.questions, result.before, result.after, strict=True)
    for question, before, after in said:
        st.text(question)
        left, right = st.columns(2)
        for column, name, answer in ((left, "before", before), (right, "after", after)):
            with column:
                st.caption(page.text(f"column.{name}"))
                st.code(answer or " ", language=None, wrap_lines=True)


def verdict(result: HFResult) -> str:
    """What became of the length of the learner's answer; no words at all is noise."""
    before, after = (len(" ".join(said).split()) for said in (result.before, result.after))
    if not after:
        return "noise"
    change = after / max(1, before)
    return "shorter" if change < SHORTER else "longer" if change > LONGER else "same"


def take_home(page: LabPage, result: HFResult) -> None:
    data = lab.adapter_bytes(result)
    if data is None:
        page.caption("adapter.gone")
        return
    st.download_button(
        page.text("adapter.download", size=f"{len(data) / 1e6:.1f}"), data, "adapter.zip",
        mime="application/zip", on_click="ignore", icon=":material/download:", key="hf.adapter",
    )  # fmt: skip


def script(page: LabPage, config: HFConfig) -> None:
    """The exact command, the script and the rows, to run it elsewhere."""
    st.markdown(f"**{page.text('script')}**")
    asked = shlex.join(lab.arguments(config, lab.HUB_IDS[hf_models.REAL], "rows.json", "tuned"))
    st.code(f"python hf_sft.py {asked}", language="bash", wrap_lines=True)
    with st.container(horizontal=True, key="hf-script"):
        st.download_button(
            page.text("script.download"), SCRIPT, "hf_sft.py", mime="text/x-python",
            on_click="ignore", icon=":material/download:", key="hf.script",
        )  # fmt: skip
        st.download_button(
            page.text("rows.download"), lambda: lab.rows_json(lab.rows_of(config)), "rows.json",
            mime="application/json", on_click="ignore", icon=":material/download:", key="hf.rows",
        )  # fmt: skip
    with st.expander(page.text("script.read"), key="hf-read"):
        st.code(SCRIPT, language="python", wrap_lines=True)


def longer(page: LabPage) -> None:
    """The recorded longer run."""
    with st.expander(page.text("longer"), key="hf-longer"):
        recorded = page.recording("longer", HFResult)
        result = recorded.result
        best = int(result.eval_step[result.eval_loss.argmin()])
        st.markdown(
            page.text(
                "longer.outcome", steps=len(result.loss), best=best,
                lowest=f"{result.eval_loss.min():.2f}", last=f"{result.eval_loss[-1]:.2f}",
                seconds=round(float(result.cpu_seconds.sum())),
            )
        )  # fmt: skip
        figure = charts.loss(result, len(result.loss), page.text)
        page.figure(figure, recorded.provenance, "longer")
        answers(page, result)


def notebook(config: HFConfig) -> Sequence[str]:
    changed = ", ".join(changed_fields(config))
    return (
        f"from labcore.tuning import hf_run as lab\n\nresult = lab.run(lab.HFConfig({changed}))",
        "for question, before, after in zip(result.config.questions, result.before, result.after):\n"
        "    print(question, before, after, sep='\\n  ')\nprint(result.eval_loss)",
    )
