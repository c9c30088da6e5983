"""The data-flow lab's screen: it opens on a walk, every stop of every kind of model has its picture,
and the drawing board's numbers are the ledger's."""

import json
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from app import notebook
from app.catalog import ROOT
from app.charts import blueprint, blueprint_names
from app.charts import dataflow as charts
from app.charts import ledger as cost_charts
from app.i18n import LANGUAGES, Words
from app.labs.transformer import dataflow_design, dataflow_lens, dataflow_place
from labcore import zoo
from labcore.architecture.context_cost import context_cost
from labcore.architecture.dataflow import DataflowConfig, Matrix, draw_many, next_token, run_model
from labcore.architecture.ledger import ledger
from labcore.architecture.lens import attribute, logit_lens
from labcore.model.config import MixtureOfExperts, ModelConfig
from labcore.model.counting import parameter_total
from labcore.model.presets import PRESETS
from labcore.model.transformer import Transformer
from labcore.zoo import Card, LoadedModel
from tests.app.conftest import checked, elements, open_page

EN = Words("en", "dataflow")
TEXT = EN("default.decoder")


def opened(language: str = "en", **knobs: str) -> AppTest:
    return checked(open_page("dataflow", language, **knobs))


def titles(app: AppTest) -> list[str]:
    """Markdown, without the badge that a figure's title ends with."""
    return [element.value.partition(" :")[0] for element in app.markdown]


def pictures(app: AppTest) -> list[str]:
    """The keys of the components drawn on the page."""
    return [element.proto.id.split(".figure.")[-1] for element in elements(app, "bidi_component")]


def random_model(kind: str = "decoder", **changes: object) -> LoadedModel:
    """A small random model of the lab's own family over the bundled vocabulary."""
    tokenizer = zoo.load("world-decoder").tokenizer
    config = ModelConfig(
        kind=kind, vocab_size=tokenizer.vocab_size, hidden_size=32, max_positions=96
    ).with_(**changes)
    model = Transformer(config, torch.Generator().manual_seed(0)).eval().requires_grad_(False)
    return LoadedModel(
        model, tokenizer, Card("random", kind, "lab", "bundled", "test", 0, None, ("en", "zh"))
    )


# The walk on the page.


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_tokens_the_overview_and_the_next_token(language):
    app = opened(language)
    words = Words(language, "dataflow")
    assert pictures(app) == ["tokens", "overview"]
    for key in ("tokens", "overview", "next"):
        assert f"**{words(f'figure.{key}')}**" in titles(app)
    loaded = zoo.load("world-decoder")
    walk = run_model(loaded, DataflowConfig(text=words("default.decoder")))
    entropy = f"{next_token(walk, loaded.tokenizer).entropy_before_nats:.2f}"
    assert any(entropy in caption.value for caption in app.caption)


def test_temperature_0_leaves_one_token_and_no_entropy():
    app = opened()
    app.slider(key="dataflow.temperature@en").set_value(0.0)
    checked(app.run())
    said = next(c.value for c in app.caption if c.value.startswith("Entropy"))
    assert said.endswith(EN("next.entropy", before="", after="0.00", kept="1").split(", ")[1])


@pytest.mark.parametrize(
    "stop",
    ["tokens", "embed.tokens", "attn.q", "attn.mask", "attn.weights", "mlp.hidden", "logits",
     "token_embedding.weight", "stack.layers.*.attn.q.weight"],
)  # fmt: skip
def test_every_kind_of_stop_has_its_picture(stop):
    app = opened(stop=stop, layer="1", head="2")
    assert ("matrix" in pictures(app)) == (stop != "tokens")


def test_a_click_on_a_layer_from_outside_the_layers_goes_to_its_stream():
    app = opened()
    app.session_state["dataflow.figure.overview"] = {"selection": {"layer": 2, "count": 1}}
    checked(app.run())
    assert app.selectbox(key="dataflow.stop@en").value == "resid_post"
    assert app.slider(key="dataflow.layer@en").value == 2


def test_a_click_on_a_token_moves_the_lesson_there():
    app = opened()
    app.session_state["dataflow.figure.tokens"] = {"selection": {"token": 5, "count": 1}}
    checked(app.run())
    assert app.selectbox(key="dataflow.position@en").value == "5"


def test_a_click_in_the_lens_moves_the_lesson_to_that_column():
    app = opened(view="lens", unveil="1")
    app.session_state["dataflow.figure.lens"] = {"selection": {"row": 1, "column": 7, "count": 1}}
    checked(app.run())
    assert app.selectbox(key="dataflow.position@en").value == "7"


