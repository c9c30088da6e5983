"""The attention lab's screen: it opens on a picture, its knobs turn numbers, nothing typed breaks it."""

import subprocess
import sys

import nbformat
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import model_picker, notebook
from app.catalog import ROOT
from app.charts import attention as charts
from app.charts.payload import unpack
from app.i18n import LANGUAGES, Words
from app.labs.transformer import attention
from labcore import zoo
from labcore.architecture import attention_maps
from labcore.architecture.attention_maps import AttentionConfig, Heads
from labcore.architecture.head_patterns import HeadLabel
from labcore.architecture.prompt import Prompt
from tests.app.conftest import checked, elements, open_page

EN = Words("en", "attention")


def opened(language: str = "en", **knobs: str) -> AppTest:
    return checked(open_page("attention", language, **knobs))


def turned(app: AppTest, knob: str, value: object) -> AppTest:
    kind = {"layer": app.slider, "head": app.slider, "query": app.selectbox}.get(
        knob, app.text_area
    )
    kind(key=f"attention.{knob}@en").set_value(value)
    return checked(app.run())


def canvases(app: AppTest) -> dict[str, dict]:
    """{figure: header} of the canvases on the page."""
    return {
        element.proto.id.split(".figure.")[-1]: unpack(element.proto.bytes)[0]
        for element in elements(app, "bidi_component")
    }


def said(app: AppTest, words: str) -> bool:
    return any(words in element.value for element in [*app.markdown, *app.caption, *app.warning])


def heads_of(weights: np.ndarray, labels: tuple[str, ...], earned=()) -> Heads:
    """A result with given maps (L, H, T, T), as from a pass over tokens with these labels."""
    prompt = Prompt(tuple(range(len(labels))), labels, tuple(b"" for _ in labels))
    shape = weights.shape[:2]
    return Heads(
        "self", weights, np.tri(len(labels), dtype=bool), prompt, prompt, {}, list(earned),
        np.zeros(shape), (0, 0),
    )  # fmt: skip


# The page.


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_one_head_of_a_bundled_model_and_says_what_it_earned(language):
    app = opened(language)
    text = Words(language, "attention")("default.text")
    heads = attention_maps.run(AttentionConfig(attention.DEFAULT_MODEL, text)).kinds["self"]
    layer, head = heads.opening
    (header,) = (h for h in canvases(app).values() if "selected" in h and "patterns" in h)
    assert header["selected"] == head
    assert header["rows"] == list(heads.queries.labels)
    if heads.labels:
        best = next(one for one in heads.labels if (one.layer, one.head) == (layer, head))
        assert said(app, f"{best.score:.2f}")
    assert app.slider(key=f"attention.layer@{language}").value == layer


def test_moving_the_layer_and_the_head_changes_the_map_and_the_sentence():
    app = opened()
    for layer, head in ((0, 0), (1, 3), (0, 3)):
        app = turned(turned(app, "layer", layer), "head", head)
        assert said(app, f"**Layer {layer}, head {head}**")
    assert "3" in app.query_params["head"]


def test_the_token_that_looks_is_a_knob_and_its_row_is_drawn():
    app = turned(opened(), "query", "1")
    heads = attention_maps.run(AttentionConfig(attention.DEFAULT_MODEL, EN("default.text"))).kinds[
        "self"
    ]
    layer, head = heads.opening
    most = heads.weights[layer, head, 1].max()
    (bars,) = app.get("echarts_chart")
    assert f"most, {most:.2f}," in bars.proto.alt


