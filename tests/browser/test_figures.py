"""Figures in a real Chromium: canvas and bertviz, by pointer and keyboard, on a phone, in both themes."""

import pytest
from playwright.sync_api import expect

from tests.browser.serving import Visitors, serve

HOSTILE = "<img src=x onerror=window.top.hacked=1>"
SCRIPT = """
import numpy as np
import streamlit as st

from app.charts.bertviz_views import head_view, model_view, neuron_view
from app.charts.maps import attention_grid, matrix, token_row
from app.figures import draw
from app.i18n import Words

TEXT = Words("zh", "demo")
TOKENS = ["<bos>", "猫", "坐在", "HOSTILE", "</script>", "mat"]
T = len(TOKENS)
rng = np.random.default_rng(0)
scores = np.where(np.tril(np.ones((T, T), bool)), rng.normal(size=(4, T, T)), -np.inf)
weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)

chosen = draw(attention_grid(weights, TOKENS, TOKENS, TEXT, alt="四个头。", causal=True), "grid")
st.text(f"chosen {chosen}")
st.text(f"weight {weights[2, 3, 1]:.4g}")
draw(token_row(TOKENS, weights[0], TEXT, alt="词元。", value_title="权重"), "tokens")
draw(matrix(rng.normal(size=(3, 4)), list("abc"), list("wxyz"), TEXT, alt="矩阵。", row_title="行",
            column_title="列", value_title="值"), "matrix")
draw(attention_grid(np.stack([weights, weights[::-1]]), TOKENS, TOKENS, TEXT, alt="帧。", causal=True,
                    frame_labels=["0", "200"]), "frames")
queries = rng.normal(size=(1, 4, T, 8))
draw(head_view(weights[None], TOKENS, TEXT, alt="头视图。"), "head_view")
draw(model_view(weights[None], TOKENS, TEXT, alt="模型视图。"), "model_view")
draw(neuron_view(weights[None], queries, queries, TOKENS, TEXT, alt="神经元视图。", causal=True),
     "neuron_view")
""".replace("HOSTILE", HOSTILE)


@pytest.fixture(scope="module")
def figures_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    script = folder / "figures_demo.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with serve(str(script), folder / "log.txt") as address:
        yield address


@pytest.fixture
def visit_figures(chromium, figures_server):
    visitors = Visitors(chromium, figures_server)
    yield lambda **screen: visitors.open("/", "canvas.cells", **screen)
    visitors.close()


def grid(page):
    return page.locator(".canvas-figure").first


def cell_at(page, row: int, column: int) -> dict[str, float]:
    """Where a cell of the six-by-six grid lies inside its canvas."""
    box = grid(page).locator("canvas.cells").bounding_box()
    return {"x": (column + 0.5) * box["width"] / 6, "y": (row + 0.5) * box["height"] / 6}


def test_pointing_at_a_cell_names_both_tokens_and_the_exact_weight(visit_figures):
    """Head 2 is chosen first, so its weights arrive as float32: the number Python printed is read."""
    page = visit_figures()
    grid(page).locator(".thumb").nth(2).click()
    page.get_by_text("chosen {'head': 2").wait_for()
    weight = page.get_by_text("weight ").inner_text().removeprefix("weight ")
    grid(page).locator("canvas.cells").hover(position=cell_at(page, 3, 1))
    readout = grid(page).locator(".readout")
    assert HOSTILE in readout.inner_text()
    assert "猫" in readout.inner_text()
    assert f"= {weight}" in readout.inner_text()
    assert grid(page).locator(".rows .on").get_attribute("title") == HOSTILE
    assert grid(page).locator(".columns .on").inner_text() == "猫"


def test_a_masked_cell_says_so(visit_figures):
    page = visit_figures()
    grid(page).locator("canvas.cells").hover(position=cell_at(page, 0, 4))
    assert "已遮蔽" in grid(page).locator(".readout").inner_text()