@pytest.mark.parametrize(
    "text", ["🙂" * 40, "שלום <script>alert(1)</script>", "x" * 100_000, "$a_b$"]
)
def test_any_text_can_be_walked(text):
    app = opened()
    app.text_area(key="dataflow.text@en").set_value(text)
    checked(app.run())
    assert app.text_area(key="dataflow.text@en").value == text
    assert "overview" in pictures(app)


def test_no_text_gets_a_sentence():
    app = opened()
    app.text_area(key="dataflow.text@en").set_value(" ")
    checked(app.run())
    assert app.warning[0].value == Words("en")("error.not_empty", field=EN("knob.text"))


def test_the_drawn_token_can_be_appended():
    app = opened(temperature="0")
    app.button(key="dataflow.append").click()
    checked(app.run())
    loaded = zoo.load("world-decoder")
    walk = run_model(loaded, DataflowConfig(text=TEXT))
    best = int(walk.arrays["logits"][-1].argmax())
    appended = TEXT + loaded.tokenizer.decode([best])
    assert app.text_area(key="dataflow.text@en").value == appended


def test_the_default_text_follows_the_language_but_the_learners_own_stays():
    app = opened()
    app.session_state["language"] = "zh"
    checked(app.run())
    zh = Words("zh", "dataflow")("default.decoder")
    assert app.text_area(key="dataflow.text@zh").value == zh
    app.text_area(key="dataflow.text@zh").set_value("我自己的话")
    app.run()
    app.session_state["language"] = "en"
    checked(app.run())
    assert app.text_area(key="dataflow.text@en").value == "我自己的话"


def test_the_lens_is_hidden_until_a_guess_is_locked_then_scored():
    app = opened(view="lens")
    assert "lens" not in pictures(app)
    app.radio[0].set_value("early")
    app.run()
    next(b for b in app.button if b.label == Words("en")("predict.lock")).click()
    checked(app.run())
    assert "lens" in pictures(app)
    said = [*app.success, *app.info]
    assert any(EN("predict.settled.why") in element.value for element in said)


def test_credit_adds_up_to_the_models_logit_on_the_page():
    app = opened(view="credit", unveil="1")
    walk = run_model(zoo.load("world-decoder"), DataflowConfig(text=TEXT))
    total = EN("credit.total", total=f"{walk.arrays['logits'][-1].max():.2f}")
    assert total in [caption.value for caption in app.caption]


# The drawing board.


@pytest.mark.parametrize(
    ("language", "preset"),
    [
        ("zh", "own"),
        ("en", "gpt2"),
        ("zh", "bert-base"),
        ("en", "t5-small"),
        ("zh", "mixtral-8x7b"),
    ],
)
def test_the_drawing_board_says_what_a_preset_weighs(language, preset):
    app = opened(language, mode="design", preset=preset)
    config = PRESETS[preset].config if preset in PRESETS else ModelConfig()
    assert app.metric[0].value == blueprint_names.compact(parameter_total(config))


def test_twice_the_layers_are_twice_the_layers_parameters():
    app = opened(mode="design")
    published = EN("preset.source", year=2019, source=PRESETS["gpt2"].source)
    assert published in [caption.value for caption in app.caption]
    app.number_input(key="dataflow.num_layers@en").set_value(24)
    checked(app.run())
    assert published not in [
        caption.value for caption in app.caption
    ]  # no longer what was published
    config = PRESETS["gpt2"].config.with_(num_layers=24)
    assert app.metric[0].value == blueprint_names.compact(parameter_total(config))


def test_another_preset_turns_every_knob():
    app = opened(mode="design", num_layers="3")
    assert app.number_input(key="dataflow.num_layers@en").value == 3
    app.selectbox(key="dataflow.preset@en").set_value("llama-3-8b")
    checked(app.run())
    assert app.number_input(key="dataflow.num_layers@en").value == 32
    assert app.number_input(key="dataflow.num_key_value_heads@en").value == 8


def test_heads_that_do_not_fit_get_a_sentence():
    app = opened(mode="design", num_heads="7", num_key_value_heads="7")
    sentence = Words("en")("error.divides_hidden_size", hidden_size=768)
    assert app.warning[0].value == sentence


def test_the_cost_of_length_is_hidden_until_asked_for():
    app = opened(mode="design")
    assert f"**{EN('figure.context')}**" not in titles(app)
    app.toggle(key="dataflow.unveil_cost@en").set_value(True)
    checked(app.run())
    assert f"**{EN('figure.context')}**" in titles(app)


