"""The labs of the side road: every part in both languages, knobs at their ends, links both ways."""

import pytest

from app import catalog
from app.i18n import LANGUAGES
from app.labs.foundations import gradients, information, matrices, probability
from labcore.foundations.surfaces import SURFACES
from tests.app.conftest import checked, said

PARTS = [
    (lab, part)
    for lab, screen in (
        ("matrices", matrices), ("probability", probability), ("gradients", gradients),
        ("information", information),
    )
    for part in screen.PARTS
]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("lab", "part"), PARTS)
def test_every_part_draws_in_both_languages(open_lab, lab, part, language):
    app = checked(open_lab(lab, language, part=part))
    assert not app.warning
    assert app.get("plotly_chart") or app.get("echarts_chart")


@pytest.mark.parametrize("preset", matrices.PRESETS)
def test_every_matrix(open_lab, preset):
    app = checked(open_lab("matrices", preset=preset))
    complex_pair = "no direction stays" in said(app)
    assert complex_pair == (preset == "rotation")


@pytest.mark.parametrize(
    "ends", [{"kind": "head", "rank": "128"}, {"kind": "down", "rank": "0", "judge": "1"}]
)
def test_a_learnt_matrix_at_the_ends(open_lab, ends):
    app = checked(open_lab("matrices", part="spectrum", **ends))
    if ends["rank"] == "0":
        assert "**100.0 %**" in said(app)
    else:
        assert "**0.0 %**" in said(app)


def test_a_product_in_either_order_is_compared(open_lab):
    assert "the order matters" in said(open_lab("matrices", part="product"))
    same = checked(open_lab("matrices", part="product", first="stretch", then="reflection"))
    assert "BA and AB are the same" in said(same)


@pytest.mark.parametrize("ends", [
    {"prevalence": "50", "sensitivity": "50", "false_alarm": "50", "people": "1000"},
    {"prevalence": "0.1", "sensitivity": "100", "false_alarm": "1", "people": "20000"},
])  # fmt: skip
def test_a_test_at_the_ends(open_lab, ends):
    app = checked(open_lab("probability", **ends))
    if ends["sensitivity"] == ends["false_alarm"]:
        assert "P(ill | positive) = 50.0 %" in said(app)


def test_a_late_place_has_no_counted_bar_and_says_so(open_lab):
    app = checked(open_lab("probability", part="story", position="40"))
    assert "there is nothing to divide by" in said(app)


@pytest.mark.parametrize("surface", SURFACES)
def test_every_landscape_at_the_ends_of_the_rates(open_lab, surface):
    ends = {
        "rate_plain": "120",
        "rate_momentum": "120",
        "rate_adamw": "1.0",
        "steps": "400",
        "noise": "2.0",
    }
    app = checked(open_lab("gradients", surface=surface, momentum="0.99", **ends))
    if surface == "quadratic":
        assert "Diverged: gradient descent, momentum" in said(app)


def test_the_ends_of_the_graph_and_the_chain(open_lab):
    ends = {name: "3.0" for name in "xwbv"}
    checked(open_lab("gradients", part="graph", target="1", **ends))
    checked(open_lab("gradients", part="chain", layers="60", weight="3.0"))


def test_too_few_letters_for_so_many_signs_is_said(open_lab):
    assert "More possible pairs" not in said(open_lab("information", part="mutual"))
    app = checked(open_lab("information", part="mutual", source="zh", letters="500"))
    assert "more possible pairs than the text can show" in said(app)


@pytest.mark.parametrize(
    "ends", [{"apart": "0.0", "share": "5", "width": "1.5"}, {"apart": "6.0", "width": "0.3"}]
)
def test_the_humps_at_the_ends(open_lab, ends):
    checked(open_lab("information", part="fit", **ends))


def test_the_mathematics_is_linked_both_ways(open_lab):
    for lab, needed in catalog.MATHEMATICS.items():
        assert lab in catalog.LABS
        assert all(catalog.LABS[one].chapter == "foundations" for one in needed)
    used = {one for needed in catalog.MATHEMATICS.values() for one in needed}
    assert used == {lab.id for lab in catalog.chapter("foundations").labs}
    keys = [button.key for button in open_lab("matrices").button]
    assert all(f"way.{lab}" in keys for lab in catalog.used_by("matrices"))
    assert "way.matrices" in [
        button.key for button in open_lab("heads", samples="2", rows="1").button
    ]
