"""The board of switches in a real browser: a click turns a head off, the same click turns it on again."""

from playwright.sync_api import expect

from tests.browser.serving import rest

LAB = "/transformer?lang=en&lab=heads"


def test_a_head_is_clicked_off_and_on_again_and_the_link_follows(visit):
    page = visit(LAB)
    board = page.locator("canvas.cells").first  # two rows of four heads
    typed = page.get_by_role("textbox", name="Heads that are off")
    expect(typed).to_have_value("0.1")
    for off, link in (("0.1 1.2", "**off=0.1+1.2*"), ("0.1", "**lab=heads")):
        rest(page)  # a click on a board that still grows would meet another cell, or none
        box = board.bounding_box()
        board.click(position={"x": box["width"] * 2.5 / 4, "y": box["height"] * 1.5 / 2})
        expect(typed).to_have_value(off)
        page.wait_for_url(link)