@pytest.mark.parametrize("view", attention.VIEWS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_view_opens_in_both_languages(view, language):
    opened(language, view=view)


@pytest.mark.parametrize(
    ("view", "kind"),
    [
        *((view, "cross") for view in attention.VIEWS),
        ("rollout", "encoder"),
        ("bertviz", "decoder"),
    ],
)
def test_every_view_takes_the_attention_of_a_translator(view, kind):
    app = opened(model="world-translator", kind=kind, view=view, layer="0", head="3")
    assert app.selectbox(key="attention.model@en").value == "world-translator"


@pytest.mark.parametrize("tool", ["head", "model", "neuron"])
def test_bertviz_draws_without_a_network(tool):
    (frame,) = opened(view="bertviz", tool=tool, model="world-encoder").get("iframe")
    assert "http" not in frame.proto.srcdoc.split("bertviz_params")[1].split("</script>")[0]
    assert "<script src" not in frame.proto.srcdoc


@pytest.mark.parametrize(
    "text",
    [
        "字" * 100_000,
        "🦊🦊 👩‍👩‍👧",
        "مرحبا بالعالم",
        "<script>alert(1)</script> $x$ **b**",
        "a",
        "\x00\ufffd",
    ],
)
def test_any_text_is_read_and_none_is_rendered(text):
    app = turned(opened(), "text", text)
    assert canvases(app)
    assert not any("<script>" in element.value for element in [*app.markdown, *app.caption])


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_text_gets_one_sentence(text):
    app = turned(opened(), "text", text)
    (warning,) = app.warning
    assert warning.value.startswith("Please type something")


def test_a_text_beyond_64_tokens_says_what_was_left_out():
    app = turned(opened(), "text", "Tom has a kite. " * 30)
    assert said(app, "The picture holds 64 tokens; the last")


def test_a_text_compared_with_itself_leaves_no_difference():
    text = EN("default.text")
    app = opened(view="compare", text2=text)
    alts = [header["alt"] for header in canvases(app).values()]
    assert "Difference of two attention maps; the largest is 0.00." in alts


def test_texts_of_different_length_are_put_side_by_side_only():
    app = opened(view="compare", text2="Tom has a kite.")
    assert said(app, EN("compare.cannot_subtract"))


def test_a_locked_prediction_is_scored_by_the_count_of_labels():
    app = opened()
    app.radio(key="attention.predict.labelled.widget@en").set_value("most")
    app = checked(app.run())
    app.button(key="attention.predict.labelled.lock").click()
    app = checked(app.run())
    heads = attention_maps.run(AttentionConfig(attention.DEFAULT_MODEL, EN("default.text"))).kinds[
        "self"
    ]
    layers, count = heads.weights.shape[:2]
    assert said(app, f"{len(heads.labels)} of {layers * count} heads earned a label on this text.")
    assert [element.value for element in [*app.info, *app.success]]


def test_the_hard_test_finds_the_copiers_induction_heads():
    """The copier was trained on nothing else; its card says that it copies nearly as well as can be."""
    app = opened(view="overview", model="world-copier")
    assert not said(app, "on random repeated tokens.")  # not before it is asked for
    app.button(key="attention.probe").click()
    assert said(checked(app.run()), "4 of 8 heads earned “induction” on random repeated tokens.")


def test_a_model_that_is_not_here_is_not_fetched_before_the_button(monkeypatch, tmp_path):
    """Neither a link nor the list makes this machine reach for the network."""
    monkeypatch.setenv("LLM_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(model_picker.models, "obtain", None)  # calling it would raise
    monkeypatch.setattr(model_picker.zoo, "describe_hub_model", None)  # and so would this
    app = opened(model="hub", model_id="openai-community/gpt2")
    assert app.button(key="attention.model.look_up").label == EN("model.look_up")
    assert not canvases(app)


def test_nonsense_in_a_link_is_named_and_the_lab_opens():
    app = opened(layer="99", view="upside-down", model="gpt-9")
    assert len(app.warning) == 3
    assert canvases(app)


def test_the_notebook_repeats_the_experiment_with_labcore_alone(tmp_path):
    collected = []

    class Page:
        offer_notebook = staticmethod(lambda *cells: collected.extend(cells))

    config = AttentionConfig("world-copier", 'Tom\'s "kite" \\ 风筝')
    attention.offer_notebook(Page, config, attention_maps.run(config).kinds["self"])
    cells = nbformat.reads(notebook.build("t", "i", "l", collected), as_version=4).cells
    script = tmp_path / "cells.py"
    script.write_text("\n".join(c.source for c in cells if c.cell_type == "code"), "utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert "looks at" in done.stdout


# The charts.


def test_a_layer_of_twelve_heads_over_64_tokens_fits_into_70_kilobytes():
    """12 maps of one byte a weight, one of four: 12 · 4096 + 4 · 4096 = 65,536 bytes, then words.

    Random weights hardly deflate, so real ones take less.
    """
    weights = np.random.default_rng(0).dirichlet(np.ones(64), (1, 12, 64)).astype(np.float32)
    labels = HeadLabel(0, 3, "first_token", 1.0), HeadLabel(0, 4, "previous_token", 0.9)
    heads = heads_of(weights, ("注意力",) * 64, labels)
    assert len(charts.layer_heads(heads, 0, 5, EN).spec.pack()) <= 70_000


def test_turning_a_knob_sends_70_kilobytes_at_most_with_the_code_of_the_canvas():
    """Streamlit sends a component's JavaScript along with every new payload."""
    app = opened(text="Tom has a red kite. Anna has a blue ball and a cake. " * 6)
    drawn = [*elements(app, "bidi_component"), *app.get("echarts_chart")]
    assert any(len(header["rows"]) == 64 for header in canvases(app).values())
    assert sum(element.proto.ByteSize() for element in drawn) <= 70_000


def test_more_than_twelve_heads_are_drawn_in_even_groups():
    """16 heads make two groups of 8, 25 make three of 9 (the last has 7)."""
    for count, head, first in ((12, 11, 0), (16, 7, 0), (16, 8, 8), (25, 8, 0), (25, 24, 18)):
        heads = heads_of(np.ones((1, count, 1, 1), np.float32), ("a",))
        assert charts.first_head(heads, head) == first
        header, arrays = unpack(charts.layer_heads(heads, 0, head, EN).spec.pack())
        assert header["heads"][header["selected"]] == f"Head {head}"
        assert arrays["codes"].shape[1] <= charts.HEADS_AT_ONCE


def test_the_head_on_show_carries_exact_weights_whatever_was_clicked_before():
    weights = np.tri(3, dtype=np.float32)[None, None] * np.array([0.1, 0.3])[None, :, None, None]
    heads = heads_of(weights.astype(np.float32), ("a", "b", "c"))
    header, arrays = unpack(charts.layer_heads(heads, 0, 1, EN).spec.pack({"head": 0}))
    assert header["exact_head"] == 1
    np.testing.assert_array_equal(arrays["exact"], weights[0, 1].astype(np.float32))


def test_the_strongest_bars_come_first_and_name_their_places():
    figure = charts.strongest(np.array([0.1, 0.7, 0.2]), ("a", "b", "a"), EN)
    assert figure.data().iloc[:, 0].tolist() == ["1 · b", "2 · a", "0 · a"]
    assert figure.data().iloc[:, 1].tolist() == [0.7, 0.2, 0.1]


def test_the_table_of_labels_is_ordered_by_score_and_names_the_bar():
    earned = (HeadLabel(0, 1, "induction", 0.5), HeadLabel(0, 0, "previous_token", 0.9))
    table = charts.labelled(heads_of(np.ones((1, 2, 1, 1)), ("a",), earned), EN)
    assert table["Pattern"].tolist() == ["previous token", "induction"]
    assert table["Score"].tolist() == [0.9, 0.5]


def test_the_example_follows_the_language_until_somebody_types():
    app = opened("zh")
    app.session_state["language"] = "en"
    app = checked(app.run())
    assert app.text_area(key="attention.text@en").value == EN("default.text")
    app = turned(app, "text", "Tom has a kite.")
    app.session_state["language"] = "zh"
    assert checked(app.run()).text_area(key="attention.text@zh").value == "Tom has a kite."


def test_a_hub_models_size_is_told_before_its_weights_are_fetched(monkeypatch):
    told = zoo.HubModel("a/b", "c0ffee", "llama", "decoder", 548_000_000, "mit", ("en",), ())
    monkeypatch.setattr(model_picker.zoo, "describe_hub_model", lambda name: told)
    monkeypatch.setattr(model_picker.models, "obtain", None)  # calling it would raise
    app = opened(model="hub", model_id="a/b")
    app = checked(app.button(key="attention.model.look_up").click().run())
    assert any("548 MB, family llama" in caption.value for caption in app.caption)
    assert app.button(key="attention.model.fetch").label == EN("model.fetch")


@pytest.mark.parametrize("model_id", ["../../etc/passwd", "🙂/🙂", "a b/c", "x" * 120])
def test_an_id_of_the_wrong_form_gets_a_sentence(model_id):
    app = opened(model="hub", model_id=model_id)
    app = checked(app.button(key="attention.model.look_up").click().run())
    assert any("owner/name" in box.value for box in app.warning)