@pytest.mark.parametrize("kind", ["encoder", "encoder_decoder"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rope", "alibi", "t5", "none"])
def test_every_kind_and_position_can_be_drawn(kind, positions):
    config = ModelConfig(kind=kind, positions=positions)
    figure = blueprint.picture(ledger(config, 16), EN, alt="a")
    assert len(figure.spec["stacks"]) == (2 if kind == "encoder_decoder" else 1)


# The picture.


def weights_in(sheet: dict) -> list[dict]:
    """Every weight drawn, of one copy of each block."""
    items = [item for stack in sheet["stacks"] for item in stack["items"]]
    blocks = [b for item in items for b in item.get("items", [item]) if b["type"] == "block"]
    return [w for block in blocks for step in block["steps"] for w in step["weights"]]


@pytest.mark.parametrize("name", PRESETS)
def test_every_weight_of_a_published_model_is_in_its_picture(name):
    """Each map or norm once, of one layer per stack; of a mixture the first expert and the router."""
    config = PRESETS[name].config
    bill = ledger(config, 64)
    drawn = weights_in(blueprint.picture(bill, EN, alt="a").spec)
    named = {
        blueprint_names.local_name(part.name).replace("experts.0.", "")
        for row in bill.rows
        for part in row.parts
        if ".experts." not in part.name or ".experts.0." in part.name
    }
    both = {"attn", "attn_norm", "mlp", "mlp_norm", "final_norm", "relative_bias"}
    twice = (
        [n for n in named if n.split(".")[0] in both] if config.kind == "encoder_decoder" else []
    )
    assert len(drawn) == len(named) + len(twice)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("decoder", {}),
        ("decoder", {"positions": "learned", "norm_placement": "post"}),
        ("decoder", {"moe": MixtureOfExperts()}),
        ("encoder", {"head": "mlm", "token_types": 2, "embedding_norm": True}),
        ("encoder_decoder", {"positions": "t5", "tie_embeddings": False}),
    ],
)
def test_every_matrix_of_a_walk_can_be_reached_in_the_picture(kind, changes):
    """A stop without its place in the picture could be named in the list, but never clicked."""
    loaded = random_model(kind, **changes)
    walk = run_model(loaded, DataflowConfig("random", "the hat", "帽子"))
    stops = dataflow_place.stops_of(walk, loaded)
    figure = blueprint.picture(ledger(walk.config, 8), EN, alt="a", stops=stops, selected="attn.q")
    places = set(ids(figure.spec["stacks"]))
    lost = [stop for stop in stops if stop not in places]
    assert [stop for stop in lost if not re.search(r"experts\.[1-9]", stop)] == []  # one is drawn
    for stop in stops:
        assert dataflow_place.title(stop, EN)
        if not dataflow_place.is_weight(stop) and stop not in ("tokens", "encoder.tokens", "next"):
            assert dataflow_place.trace_name(stop, 0) in walk.arrays


def ids(node) -> list[str]:
    """Every id in a picture's data."""
    if isinstance(node, list):
        return [id for item in node for id in ids(item)]
    if not isinstance(node, dict):
        return []
    return [node.get("id", ""), *(id for value in node.values() for id in ids(value))]


def test_the_shapes_in_the_picture_are_those_of_the_walk():
    loaded = random_model(num_key_value_heads=2)
    walk = run_model(loaded, DataflowConfig("random", "the hat"))
    stops = dataflow_place.stops_of(walk, loaded)
    sheet = blueprint.picture(ledger(walk.config, len(walk.tokens.ids)), EN, alt="a").spec
    shapes = {node["id"]: node["shape"] for node in steps_in(sheet["stacks"]) if node["id"]}
    checked = [stop for stop in stops if stop in shapes and not stop.endswith(".mask")]
    assert len(checked) > 12
    for stop in checked:
        shape = walk.arrays[dataflow_place.trace_name(stop, 0)].shape
        assert shapes[stop] == blueprint_names.dims(shape), stop


def steps_in(node) -> list[dict]:
    if isinstance(node, list):
        return [step for item in node for step in steps_in(item)]
    if not isinstance(node, dict):
        return []
    own = [node] if "symbol" in node else []
    return own + [step for value in node.values() for step in steps_in(value)]


def test_counts_fit_a_card():
    assert [blueprint_names.compact(n) for n in (0, 99_999, 123_456, 1.234e7, 8.03e9, 2e15)] == [
        "0", "99,999", "123 K", "12.3 M", "8.03 G", "2.00 P",
    ]  # fmt: skip


# Figures.


def test_logits_are_cut_to_the_likeliest_columns():
    """A canvas cannot hold a vocabulary; the largest logit of the row asked about is in column 0."""
    loaded = zoo.load("world-decoder")
    walk = run_model(loaded, DataflowConfig(text=TEXT))
    part = charts.logits(walk, next_token(walk, loaded.tokenizer))
    assert part.values.shape == (len(walk.tokens.ids), 20)
    assert part.values[-1, 0] == walk.arrays["logits"][-1].max()


