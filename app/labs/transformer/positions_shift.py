"""The learner's sentence moved by k places: who notices?"""

import streamlit as st

from app import model_picker
from app.charts import positions as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import positions_shift as lab
from labcore.architecture.positions_length import ENCODINGS
from labcore.architecture.positions_shift import Moved, ShiftConfig, ShiftResult

TEXT_LIMIT = 500
SIGHT = 1e-3  # a change of a score below this is rounding; the largest shift leaves 5e-5
TOLD_PLACES = {"sinusoidal", "learned"}
ONE_STACK_ONLY = ("world-translator",)


def draw(page: LabPage) -> None:
    left, right = st.columns([3, 2])
    with left:
        text = page.text_area("text", page.text("default.text"), TEXT_LIMIT, lines=3)
    with right:
        who = page.choice("who", ("untrained", "model"), "untrained")
        offsets = [str(offset) for offset in lab.OFFSETS]
        offset = int(page.choice("offset", offsets, "16", style="slide", label=str))
    model, seed = "", 0
    if who == "model":
        model = model_picker.pick(page, "world-decoder", but=ONE_STACK_ONLY)
        if model is None:
            return
        page.model(model)
    config = ShiftConfig(text, offset, model, seed)
    result = page.run(lab.run, config)
    if result.dropped_tokens:
        page.caption("cut.tokens", kept=len(result.tokens), dropped=result.dropped_tokens)
    if len(result.moved) == 1 or noticed(page, result, offset):
        if len(result.moved) > 1:  # alone, rounding would fill the whole axis
            page.figure(charts.changes(result, page.text), COMPUTED, "changes")
        moved = pick(page, result)
        say(page, moved, offset)
        draw_maps(page, result, moved)
    offer_notebook(page, config)


def noticed(page: LabPage, result: ShiftResult, offset: int) -> bool:
    """Ask who notices a move, and tell it; whether the pictures may show it."""
    guess = page.predict("who", options=("absolute", "rotated", "all"))
    if offset:
        page.reveal(guess, who_noticed(result))
    return guess is not None or page.toggle("unveil", False)


def who_noticed(result: ShiftResult) -> str:
    """Only those that are told a place each; RoPE too, which turns by the place; or more still."""
    names = {moved.encoding for moved in result.moved if moved.score_change > SIGHT}
    return (
        "absolute"
        if names <= TOLD_PLACES
        else "rotated"
        if names <= {*TOLD_PLACES, "rope"}
        else "all"
    )


def pick(page: LabPage, result: ShiftResult) -> Moved:
    """Which of the six is drawn; a model of the zoo is alone."""
    if len(result.moved) == 1:
        return result.moved[0]
    chosen = page.choice("encoding", ENCODINGS, "learned", style="pills")
    return next(moved for moved in result.moved if moved.encoding == chosen)


def say(page: LabPage, moved: Moved, offset: int) -> None:
    st.markdown(
        page.text(
            "shift.noticed" if moved.score_change > SIGHT else "shift.unnoticed",
            encoding=charts.name_of(moved.encoding, page.text), offset=offset,
            score=charts.size(moved.score_change), weight=charts.size(moved.weight_change),
            output=charts.size(moved.output_change),
        )
    )  # fmt: skip


def draw_maps(page: LabPage, result: ShiftResult, moved: Moved) -> None:
    """One head before and after, and the difference."""
    layers, heads = moved.before.shape[:2]
    left, right = st.columns(2)
    with left:
        layer = page.slider("layer", 0, layers - 1, 0)
    with right:
        head = page.slider("head", 0, heads - 1, 0)
    high = float(max(moved.before[layer, head].max(), moved.after[layer, head].max()))
    before, after = st.columns(2)
    with before:
        figure = charts.one_map(moved.before[layer, head], high, result, "before", page.text)
        page.figure(figure, COMPUTED, "before")
    with after:
        figure = charts.one_map(moved.after[layer, head], high, result, "after", page.text)
        page.figure(figure, COMPUTED, "after")
    change = charts.difference(moved, layer, head)
    # At least a hundredth: rounding must not be blown up into a picture.
    most = max(0.01, moved.weight_change)
    figure = charts.one_map(change, most, result, "difference", page.text, signed=True)
    page.figure(figure, COMPUTED, "difference")


def offer_notebook(page: LabPage, config: ShiftConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import positions_shift as lab\n\n"
        f"result = lab.run(lab.{config!r})\n"
        "for moved in result.moved:\n"
        "    print(moved.encoding, moved.score_change, moved.weight_change, moved.output_change)"
    )
