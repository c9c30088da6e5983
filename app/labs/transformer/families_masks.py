"""Part 1: who may look at whom, and what a swapped token really changes."""

import streamlit as st

from app.charts import families as charts
from app.page import LabPage
from app.provenance import ANALYTIC, COMPUTED
from labcore.architecture import families_masks as lab
from labcore.architecture.families_masks import MasksConfig, MasksResult, PaddingConfig

TEXT_LIMIT = lab.MOST_CHARACTERS
DEFAULT = MasksConfig()
ASKED_WINDOW = 3  # what the prediction is about


def draw(page: LabPage) -> None:
    config = knobs(page)
    result = page.run(lab.run, config)
    take_clicks(page)
    left, right = st.columns(2)
    with left:
        layer = page.slider("layers", 1, len(result.change), len(result.change)) - 1
    with right:
        token = pick_token(page, result)
    if result.dropped_tokens:
        page.caption("cut", most=lab.MOST_TOKENS, dropped=result.dropped_tokens)
    guess = None
    if config.shape == "causal":
        guess = page.predict("window", options=("2", "4", "8", "all"))
    left, right = st.columns(2)
    with left:
        page.figure(charts.mask_map(result, page.text), ANALYTIC, "mask")
    with right:
        page.figure(charts.change_map(result, layer, page.text), COMPUTED, "change")
    say_agreement(page, result)
    say_reach(page, result, layer, token)
    page.figure(charts.cone(result, token, page.text), COMPUTED, "cone")
    if config.window == ASKED_WINDOW:
        page.reveal(guess, how_far(result))
    if config.shape != "encoder_decoder":
        draw_padding(page, config)
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> MasksConfig:
    """Only the knobs that the chosen mask has."""
    shape = page.choice("shape", tuple(lab.MODELS), DEFAULT.shape)
    page.caption(f"shape.{shape}")
    pair = shape == "encoder_decoder"
    names = ("source", "target") if pair else ("first", "second")
    texts = []
    for column, name in zip(st.columns(2), names, strict=True):
        with column:
            texts.append(page.text_area(name, page.text(f"default.{name}"), TEXT_LIMIT))
    if pair:
        return MasksConfig(shape, *texts)
    columns = st.columns([2, 2, 3])
    with columns[0]:
        row = page.choice("row", ("first", "second"), "second")
    with columns[1]:
        side = page.choice("side", lab.SIDES, DEFAULT.side)
    with columns[2]:
        window, prefix = DEFAULT.window, DEFAULT.prefix
        if shape == "prefix":
            prefix = page.slider("prefix", 0, lab.MOST_TOKENS, DEFAULT.prefix)
        else:
            window = page.slider("window", 0, lab.LONGEST_WINDOW, DEFAULT.window)
    hide = page.toggle("hide_padding", True)
    return MasksConfig(shape, *texts, ("first", "second").index(row), side, hide, window, prefix)


def take_clicks(page: LabPage) -> None:
    """A click on a row of either table chooses the token to follow."""
    for key in ("mask", "change"):
        if cell := page.clicked(key):
            page.controls.set("token", str(cell["row"]))


def pick_token(page: LabPage, result: MasksResult) -> int:
    """The token to follow; at first the last real one."""
    places = [str(place) for place in range(len(result.labels))]
    last = max(place for place, real in enumerate(result.real) if real)
    return int(
        page.choice(
            "token", places, str(last), style="select",
            label=lambda place: f"{place} · {result.labels[int(place)]}",
        )
    )  # fmt: skip


def say_agreement(page: LabPage, result: MasksResult) -> None:
    cells = result.reach.size
    key = "agree.all" if result.agreeing == cells else "agree.some"
    page.caption(key, agreeing=result.agreeing, cells=cells)


def say_reach(page: LabPage, result: MasksResult, layer: int, token: int) -> None:
    st.markdown(
        page.text(
            "reached", token=token, seen=int(result.allowed[token].sum()), layers=layer + 1,
            heard=int(result.reach[layer, token].sum()), tokens=len(result.labels),
        )
    )  # fmt: skip


def how_far(result: MasksResult) -> str:
    """From how many tokens back the last real token has heard in the end; "all" if from its first."""
    heard = result.change[-1][result.real][-1] > lab.NOTHING
    back = int(heard[result.real].sum()) - 1
    return "all" if heard[result.real].all() else str(back)


def draw_padding(page: LabPage, config: MasksConfig) -> None:
    """The same two texts, whatever the knobs: what padding does if attention may see it."""
    result = page.run(lab.padding, PaddingConfig(config.first, config.second))
    st.subheader(page.text("padding.title"), anchor=False)
    st.markdown(page.text("padding.about", padding=result.padding))
    if result.padding:
        page.figure(charts.padding_bars(result, page.text), COMPUTED, "padding")


def notebook(config: MasksConfig) -> tuple[str, ...]:
    return (
        "from labcore.architecture import families_masks as lab\n\n"
        f"config = lab.{config!r}\nresult = lab.run(config)\n"
        "print(result.labels)\nprint(result.allowed.astype(int))",
        "# After the last layer: whose vector (row) moves when which token (column) is swapped?\n"
        "import pandas as pd\n\n"
        "pd.DataFrame(result.change[-1], result.labels, result.labels).round(2)",
        "print(result.agreeing, 'of', result.reach.size, 'cells as the mask says')\n"
        f"lab.padding(lab.PaddingConfig({config.first!r}, {config.second!r}))",
    )
