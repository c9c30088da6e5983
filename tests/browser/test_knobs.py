"""Knobs in a real browser: they stand where a link put them, however late the browser loads them."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from app.i18n import Words

KNOBS = re.compile(r"/static/js/(Slider|Checkbox|NumberInput|Selectbox|ButtonGroup)\.")
SET = {"beta": "1.0", "flips": "20", "steps": "40"}


def test_run_pressed_before_the_knobs_have_loaded_leaves_them_where_they_were(chromium, server):
    """A cold server, a quick learner: the page runs again while the sliders are still on their way."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    on_their_way = []
    context.route(KNOBS, lambda route: on_their_way.append(route))
    page = context.new_page()
    page.goto(server + "/alignment?lang=en&lab=dpo&" + "&".join(f"{k}={v}" for k, v in SET.items()))
    words = Words("en", "dpo")
    page.get_by_role("button", name=words("job.run")).click()
    stop = page.get_by_role("button", name=words("job.stop"))
    expect(stop).to_be_visible()
    assert on_their_way, "no knob was held back: the test tests nothing"
    context.unroute(KNOBS)  # lets those that were held back go on
    expect(page.get_by_role("slider", name=words("knob.flips"))).to_have_value(SET["flips"])
    page.wait_for_timeout(1500)  # what a widget sends on arrival has reached the server by then
    link = parse_qs(urlsplit(page.url).query)
    assert {name: link.get(name, [None])[0] for name in SET} == SET
    context.close()
