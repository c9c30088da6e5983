"""Build and train your own: the architecture's knobs, a live run, and a walk back through it."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app import catalog, model_picker
from app.charts import training as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import ANALYTIC, MEASURED, Provenance
from labcore.architecture import build_train as lab
from labcore.architecture.build_train import BuildTrainConfig, BuildTrainResult, Snapshot
from labcore.architecture.build_train_corpus import CORPORA, OWN_TEXT_LIMIT, world
from labcore.model.counting import parameter_total
from labcore.training.loop import train, update
from labcore.training.objectives import mean_token_loss
from labcore.training.schedule import learning_rate

SHOWN = (lab.build_and_train, train, update, mean_token_loss, learning_rate)

WIDTHS = ("16", "32", "64", "96", "128")
HEADS = ("1", "2", "4", "8")
RATES = ("0.00001", "0.0003", "0.001", "0.003", "0.005", "0.01", "0.03", "0.1", "1.0")
KINDS = ("decoder", "encoder", "encoder_decoder")
POSITIONS = ("rope", "learned", "sinusoidal", "alibi", "t5", "none")
ACTIVATIONS = ("gelu", "relu", "swiglu")
NEAR, FAR = 0.05, 0.5  # nats above the recorded run: as good, a little worse
SNAPSHOTS = 10  # looks at the model in the course of a run
DEFAULT = BuildTrainConfig()


def experiment(page: LabPage) -> None:
    config = knobs(page)
    say_size(page, config)
    double = page.predict("double", low=1.0, high=8.0, step=0.1, unit="×")
    page.reveal(double, growth(config))
    guess = page.predict("loss", low=0.0, high=8.0, step=0.05, unit=page.text("unit.nats"))

    def picture(view: JobView | None) -> None:
        draw(page, config, view, guess)
        if view is None or not view.live:
            ask_without(page, config, view)

    page.job(lab.build_and_train, config, picture)
    page.offer_notebook(*notebook(config))


# What is asked.


def growth(config: BuildTrainConfig) -> float:
    """How many times the parameters the blocks have in twice the width."""
    return blocks(replace(config, hidden_size=2 * config.hidden_size)) / blocks(config)


def blocks(config: BuildTrainConfig) -> int:
    """Parameters without the table of tokens."""
    vocabulary = world().tokenizer.vocab_size
    return parameter_total(config.model(vocabulary)) - vocabulary * config.hidden_size


def ask_without(page: LabPage, config: BuildTrainConfig, view: JobView | None) -> None:
    """What to try next: the same run without positions, to be told how it ends beside the recorded one."""
    guess = page.predict("without", options=("like", "worse", "far"))
    if view is not None and view.result is not None and without_positions(config):
        page.reveal(guess, beside_rope(page, view.result))


def without_positions(config: BuildTrainConfig) -> bool:
    """The recorded run's settings, but for its positions and its seed."""
    return replace(config, seed=DEFAULT.seed) == replace(DEFAULT, positions="none")


def beside_rope(page: LabPage, result: BuildTrainResult) -> str:
    """How much higher a run ends than the recorded one."""
    usual = page.recording("default", BuildTrainResult).result.validation_nats[-1]
    lost = float(result.validation_nats[-1] - usual)
    return "like" if lost < NEAR else "worse" if lost < FAR else "far"


# The knobs.


def knobs(page: LabPage) -> BuildTrainConfig:
    left, right = st.columns(2)
    with left:
        kind = page.choice("kind", KINDS, DEFAULT.kind)
        layers = page.slider("num_layers", 1, 4, DEFAULT.num_layers)
        heads = page.choice("num_heads", HEADS, str(DEFAULT.num_heads), label=str)
    with right:
        corpora = ("world-both",) if kind == "encoder_decoder" else CORPORA
        corpus = page.choice("corpus", corpora, DEFAULT.corpus)
        width = page.choice("hidden_size", WIDTHS, str(DEFAULT.hidden_size), label=str)
        positions = page.choice("positions", POSITIONS, DEFAULT.positions, style="select")
    own_text = ""
    if corpus == "own":
        own_text = page.text_area("own_text", "", OWN_TEXT_LIMIT, lines=6)
    with st.expander(page.text("more"), key="training-more"):
        details = more_knobs(page, int(heads))
    return BuildTrainConfig(
        kind=kind, num_layers=layers, num_heads=int(heads), hidden_size=int(width),
        positions=positions, corpus=corpus, own_text=own_text, **details,
    )  # fmt: skip


def more_knobs(page: LabPage, heads: int) -> dict:
    left, right = st.columns(2)
    with left:
        shared = [str(count) for count in (1, 2, 4, 8) if count <= heads]
        groups = page.choice("num_key_value_heads", shared, shared[-1], label=str)
        norm = page.choice("norm", ("layernorm", "rmsnorm"), DEFAULT.norm)
        placement = page.choice("norm_placement", ("pre", "post"), DEFAULT.norm_placement)
        activation = page.choice("activation", ACTIVATIONS, DEFAULT.activation)
    with right:
        rate = page.choice(
            "learning_rate", RATES, str(DEFAULT.learning_rate), style="select", label=str
        )
        schedule = page.choice("schedule", ("cosine", "linear", "constant"), DEFAULT.schedule)
        steps = page.slider("steps", 50, 2000, DEFAULT.steps, 50)
        batch = page.slider("batch_size", 4, 64, DEFAULT.batch_size, 4)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return {
        "num_key_value_heads": None if int(groups) == heads else int(groups), "norm": norm,
        "norm_placement": placement, "activation": activation, "learning_rate": float(rate),
        "schedule": schedule, "steps": steps, "batch_size": batch, "seed": seed,
        "snapshot_every": max(5, steps // SNAPSHOTS),
    }  # fmt: skip


def say_size(page: LabPage, config: BuildTrainConfig) -> None:
    """How large the model will be, before anything is trained."""
    vocabulary = world().tokenizer.vocab_size
    total = parameter_total(config.model(vocabulary))
    table = vocabulary * config.hidden_size
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            page.text("size", total=f"{total:,}", table=f"{table:,}", rest=f"{total - table:,}"),
            width="content",
        )
        page.badge(ANALYTIC)


