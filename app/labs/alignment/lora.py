"""LoRA and its family: one run of the learner's own; the other parts stand in modules of their own."""

from collections.abc import Sequence

import streamlit as st

from app.charts import lora as charts
from app.job import JobView
from app.labs.alignment import lora_mechanics, lora_mixing, lora_study
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.tuning import lora as ground
from labcore.tuning import lora_arithmetic, peft_files, tune
from labcore.tuning import lora_mechanics as mechanics
from labcore.tuning import methods as ways
from labcore.tuning import tale_tasks as tasks
from labcore.tuning.lora_frontier import Frontier
from labcore.tuning.methods import LOW_RANK, METHODS, PARTS, VIRTUAL, Method
from labcore.tuning.tune import NEW_TASKS, Look, TuneConfig, TuneResult

SHOWN = (
    ground.LoRALinear.forward, ground.LoRALinear.merged_weight, ground.attach, tasks.retold,
    ways.tuned, peft_files.peft_weights, mechanics.merge_into, lora_arithmetic.combined,
)  # fmt: skip

STAGES = {
    "frontier": lora_study.frontier, "spectrum": lora_study.spectrum, "rates": lora_study.rates,
    "mechanics": lora_mechanics.experiment, "mixing": lora_mixing.experiment,
}  # fmt: skip
SIZES = ("1", "2", "4", "8", "16", "32", "64")
ALPHAS = ("1", "2", "4", "8", "16", "32", "64")
RATES = ("0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3")
DEFAULT = TuneConfig()
LOADING = """base = LlamaForCausalLM.from_pretrained("teller")
model = PeftModel.from_pretrained(base, "adapter")"""
FORGOTTEN_NATS = 0.5  # more than this is much
KEPT_NATS = 0.1  # less than this is nothing


def experiment(page: LabPage) -> None:
    part = page.choice("part", ("run", *STAGES), "run")
    page.caption(f"part.{part}")
    STAGES.get(part, own_run)(page)