def test_a_head_that_is_not_exact_says_by_how_much(visit_figures):
    """Frames travel as codes only: 255 steps over [0, 1], so half a step is 1/510 = 0.001961."""
    page = visit_figures()
    frames = page.locator(".canvas-figure", has=page.locator(".scrubber:visible"))
    frames.locator("canvas.cells").hover(position={"x": 20, "y": 20})
    assert "≈" in frames.locator(".readout").inner_text()
    assert "± 0.001961" in frames.locator(".readout").inner_text()
    frames.locator(".scrubber input").focus()
    page.keyboard.press("ArrowRight")
    assert frames.locator(".scrubber output").inner_text() == "200"


def test_the_keyboard_reaches_every_head_and_cell(visit_figures):
    page = visit_figures()
    grid(page).locator(".thumb[aria-selected=true]").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("chosen {'head': 1").wait_for()
    grid(page).locator("canvas.cells").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.get_by_text("chosen {'head': 1, 'row': 1, 'column': 1").wait_for()
    assert grid(page).locator(".readout").get_attribute("role") == "status"


def test_tokens_are_text_and_nothing_else(visit_figures):
    """A token that is markup must be readable as such, and must not have become an element."""
    page = visit_figures()
    chips = page.locator(".token-chip")
    assert chips.all_inner_texts()[3:5] == [HOSTILE, "</script>"]
    assert page.locator(".canvas-figure img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_pointing_at_a_token_colours_all_by_what_it_looks_at(visit_figures):
    """Token 0 sees only itself (weight 1); the last one spreads its weight."""
    page = visit_figures()
    chips = page.locator(".token-chip")

    def colours() -> list[str]:
        return chips.evaluate_all("chips => chips.map(chip => chip.style.backgroundColor)")

    chips.first.hover()
    alone = colours()
    assert len(set(alone[1:])) == 1
    assert alone[0] != alone[1]
    chips.last.hover()
    assert len(set(colours())) > 2


def test_a_phone_shows_readable_labels_and_no_sideways_page(visit_figures):
    page = visit_figures(width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    label = grid(page).locator(".rows span").nth(1)
    assert label.bounding_box()["height"] >= 15  # CSS pixels: room for a 12-pixel Chinese character
    assert float(label.evaluate("node => parseFloat(getComputedStyle(node).fontSize)")) >= 12


def test_the_canvas_is_sharp_and_follows_a_change_of_theme(visit_figures):
    """The first row's last cells are masked and show the page's own colour: light, then dark."""
    page = visit_figures(theme="light")
    canvas = grid(page).locator("canvas.cells")
    assert canvas.evaluate("c => c.width / c.clientWidth") == pytest.approx(1, abs=0.02)
    corner = (
        "c => Math.max(...c.getContext('2d').getImageData(c.width - 4, 3, 1, 1).data.slice(0, 3))"
    )
    assert canvas.evaluate(corner) > 200
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"""() => {{
            const hosts = [...document.querySelectorAll('*')].filter((node) => node.shadowRoot);
            const canvas = hosts[0].shadowRoot.querySelector('canvas.cells');
            return canvas && ({corner})(canvas) < 80;
        }}"""
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bertvizs_views_draw_and_answer_without_a_network(visit_figures, theme):
    page = visit_figures(theme=theme)

    def view(key: str):
        return page.locator(f".st-key-{key}").frame_locator("iframe")

    head = view("head_view")
    expect(head.locator("#attention line")).to_have_count(4 * 6 * 6)  # a line per weight
    head.locator("#left text").nth(5).hover()
    expect(head.locator("#attention line[visibility=visible]")).to_have_count(4 * 6)

    model = view("model_view")
    expect(model.locator("svg line")).to_have_count(4 * 6 * 6)
    model.locator("svg g rect:last-child").first.click()
    expect(model.get_by_text("Layer 0, Head 0")).to_have_count(1)

    neuron = view("neuron_view")
    neuron.locator("#att_head").select_option("3")
    neuron.locator("#collapsed #leftText text").nth(2).hover()
    expect(neuron.locator("#expanded #queries .element")).to_have_count(6 * 8)  # T · d numbers
    assert page.evaluate("window.hacked") is None