# The pictures.


def draw(
    page: LabPage, config: BuildTrainConfig, view: JobView | None, guess: Guess | None
) -> None:
    """The run as far as it is; before any run, the recorded one of the default settings."""
    if view is None:
        if config == DEFAULT:
            recording = page.recording("default", BuildTrainResult)
            page.caption("job.recorded")
            draw_result(page, config, recording.result, recording.provenance, guess)
        else:
            page.caption("press_run")
    elif view.result is not None:
        draw_result(page, config, view.result, MEASURED, guess)
        reveal(page, view.result, guess)
        take_home(page, view.result)
    elif view.events:
        course = charts.course_of_events(view.events)
        draw_course(page, course, config.steps, MEASURED, guess)
        say_sample(page, [event.snapshot for event in view.events if event.snapshot][-1])
        if view.events[-1].diverged:
            st.warning(page.text("diverged"), icon=":material/trending_up:")


def draw_course(
    page: LabPage, course: charts.Course, steps: int, source: Provenance, guess: Guess | None
) -> None:
    point = None if guess is None else (steps, guess.value)
    page.figure(charts.losses(course, steps, page.text, point), source, "losses")
    if len(course.steps):
        page.figure(charts.pulse(course, steps, page.text), source, "pulse")


def draw_result(
    page: LabPage, config: BuildTrainConfig, result: BuildTrainResult, source: Provenance,
    guess: Guess | None,
) -> None:  # fmt: skip
    """The finished run, and the learner's way back through it."""
    draw_course(page, charts.course_of_result(result), len(result.loss_nats), source, guess)
    if result.diverged:
        st.warning(page.text("diverged"), icon=":material/trending_up:")
    page.part(draw_moment, page, config, result, source)


def draw_moment(
    page: LabPage, config: BuildTrainConfig, result: BuildTrainResult, source: Provenance
) -> None:
    """What the model said and where it looked, at the step that the learner chooses."""
    st.subheader(page.text("scrub"), anchor=False)
    left, right = st.columns(2)
    steps = [str(snapshot.step) for snapshot in result.snapshots]
    with left:
        moment = page.choice("moment", steps, steps[-1], style="slide", label=str)
    with right:
        layer = page.slider("layer", 0, len(result.snapshots[0].attention) - 1, 0)
    snapshot = result.snapshots[steps.index(moment)]
    say_sample(page, snapshot)
    draw_maps(page, config, result, snapshot, layer, source)


def draw_maps(
    page: LabPage, config: BuildTrainConfig, result: BuildTrainResult, snapshot: Snapshot,
    layer: int, source: Provenance,
) -> None:  # fmt: skip
    probe = result.probe_tokens
    causal = config.kind != "encoder"
    page.figure(charts.maps(snapshot, layer, probe, probe, page.text, causal), source, "maps")
    if snapshot.cross_attention is not None:
        keys = result.context_tokens
        figure = charts.maps(snapshot, layer, probe, keys, page.text, False, cross=True)
        page.figure(figure, source, "cross")


def say_sample(page: LabPage, snapshot: Snapshot) -> None:
    """What the model says at this step; its text is shown as text and nothing else."""
    st.markdown(page.text("sample", step=snapshot.step))
    st.code(snapshot.sample or " ", language=None, wrap_lines=True)


def reveal(page: LabPage, result: BuildTrainResult, guess: Guess | None) -> None:
    page.reveal(guess, float(result.validation_nats[-1]), tolerance=0.15)


def take_home(page: LabPage, result: BuildTrainResult) -> None:
    """The weights as a file, and the way with them into labs 1 and 2."""
    data = result.checkpoint.tobytes()
    with st.container(horizontal=True, key="training-weights"):
        st.download_button(
            page.text("weights.download", size=f"{len(data) / 1e6:.1f}"), data, on_click="ignore",
            file_name="my-transformer.safetensors", icon=":material/download:",
            key="training.weights",
        )  # fmt: skip
        for lab_id in ("dataflow", "attention"):
            asked = st.button(
                page.text("weights.open", lab=page.text(f"lab.{lab_id}")),
                icon=":material/open_in_new:", key=f"training.open.{lab_id}",
            )  # fmt: skip
            if asked:
                open_in(page, lab_id, data)


def open_in(page: LabPage, lab_id: str, data: bytes) -> None:
    query = {"lang": page.text.language, "lab": lab_id, "model": model_picker.adopt(data)}
    st.switch_page(catalog.chapter("transformer").page, query_params=query)


def notebook(config: BuildTrainConfig) -> Sequence[str]:
    """The same run with labcore alone."""
    changed = [f"    {field}," for field in changed_fields(config)]
    settings = "\n".join(["config = lab.BuildTrainConfig(", *changed, ")"])
    return (
        f"from labcore.architecture import build_train as lab\n\n{settings}\nresult = lab.run(config)",
        "import pandas as pd\n\n"
        'pd.DataFrame({"step": result.validation_steps, "validation nats": result.validation_nats})',
        "print(result.floor_nats, result.parameters, result.seconds)\n"
        "for snapshot in result.snapshots:\n    print(snapshot.step, snapshot.sample)",
    )
