"""bertviz's pages: complete in themselves, true to the trace, deaf to hostile tokens."""

import json
import re

import numpy as np
import pytest

from app.charts.bertviz_views import (
    D3,
    JQUERY,
    head_view,
    installed,
    json_in_script,
    model_view,
    neuron_view,
)
from app.i18n import Words
from labcore.errors import LabInputError

TEXT = Words("en", "any_lab")
HOSTILE = ["<img src=x onerror=alert(1)>", "</script>", "<!--", "\u2028", "PYTHON_PARAMS", "猫"]
rng = np.random.default_rng(0)
L, H, K, T, D = 2, 4, 2, len(HOSTILE), 8
ATTENTION = rng.dirichlet(np.ones(T), (L, H, T))
QUERIES, KEYS = rng.normal(size=(L, H, T, D)), rng.normal(size=(L, K, T, D))


def views():
    return {
        "head": head_view(ATTENTION, HOSTILE, TEXT, alt="a", layers=[3, 5]),
        "model": model_view(ATTENTION, HOSTILE, TEXT, alt="a"),
        "neuron": neuron_view(ATTENTION, QUERIES, KEYS, HOSTILE, TEXT, alt="a", causal=False),
    }


def without_libraries(figure) -> str:
    return figure.spec.replace(installed(*JQUERY), "").replace(installed(*D3), "")


def parameters(figure) -> dict:
    (found,) = re.findall(r"<script>window\.bertviz_params = (.*?);</script>", figure.spec)
    return json.loads(found)


@pytest.mark.parametrize("name", ["head", "model", "neuron"])
def test_no_token_can_leave_its_script(name):
    """Each opened script is closed once, by us; the tokens stand in the page as escapes only."""
    page = without_libraries(views()[name])
    assert page.count("<script>") == page.count("</script>")
    assert "<img" not in page
    assert "\u2028" not in page


@pytest.mark.parametrize("name", ["head", "model", "neuron"])
def test_a_page_loads_nothing(name):
    """The CDN addresses stay in bertviz's require.config, which the shim makes deaf; no tag loads."""
    page = without_libraries(views()[name])
    assert len(page) < len(views()[name].spec) - 300_000  # both libraries were in it
    assert " src=" not in page.replace("\\u003cimg src=", "")
    assert "window.require.config = () => {}" in page


def test_escaped_json_is_the_same_json():
    assert json.loads(json_in_script(HOSTILE)) == HOSTILE
    assert "<" not in json_in_script(HOSTILE)


def test_weights_in_the_page_are_the_traces_to_four_decimals():
    for figure in views().values():
        pairs = parameters(figure)["attention"]
        pairs = pairs[0] if isinstance(pairs, list) else pairs["all"]
        np.testing.assert_allclose(pairs["attn"], ATTENTION, atol=5.1e-5)


def test_grouped_keys_are_shown_to_every_head_of_their_group():
    """With 4 heads and 2 key heads, heads 0 and 1 read key head 0, heads 2 and 3 key head 1."""
    keys = np.array(parameters(views()["neuron"])["attention"]["all"]["keys"])
    np.testing.assert_allclose(keys, KEYS[:, [0, 0, 1, 1]], atol=5.1e-5)


def test_the_table_names_layers_as_the_view_does():
    table = views()["head"].data()
    assert sorted(table["Layer"].unique()) == [3, 5]
    assert len(table) == ATTENTION.size
    row = table[(table["Layer"] == 5) & (table["Heads"] == 2) & (table["Query"] == "5 猫")]
    np.testing.assert_allclose(row["Weight"], ATTENTION[1, 2, 5], rtol=1e-6)


@pytest.mark.parametrize(("count", "view"), [(49, head_view), (25, model_view)])
def test_too_long_a_text_is_refused_in_words(count, view):
    """49 tokens of 12 heads are 29 thousand lines a layer: the browser would stand still."""
    with pytest.raises(LabInputError) as error:
        view(np.zeros((1, 1, count, count)), ["a"] * count, TEXT, alt="a")
    assert (error.value.field, error.value.rule) == ("tokens", "at_most")
    assert error.value.facts == {"limit": count - 1}