def test_one_huge_channel_does_not_bleach_the_rest():
    values = np.ones((10, 200), np.float32)
    values[0, 0] = -1000
    assert charts.ends(values) == (-1.0, 1.0)
    assert charts.ends(np.full((2, 2), 0.3)) == (0.0, 1.0)  # shares keep their scale


def test_bars_of_draws_hold_every_draw():
    loaded = zoo.load("world-decoder")
    walk = run_model(loaded, DataflowConfig(text=TEXT))
    tokens = draw_many(walk, 50, seed=1, temperature=2.0)
    table = charts.drawn(next_token(walk, loaded.tokenizer, temperature=2.0), tokens, EN).data()
    assert table[EN("draw.seen")].sum() == pytest.approx(1)
    assert table[EN("draw.expected")].sum() == pytest.approx(1)


def test_the_lens_table_ends_in_what_the_model_says():
    loaded = zoo.load("world-decoder")
    walk = run_model(loaded, DataflowConfig(text=TEXT))
    lens = logit_lens(loaded.model, loaded.tokenizer, walk, [3, walk.position])
    for measure in ("first", "answer", "divergence"):
        spec = charts.lens_table(lens, walk, measure, EN).spec
        last = spec["cells"][-1]
        assert [cell["word"] for cell in last] == list(lens.answer_labels)
        assert all(cell["answer"] for cell in last)
        assert all(0 <= cell["share"] <= 1 for row in spec["cells"] for cell in row)


def test_credit_bars_hold_every_part_once():
    loaded = zoo.load("world-decoder")
    walk = run_model(loaded, DataflowConfig(text=TEXT))
    parts = attribute(loaded.model, walk, int(walk.arrays["logits"][-1].argmax()))
    table = charts.credit(parts, "x", walk.config.num_layers, EN).data()
    assert table.drop(columns=table.columns[0]).to_numpy().sum() == pytest.approx(parts.total)


@pytest.mark.parametrize("name", ["gpt2", "t5-small", "minilm-l6", "mixtral-8x7b"])
def test_shares_are_a_whole(name):
    table = cost_charts.shares(ledger(PRESETS[name].config, 64), EN).data()
    assert table.drop(columns=table.columns[0]).sum(axis=1).to_numpy() == pytest.approx([100, 100])


def test_the_curves_meet_at_the_crossing_that_is_marked():
    cost = context_cost(PRESETS["gpt2"].config, dataflow_design.LENGTHS)
    spec = cost_charts.context_curve(cost, 1024, EN).spec
    assert EN("cost.crossing", tokens="6,702") in str(spec)


def test_the_question_about_length_has_one_answer_per_model():
    """GPT-2 crosses at 6,702 tokens, Llama 3 8B at 28,628, T5 small at 3,282: see context_cost."""
    answers = {
        name: dataflow_design.span(context_cost(PRESETS[name].config, [64]))
        for name in ("gpt2", "llama-3-8b", "t5-small")
    }
    assert answers == {"gpt2": "long", "llama-3-8b": "very_long", "t5-small": "middle"}


def test_depth_divides_a_model_into_thirds_and_its_end():
    assert [dataflow_lens.depth(stage, 30) for stage in (0, 9, 10, 20, 21, 29, 30)] == [
        "early", "early", "middle", "middle", "late", "late", "last",
    ]  # fmt: skip


def test_a_matrix_of_channels_counts_them_from_where_its_window_begins():
    values = Matrix("a", np.zeros((1, 3), np.float32), ("x",), None)
    assert charts.matrix(values, "a", EN, first_column=128).spec.header["columns"] == [
        "128", "129", "130",
    ]  # fmt: skip


# The notebook.


class Collecting:
    """A page that only takes the notebook's cells."""

    def __init__(self):
        self.cells = []

    def offer_notebook(self, *cells):
        self.cells.extend(cells)


def ran(page: Collecting, tmp_path) -> str:
    """What the notebook's code prints."""
    book = nbformat.reads(notebook.build("t", "i", "l", page.cells), as_version=4)
    script = tmp_path / "cells.py"
    script.write_text("\n".join(c.source for c in book.cells if c.cell_type == "code"), "utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_drawing_boards_notebook_prints_the_same_total(tmp_path):
    page = Collecting()
    dataflow_design.offer_notebook(page, PRESETS["mixtral-8x7b"].config, 64, 2.0)
    total = parameter_total(PRESETS["mixtral-8x7b"].config)
    assert f"{total:,} parameters" in ran(page, tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_paths_are_drawn_by_plotly_with_one_line_per_token(language):
    app = opened(language, view="paths", text="<b>$x$</b>")
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    names = [trace["name"] for trace in spec["data"]]
    assert len(spec["data"]) > 3
    assert not any("<" in name or "$" in name for name in names)