def own_run(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("forgetting", options=("kept", "some", "much"))
    page.job(tune.tune, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> TuneConfig:
    name = page.choice("method", METHODS, DEFAULT.method.name, style="pills")
    page.caption(f"method.{name}")
    left, right = st.columns(2)
    with left:
        task = page.choice("task", NEW_TASKS, DEFAULT.task)
        sized = name not in ("ia3", "full")
        size = _maybe(page, sized, "size", SIZES, str(DEFAULT.method.size))
    with right:
        part = page_part(page, name in LOW_RANK)
        alpha = _maybe(page, name in LOW_RANK, "alpha", ALPHAS, f"{DEFAULT.method.alpha:.0f}")
    with st.expander(page.text("more"), key="lora-more"):
        left, right = st.columns(2)
        with left:
            rate = page.choice("learning_rate", RATES, "0.01", style="slide", label=str)
            steps = page.slider("steps", 25, 600, DEFAULT.steps, 25)
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
        with right:
            dropout = page.slider("dropout", 0, 50, 0, 5)
            replay = page.slider("replay", 0, 50, 0, 5)
    method = Method(name, int(size), float(alpha), dropout / 100, part)
    return TuneConfig(plain(method), task, float(rate), steps, replay / 100, seed)


def _maybe(page: LabPage, shown: bool, knob: str, options: Sequence[str], default: str) -> str:
    """A knob that keeps its value while a method has no use for it."""
    if shown:
        return page.choice(knob, options, default, style="slide", label=str)
    with page.controls.aside():
        return page.choice(knob, options, default, style="slide", label=str)


def page_part(page: LabPage, shown: bool) -> str:
    if shown:
        return page.choice("matrices", tuple(PARTS), DEFAULT.method.part)
    with page.controls.aside():
        return page.choice("matrices", tuple(PARTS), DEFAULT.method.part)


def plain(method: Method) -> Method:
    """Without the settings that the method does not read, so that equal runs are known as equal."""
    if method.name in LOW_RANK:
        return method
    return Method(method.name, method.size if method.name in (*VIRTUAL, "adapter") else 8)


def draw(page: LabPage, config: TuneConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("default", TuneResult)
        page.caption("job.recorded")
        draw_course(page, config, recorded.result.looks, recorded.provenance)
        draw_end(page, config, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        draw_course(page, config, view.result.looks, MEASURED)
        page.reveal(guess, forgetting(view.result.looks))
        draw_end(page, config, view.result, MEASURED)
    elif view.events:
        draw_course(page, config, view.events, MEASURED)


def draw_course(
    page: LabPage, config: TuneConfig, looks: Sequence[Look], source: Provenance
) -> None:
    first, last = looks[0], looks[-1]
    floor = page.recording("frontier", Frontier).result.floor_nats
    numbers = {
        "new_before": first.new_nats, "new": last.new_nats, "floor": floor,
        "old_before": first.old_nats, "old": last.old_nats,
    }  # fmt: skip
    said = {name: f"{value:.2f}" for name, value in numbers.items()}
    st.markdown(page.text("outcome", step=last.step, **said))
    page.figure(charts.course(looks, config, floor, page.text), source, "course")


def forgetting(looks: Sequence[Look]) -> str:
    """What became of the way of telling that the teller knew."""
    rise = looks[-1].old_nats - looks[0].old_nats
    return "kept" if rise < KEPT_NATS else "some" if rise < FORGOTTEN_NATS else "much"


def draw_end(page: LabPage, config: TuneConfig, result: TuneResult, source: Provenance) -> None:
    st.markdown(page.text("told.both_ways"))
    st.code(f"{result.told}\n→ {result.plain}", language=None, wrap_lines=True)
    full = page.recording("frontier", Frontier).result.cases["cipher"]["full"]
    share = f"{result.parameters / full.parameters:.1%}"
    st.markdown(
        page.text(
            "cost", parameters=f"{result.parameters:,}", share=share,
            milliseconds=f"{1000 * result.cpu_seconds / max(1, result.looks[-1].step):.1f}",
        )
    )  # fmt: skip
    bars = {page.text(f"option.method.{config.method.name}"): result.memory}
    bars |= {page.text("option.method.full"): full.memory}
    page.figure(charts.memory(bars, page.text), source, "memory")
    take_home(page, config, result)


def take_home(page: LabPage, config: TuneConfig, result: TuneResult) -> None:
    """The adapter and the base, in the files that peft and transformers read."""
    name = config.method.name
    with st.container(horizontal=True):
        st.download_button(
            page.text("take.full" if name == "full" else "take.adapter"), result.adapter,
            file_name=f"{'teller-tuned' if name == 'full' else f'{name}-{config.task}'}.zip",
            mime="application/zip", icon=":material/download:", on_click="ignore",
            key="lora.take.adapter",
        )  # fmt: skip
        st.download_button(
            page.text("take.base"), lambda: peft_files.zipped(peft_files.base_files()),
            file_name="teller.zip", mime="application/zip", icon=":material/download:",
            on_click="ignore", key="lora.take.base",
        )  # fmt: skip
    about = {"full": "take.about.full", "adapter": "take.about.adapter"}
    page.caption(about.get(name, "take.about"))
    if name not in about:
        st.code(LOADING, language="python", wrap_lines=True)


def notebook(config: TuneConfig) -> Sequence[str]:
    return (
        "from labcore.tuning import tune as lab\n"
        "from labcore.tuning.methods import Method\n\n"
        f"result = lab.run(lab.TuneConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        '    print(f"step {look.step:3}: new {look.new_nats:.3f}, old {look.old_nats:.3f} nats, "\n'
        '          f"floor {result.floor_nats:.3f}")',
        'from pathlib import Path\n\nPath("adapter.zip").write_bytes(result.adapter)',
    )
