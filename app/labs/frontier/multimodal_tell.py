"""A language model that reads pictures: what it says, where it looked, and how it was taught."""

import streamlit as st

from app.charts import vision_tell as charts
from app.job import JobView
from app.labs.frontier.multimodal_picture import colour_word, picture, shape_word
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.vision import reader_training as lab
from labcore.vision import telling
from labcore.vision.picture_reader import MODES
from labcore.vision.pictures import COLOURS, SHAPES
from labcore.vision.reader_study import ReaderStudy
from labcore.vision.reader_training import ReaderConfig, ReaderTrained
from labcore.vision.tellable import TASKS, question_about
from labcore.vision.telling import SHOWN, TellConfig

DEFAULT = ReaderConfig()
LAYERS, HEADS = 4, 4  # of the bundled language model
HEAD_NAMES = ("mean", *(str(one + 1) for one in range(HEADS)))


def experiment(page: LabPage) -> None:
    pixels = picture(page)
    if pixels is not None:
        written(page, pixels)
    st.divider()
    taught(page)


def written(page: LabPage, pixels: bytes) -> None:
    left, right = st.columns(2)
    with left:
        question = asked(page)
    with right:
        given = page.choice("given", SHOWN, SHOWN[0])
    config = TellConfig(pixels, question, page.text.language, given)
    told = page.run(telling.tell, config)
    if question:
        st.text(question)
    if told.text:
        st.code(told.text, language=None, wrap_lines=True)
    else:
        page.caption("tell.nothing")
    if not told.ended:
        page.caption("tell.cut")
    if told.tokens:
        left, right = st.columns(2)
        with left:
            layer = page.slider("layer", 1, LAYERS, 2)
        with right:
            head = page.choice("head", HEAD_NAMES, "mean", label=lambda one: head_name(page, one))
        number = None if head == "mean" else int(head) - 1
        page.figure(charts.word_looks(told, layer - 1, number, page.text), COMPUTED, "word_looks")
        with st.expander(page.text("tell.candidates"), key="multimodal-candidates"):
            st.dataframe(charts.candidates(told, page.text), hide_index=True)
    page.offer_notebook(
        "from labcore.vision import telling as lab\n\n"
        f"told = lab.tell(lab.TellConfig({', '.join(changed_fields(config))}))",
        "print(told.text)\nprint(told.weights.shape)  # tokens, layers, heads, patches",
    )


def head_name(page: LabPage, head: str) -> str:
    return page.text("option.head.mean") if head == "mean" else head


def asked(page: LabPage) -> str:
    """The question put to the reader; empty for a caption."""
    task = page.choice("task", TASKS, TASKS[0], label=lambda one: page.text(f"task.{one}"))
    if task == "caption":
        return ""
    if task == "colour":
        word = page.choice(
            "asked_shape", SHAPES, SHAPES[0], label=lambda one: shape_word(page, one)
        )
        return question_about(task, shape_word(page, word), page.text.language)
    word = page.choice(
        "asked_colour", COLOURS, COLOURS[0], style="pills", label=lambda one: colour_word(page, one)
    )
    return question_about(task, colour_word(page, word), page.text.language)


def taught(page: LabPage) -> None:
    page.caption("reader.about")
    guess = page.predict("blank", low=0.0, high=100.0, step=1.0, unit="%")
    left, middle, right = st.columns(3)
    with left:
        mode = page.choice("mode", MODES, DEFAULT.mode, label=lambda one: page.text(f"mode.{one}"))
    with middle:
        steps = page.slider("reader_updates", 50, 600, DEFAULT.steps, 50)
    with right:
        seed = page.number("reader_seed", 0, 9999, DEFAULT.seed)
    config = ReaderConfig(mode, steps, seed=seed)
    page.job(lab.learn, config, lambda view: draw(page, config, view, guess))
    kept = page.recording("modes", ReaderStudy)
    page.figure(charts.modes(kept.result, page.text), kept.provenance, "modes")
    trained = zip(kept.result.modes, kept.result.trained, strict=True)
    counts = {mode: f"{int(count):,}" for mode, count in trained}
    page.caption("modes.trained", steps=kept.result.steps, **counts)


def draw(page: LabPage, config: ReaderConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        kept = page.recording("reader", ReaderTrained)
        page.caption("job.recorded")
        outcome(page, kept.result, kept.provenance, guess)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED, guess if config == DEFAULT else None)
    elif view.events:
        page.figure(charts.so_far(view.events, page.text), MEASURED, "reader")


def outcome(page: LabPage, result: ReaderTrained, source: Provenance, guess: Guess | None) -> None:
    blank = 100 * float(result.controls[0, 1, 1])
    st.markdown(
        page.text(
            "reader.outcome", seen=f"{100 * result.right[-1, 0, 0]:.0f}",
            other=f"{100 * result.right[-1, 1, 0]:.0f}", colour=f"{100 * result.right[-1, 0, 1]:.0f}",
            blank=f"{blank:.0f}",
        )
    )  # fmt: skip
    page.reveal(guess, round(blank), tolerance=0.25)
    left, right = st.columns(2)
    with left:
        page.figure(charts.course(result.steps, result.right, page.text), source, "reader")
    with right:
        page.figure(charts.controls(result, page.text), source, "controls")
