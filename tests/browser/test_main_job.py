"""The main job in a real browser with the network closed: type, look, walk, train, stop, share."""

import re
from contextlib import suppress
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from app.i18n import Words

SENTENCES = {
    "zh": "小明有一只红色的风筝。小明很高兴。",
    "en": "Anna had a red hat. Anna was happy.",
}
LANGUAGES = list(SENTENCES)


def lab(language: str, lab_id: str, **knobs: str) -> str:
    query = "&".join(f"{name}={quote(value)}" for name, value in knobs.items())
    return f"/transformer?lang={language}&lab={lab_id}&{query}"


def words(language: str, lab_id: str) -> Words:
    return Words(language, lab_id)


def type_text(page: Page, language: str, lab_id: str, sentence: str) -> None:
    box = page.get_by_role("textbox", name=words(language, lab_id)("knob.text"))
    box.fill(sentence)
    box.press("Control+Enter")


def choose_another_head(page: Page) -> str:
    """Click a head that is not on show; its label, once the URL and the large map have followed."""
    thumbs = page.locator(".canvas-figure").first.locator(".thumb")
    label = thumbs.and_(page.locator("[aria-selected=false]")).last.inner_text().split("\n")[0]
    before = page.url
    thumbs.filter(has_text=label).last.click()
    expect(thumbs.filter(has_text=label).last).to_have_attribute("aria-selected", "true")
    expect(page).not_to_have_url(before)
    return label


def point_at_a_cell(grid: Locator) -> None:
    """Point until the map tells a value: while it is drawn anew it forgets where the mouse was."""
    for nudge in range(20):
        grid.locator("canvas.cells").hover(position={"x": 5 + nudge % 2, "y": 5})
        with suppress(AssertionError):
            expect(grid.locator(".readout")).to_have_text(re.compile(r"[=≈] [01]"), timeout=3000)
            return
    raise AssertionError(f"no value is told: {grid.locator('.readout').inner_text()!r}")


def nothing_broke(page: Page, language: str) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text(Words(language)("error.unexpected"))).to_have_count(0)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", ["world-decoder", "minilm-l6", "smollm2-135m-instruct"])
def test_a_learner_types_a_sentence_and_reads_a_heads_map(visit, language, model):
    page = visit(lab(language, "attention", model=model))
    fetch = page.get_by_role("button", name=words(language, "attention")("model.fetch"))
    grid = page.locator(".canvas-figure").first
    expect(grid.or_(fetch).first).to_be_visible()
    if fetch.is_visible():
        fetch.click()
    type_text(page, language, "attention", SENTENCES[language])
    # 小 is E5 B0 8F in UTF-8; a tokenizer of English may know its bytes only.
    first = re.compile({"zh": "小|E5", "en": "Anna|anna"}[language])
    expect(grid.locator(".rows span").filter(has_text=first).first).to_be_attached()
    point_at_a_cell(grid)
    choose_another_head(page)
    nothing_broke(page, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_learner_trains_pauses_and_stops_a_run(visit, language):
    said = words(language, "training")
    page = visit(lab(language, "training", steps="2000", seed={"zh": "11", "en": "12"}[language]))

    def button(key: str):
        return page.get_by_role("button", name=said(key), exact=True)

    button("job.run").click()
    expect(page.get_by_text(re.compile(said("job.running").split("{")[0])).first).to_be_visible()
    expect(page.get_by_text(said("figure.losses"), exact=True)).to_be_visible()
    button("job.pause").click()
    expect(page.get_by_text(said("job.paused"))).to_be_visible()
    button("job.resume").click()
    button("job.stop").click()
    expect(page.get_by_text(said("job.stopped"))).to_be_visible()
    expect(page.get_by_text(said("figure.losses"), exact=True)).to_be_visible()
    nothing_broke(page, language)


def test_a_copied_link_restores_the_screen_for_somebody_else(visit):
    page = visit(lab("en", "attention"))
    type_text(page, "en", "attention", SENTENCES["en"])
    label = choose_another_head(page)
    page.get_by_role("button", name=words("en", "attention")("share.link")).click()
    link = page.get_by_test_id("stCode").filter(has_text="http").inner_text()
    assert "text=Anna" in link
    other = visit(link[link.index("/transformer") :].strip())
    box = other.get_by_role("textbox", name=words("en", "attention")("knob.text"))
    expect(box).to_have_value(SENTENCES["en"])
    chosen = other.locator(".canvas-figure").first.locator(".thumb[aria-selected=true]")
    expect(chosen).to_contain_text(label)


def test_a_teachers_link_locks_and_hides_knobs(visit):
    page = visit(lab("en", "attention", lock="text", hide="model"))
    box = page.get_by_role("textbox", name=words("en", "attention")("knob.text"))
    expect(box).to_be_disabled()
    expect(page.get_by_text(words("en", "attention")("knob.model"), exact=True)).to_have_count(0)


ODD = ("", "   ", "x" * 100_000, "🙂🙃" * 40, "مرحبا بالعالم " * 5, "\u202eabc")


@pytest.mark.parametrize("text", [*ODD, "<script>top.hacked=1</script>"])
def test_odd_texts_get_a_sentence_or_a_picture(visit, text):
    page = visit(lab("zh", "attention"))
    page.locator(".canvas-figure").first.wait_for()
    type_text(page, "zh", "attention", text)
    if not text.strip():
        expect(page.get_by_test_id("stAlert").first).to_be_visible()
    else:
        page.wait_for_timeout(1500)
        expect(page.locator(".canvas-figure").first).to_be_visible()
    assert page.evaluate("window.hacked") is None
    nothing_broke(page, "zh")
