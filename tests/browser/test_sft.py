"""Instruction tuning in a real Chromium: a conversation's tokens tell what the loss does with them."""

from playwright.sync_api import expect


def test_a_token_tells_its_kind_and_what_is_asked_behind_it(visit):
    """The template's last token is asked for the answer's first; kinds have colours and a legend."""
    page = visit("/alignment?lang=en&lab=sft&question=Who%3F&answer=It+was+Tom.", height=1400)
    chips = page.locator(".token-chip")
    expect(chips.first).to_be_visible()
    assert chips.all_inner_texts()[0] == "<|bos|>"
    turn = chips.filter(has_text="<|assistant|>")
    turn.hover()
    readout = page.locator(".canvas-figure .readout").first
    expect(readout).to_contain_text("template")
    expect(readout).to_contain_text("the loss asks for It")
    expect(page.locator(".legend-kind")).to_have_count(6)
    colours = chips.evaluate_all("chips => chips.map(chip => chip.style.backgroundColor)")
    assert len(set(colours)) == 4  # template, words, answer, end


def test_the_lab_fits_a_phone(visit):
    page = visit("/alignment?lang=zh&lab=sft", width=390)
    expect(page.locator(".token-chip").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
