"""The walk: a learner's sentence, stop by stop, through the matrices of a real model."""

import streamlit as st

from app import model_picker
from app.charts import blueprint
from app.charts import dataflow as charts
from app.charts.blueprint_names import dims
from app.labs.transformer import dataflow_lens, dataflow_next
from app.labs.transformer.dataflow_place import (
    NEXT,
    TOKENS,
    Look,
    Place,
    in_layers,
    is_weight,
    lens_positions,
    read_lens,
    stops_of,
    title,
    trace_name,
)
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import dataflow as lab
from labcore.architecture.ledger import ledger
from labcore.architecture.weights import weight_matrix
from labcore.zoo import LoadedModel

TEXT_LIMIT = 2000
MOST_ROWS, MOST_COLUMNS = (
    128,
    256,
)  # of a matrix in one picture; a larger one is shown window by window
ASKED = "asked"  # the position at which the model is asked: the first mask, else the last token


def draw(page: LabPage) -> None:
    config = read_config(page)
    if config is None:
        return
    loaded = page.model(config.model)
    walk = page.run(lab.run, config)
    take_clicks(page, walk)
    chips = st.container()
    left, right = st.columns([3, 2])
    with left:
        view = page.choice("view", tuple(VIEWS), "steps")
    with right:
        position = pick_position(page, walk)
    with chips:
        place = place_of(page, config, loaded, walk, position)
    VIEWS[view](page, place)
    offer_notebook(page, config)


# What is read.


def read_config(page: LabPage) -> lab.DataflowConfig | None:
    left, right = st.columns([3, 2])
    with right:
        name = model_picker.pick(page)
        target = ""
        if name and page.model(name).card.kind == "encoder_decoder":
            target = page.text_area("target", "", TEXT_LIMIT, lines=1)
    with left:
        kind = page.model(name).card.kind if name else "decoder"
        text = page.text_area("text", page.text(f"default.{kind}"), TEXT_LIMIT, lines=3)
    return lab.DataflowConfig(name, text, target) if name else None


def take_clicks(page: LabPage, walk: lab.Walk) -> None:
    """A click on a token, a step, a layer or a cell of the lens turns the knobs."""
    if token := page.clicked("tokens"):
        page.controls.set("position", option_of(walk, token["token"]))
    if cell := page.clicked("lens"):
        shown = lens_positions(walk, position_of(walk, st.session_state.get("dataflow.position")))
        if cell["column"] < len(shown):
            page.controls.set("position", option_of(walk, shown[cell["column"]]))
    if choice := page.clicked("overview"):
        if "step" in choice:
            page.controls.set("stop", choice["step"])
        else:
            page.controls.set("layer", choice["layer"])
            if not in_layers(st.session_state.get("dataflow.stop", NEXT)):
                page.controls.set("stop", "resid_post")


def pick_position(page: LabPage, walk: lab.Walk) -> int:
    """The token that the lesson looks at: a knob, also turned by a click in the text."""
    labels = charts.numbered(walk.tokens.labels)
    options = [ASKED, *(str(i) for i in range(len(labels)) if i != walk.position)]
    chosen = page.choice(
        "position", options, ASKED, style="select",
        label=lambda option: labels[position_of(walk, option)],
    )  # fmt: skip
    return position_of(walk, chosen)


def position_of(walk: lab.Walk, option: str | None) -> int:
    """The position that an option of the knob stands for; one left by a longer text is not there."""
    there = option not in (None, ASKED) and int(option) < len(walk.tokens.ids)
    return int(option) if there else walk.position


def option_of(walk: lab.Walk, position: int) -> str:
    return ASKED if position == walk.position else str(position)


def place_of(
    page: LabPage, config: lab.DataflowConfig, loaded: LoadedModel, walk: lab.Walk, position: int
) -> Place:
    """The tokens as the model reads them, each with what the model expects next."""
    lens = None
    if "logits" in walk.arrays:
        lens = page.run(read_lens, Look(config, lens_positions(walk, position)))
    if walk.context:
        page.figure(charts.source_chips(walk.context, page.text), COMPUTED, "source")
    title = page.text("figure.written") if walk.context else None
    figure = charts.token_chips(walk, lens, position, page.text)
    page.figure(figure, COMPUTED, "tokens", title=title)
    say_what_was_cut(page, walk)
    return Place(config, loaded, walk, position, lens)


def say_what_was_cut(page: LabPage, walk: lab.Walk) -> None:
    for prompt in filter(None, (walk.context, walk.tokens)):
        if prompt.dropped_tokens:
            page.caption("cut.tokens", kept=len(prompt.ids), dropped=prompt.dropped_tokens)
        if prompt.dropped_characters:
            page.caption("cut.characters", dropped=prompt.dropped_characters)
    if walk.config.kind == "encoder" and "logits" in walk.arrays and not walk.masked:
        page.caption("mask.none")


# Stop by stop.


def draw_steps(page: LabPage, place: Place) -> None:
    """The overview on the left, the chosen stop on the right; side by side stacks need the width."""
    wide = place.walk.config.kind == "encoder_decoder"
    left, right = (st.container(), st.container()) if wide else st.columns([10, 11], gap="medium")
    with right:
        stop, layer = pick_stop(page, place)
    with left:
        draw_overview(page, place, stop, layer)
    with right:
        draw_stop(page, place, stop, layer)


def pick_stop(page: LabPage, place: Place) -> tuple[str, int]:
    stops = stops_of(place.walk, place.loaded)
    first = NEXT if NEXT in stops else TOKENS
    stop = page.choice(
        "stop", stops, first, style="select", label=lambda stop: title(stop, page.text)
    )
    config = place.walk.config
    count = config.encoder_layers if stop.startswith("encoder.") else config.num_layers
    if not in_layers(stop):
        return stop, min(st.session_state.get("dataflow.layer", 0), count - 1)
    return stop, page.slider("layer", 0, count - 1, 0)


