"""Terms in a lab's prose: a quiet line, a tooltip, the keyboard, the way to the glossary; the page."""

import pytest
from playwright.sync_api import expect

from app.i18n import Words
from app.reference import glossary
from tests.browser.serving import rest
from tests.browser.test_accessible import problems

SECTIONS = ("glossary", "data", "tools", "papers", "guide", "questions")
MARK = 'a[href*="section=glossary&term="]'


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_term_of_a_lab_says_its_meaning_and_leads_to_the_glossary(visit, language):
    page = visit(f"/transformer?lang={language}&lab=heads")
    rest(page)  # the sheet of styles comes a moment after the words
    link = page.locator(MARK).first
    link.scroll_into_view_if_needed()
    href, title = link.evaluate("a => [a.getAttribute('href'), a.title]")
    term = glossary.by_id(href.split("term=")[1])
    assert title == term.meaning(language)
    link = page.locator(f'a[href="{href}"]').first  # this one, whatever else the page still draws
    look = "(a, part) => getComputedStyle(part ? a.parentElement : a).color"
    assert link.evaluate(look, False) == link.evaluate(look, True)  # no blue forest
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # by the keyboard, so that the focus is a visible one
    shown = link.evaluate("a => getComputedStyle(a, '::after').content")
    assert term.meaning(language) in shown
    with page.context.expect_page() as opened:
        link.press("Enter")
    reference = opened.value
    card = reference.locator(".st-key-glossary-term")
    expect(card).to_contain_text(term.meaning_en)
    expect(card).to_contain_text(term.meaning_zh)
    card.get_by_role("button", name=Words(language)(f"lab.{term.labs[0]}")).click()
    expect(reference.get_by_role("heading", level=2)).to_have_text(
        Words(language)(f"lab.{term.labs[0]}")
    )


def test_a_phone_reaches_the_glossary_too_and_nothing_is_cut_off(visit):
    page = visit("/transformer?lang=zh&lab=heads", width=390, height=844)
    with page.context.expect_page() as opened:
        page.locator(MARK).first.click()
    expect(opened.value.locator(".st-key-glossary-term")).to_be_visible()
    for section in SECTIONS:
        reference = visit(f"/reference?lang=zh&section={section}", width=390, height=844)
        reference.wait_for_timeout(500)
        overflow = reference.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]');"
            " return m.scrollWidth - m.clientWidth; }"
        )
        assert overflow <= 1, section


def test_a_search_and_a_section_keep_their_place_over_a_change_of_language(visit):
    page = visit("/reference?lang=en&section=guide")
    page.get_by_text("The loss does not move").click()
    expect(page.get_by_role("link", name="Training monitor").first).to_be_visible()
    page.get_by_role("radio", name="中文").click()
    expect(page.get_by_text("损失一动不动")).to_be_visible()
    page.get_by_role("radio", name="术语表").click()
    page.get_by_label("用任一语言搜索").fill("cache")
    page.keyboard.press("Enter")
    expect(page.get_by_text("KV 缓存").first).to_be_visible()
    expect(page.get_by_text("归纳头")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_reference(visit, theme):
    language = {"light": "en", "dark": "zh"}[theme]
    found = {}
    for section in SECTIONS:
        page = visit(f"/reference?lang={language}&section={section}&term=lora", theme=theme)
        if wrong := problems(page):
            found[section] = wrong
    assert found == {}
