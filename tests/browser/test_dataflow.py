"""The data-flow lab in a real browser: the picture opens, its steps and layers answer, keys work."""

import re

import pytest
from playwright.sync_api import expect

LAB = "/transformer?lang=en&lab=dataflow"


def test_a_block_opens_in_place_and_its_matrix_shows_its_numbers(visit):
    page = visit(LAB)
    page.locator(".blueprint .head", has_text="Self-attention").click()
    step = page.locator(".blueprint button.result", has_text="attention weights")
    step.click()
    expect(step).to_have_attribute("aria-current", "true")
    expect(page.get_by_text("attention weights · Layer 0")).to_be_visible()
    page.locator(".blueprint .pip").nth(2).click()
    expect(page.get_by_text("attention weights · Layer 2")).to_be_visible()


def test_matrices_of_one_block_are_drawn_to_one_scale(visit):
    """The bundled decoder's MLP is four times as wide as its stream: 512 × 128, then 128 × 512."""
    page = visit(LAB)
    page.locator(".blueprint .head", has_text="MLP").click()
    boxes = [sheet.bounding_box() for sheet in page.locator(".blueprint .sheet").all()]
    up, down = boxes[-2:]
    assert up["height"] == pytest.approx(4 * up["width"], rel=0.05)
    assert down["width"] == pytest.approx(up["height"], rel=0.05)


def test_the_keyboard_alone_walks_to_a_step_and_stays_there(visit):
    page = visit(LAB)
    stream = page.locator(".blueprint button.result", has_text="stream leaving the layer")
    stream.focus()
    page.keyboard.press("Enter")
    expect(stream).to_have_attribute("aria-current", "true")
    expect(stream).to_be_focused()


def test_the_cells_of_the_lens_are_read_by_arrow_keys(visit):
    page = visit(f"{LAB}&view=lens&unveil=1")
    cell = page.locator(".cells td").last
    cell.focus()
    readout = page.locator(".cells .readout")
    expect(readout).to_have_text(re.compile(r"^layer 3.*rank 1 here; 0\.00 nats"))
    page.keyboard.press("ArrowUp")
    expect(readout).to_have_text(re.compile(r"^layer 2"))


def test_the_lab_fits_a_phone(visit):
    for knobs in ("", "&mode=design&preset=t5-small", "&view=lens&unveil=1", "&facet=derivation"):
        page = visit(LAB + knobs, width=390, height=844)
        page.locator(".blueprint .card, .cells td").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_two_stacks_stand_side_by_side_with_the_arrow_between_them(visit):
    page = visit(f"{LAB}&mode=design&preset=t5-small")
    page.locator(".blueprint .card").first.wait_for()
    left, right = [stack.bounding_box() for stack in page.locator(".blueprint .stack").all()]
    assert right["x"] > left["x"] + left["width"]
    assert page.locator(".blueprint .bridge .line").get_attribute("d")