def draw_overview(page: LabPage, place: Place, stop: str, layer: int) -> None:
    walk = place.walk
    context = len(walk.context.ids) if walk.context else None
    bill = ledger(walk.config, len(walk.tokens.ids), context=context)
    stops = stops_of(walk, place.loaded)
    figure = blueprint.picture(
        bill, page.text, alt=page.text("alt.overview", layers=walk.config.num_layers),
        stops=stops, selected=stop, layer=layer,
    )  # fmt: skip
    page.figure(figure, COMPUTED, "overview")


def draw_stop(page: LabPage, place: Place, stop: str, layer: int) -> None:
    """What the model computed there."""
    if stop == NEXT:
        page.part(dataflow_next.draw, page, place)
    elif stop in (TOKENS, "encoder.tokens"):
        draw_tokens(page, place, stop)
    elif is_weight(stop):
        draw_weight(page, place, stop, layer)
    else:
        draw_matrix(page, place, stop, layer)


def draw_tokens(page: LabPage, place: Place, stop: str) -> None:
    st.markdown(page.text("step.tokens.about"))
    tokens = place.walk.tokens if stop == TOKENS else place.walk.context
    st.dataframe(charts.token_table(tokens, page.text), hide_index=True, height=460)


def draw_matrix(page: LabPage, place: Place, stop: str, layer: int) -> None:
    """An intermediate with its true values; of one that each head has, one head's."""
    walk, name = place.walk, trace_name(stop, layer)
    inner = stop.removeprefix("encoder.").replace("cross.", "attn.")
    st.markdown(page.text(f"step.{inner}.about"))
    if stop.startswith("cross."):
        page.caption("step.cross.about")
    head = 0
    if walk.arrays[name].ndim == 3 and len(walk.arrays[name]) > 1:
        head = page.slider("head", 0, walk.config.num_heads - 1, 0)
    if stop == "logits":
        candidates = lab.next_token(walk, place.loaded.tokenizer, place.position)
        figure = charts.matrix(charts.logits(walk, candidates), name, page.text)
    else:
        figure = matrix_figure(page, walk, lab.view(walk, name, head))
    page.figure(figure, COMPUTED, "matrix", title=heading(page, stop, layer, head))


def matrix_figure(page: LabPage, walk: lab.Walk, matrix: lab.Matrix):
    first, last = window(page, "channels", matrix.values.shape[1], MOST_COLUMNS)
    if matrix.columns is None:
        matrix = lab.Matrix(matrix.name, matrix.values[:, first:last], matrix.rows, None)
    mask = None
    if matrix.name.endswith((".scores", ".weights")):
        mask = walk.arrays[matrix.name.rsplit(".", 1)[0] + ".mask"][0]
    return charts.matrix(matrix, matrix.name, page.text, first, mask)


def draw_weight(page: LabPage, place: Place, stop: str, layer: int) -> None:
    """A learned matrix, the same for every text."""
    st.markdown(page.text("step.weight.about"))
    name = stop.replace("*", str(layer))
    whole = weight_matrix(place.loaded, name)
    top, bottom = window(page, "rows", whole.values.shape[0], MOST_ROWS)
    first, last = window(page, "channels", whole.values.shape[1], MOST_COLUMNS)
    part = weight_matrix(place.loaded, name, slice(top, bottom), slice(first, last))
    title = f"{name} · {dims(whole.values.shape)}"
    page.figure(charts.matrix(part, name, page.text, first), COMPUTED, "matrix", title=title)


def window(page: LabPage, knob: str, size: int, most: int) -> tuple[int, int]:
    """The part of an axis that is shown: all of it if it fits, else from where the knob says."""
    if size <= most:
        return 0, size
    first = page.slider(knob, 0, size - most, 0, step=most // 2)
    return first, first + most


def heading(page: LabPage, stop: str, layer: int, head: int) -> str:
    name = title(stop, page.text)
    if in_layers(stop):
        name += " · " + page.text("layer", number=layer)
    return name + (" · " + page.text("figure.head", number=head) if head else "")


def offer_notebook(page: LabPage, config: lab.DataflowConfig) -> None:
    page.offer_notebook(
        "from labcore import zoo\n"
        "from labcore.architecture import dataflow, lens\n\n"
        f"config = dataflow.{config!r}\n"
        "loaded = zoo.load(config.model)\n"
        "walk = dataflow.run_model(loaded, config)\n"
        "for label, piece in zip(walk.tokens.labels, walk.tokens.pieces):\n"
        "    print(f'{label!r:>16} {piece.hex(\" \")}')",
        "for name, array in walk.arrays.items():\n    print(f'{name:<32} {array.shape}')",
        "if 'logits' in walk.arrays:\n"
        "    said = dataflow.next_token(walk, loaded.tokenizer, temperature=0.8, top_k=10)\n"
        "    for label, before, after in zip(said.labels, said.before, said.after):\n"
        "        print(f'{label!r:>16} {before:.3f} {after:.3f}')",
        "if 'logits' in walk.arrays:\n"
        "    seen = lens.logit_lens(loaded.model, loaded.tokenizer, walk)\n"
        "    for stage, row, rank in zip(seen.stages, seen.labels, seen.answer_rank):\n"
        "        print(f'{stage:<24} {row[0][0]!r:>16} rank of the answer: {rank[0]}')",
    )


VIEWS = {
    "steps": draw_steps,
    "lens": dataflow_lens.draw_lens,
    "credit": dataflow_lens.draw_credit,
    "paths": dataflow_lens.draw_paths,
}
