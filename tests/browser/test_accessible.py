"""Every page by axe (WCAG 2.2, levels A and AA) in a real browser, and by the keyboard alone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app import catalog
from app.i18n import LANGUAGES, Words
from tests.browser.serving import rest

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
THEMES = ("light", "dark")


def problems(page) -> list[str]:
    """What axe finds, once the page has come to rest."""
    rest(page)
    report = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in report.response["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_at_home(visit, language, theme):
    assert problems(visit(f"/?lang={language}", theme=theme)) == []


@pytest.mark.parametrize("chapter", catalog.CHAPTERS, ids=lambda chapter: chapter.id)
def test_axe_finds_nothing_in_any_lab(visit, chapter):
    """Neighbours in a chapter take turns with the themes, and pairs of them with the languages."""
    pages = {theme: visit(f"/{chapter.id}", theme=theme) for theme in THEMES}
    found = {}
    for number, lab in enumerate(chapter.labs):
        theme, language = THEMES[number % 2], LANGUAGES[number // 2 % 2]
        page = pages[theme]
        page.goto(f"{page.url.split('?')[0]}?lang={language}&lab={lab.id}")
        expect(page.get_by_role("heading", level=2)).to_have_text(Words(language)(f"lab.{lab.id}"))
        if wrong := problems(page):
            found[lab.id, theme] = wrong
    assert found == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("facet", ["principle", "derivation", "code", "practice"])
def test_axe_finds_nothing_in_a_facet(visit, facet, theme):
    page = visit(f"/transformer?lang=zh&lab=attention&facet={facet}", theme=theme)
    assert problems(page) == []


def test_the_keyboard_reaches_knobs_facets_and_figures(visit):
    """Tab alone comes to the language, every kind of knob, the figure, its table and the facets."""
    page = visit("/transformer?lang=en&lab=attention")
    rest(page)
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """() => {
                  let at = document.activeElement;
                  while (at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
                  return [at.tagName, at.getAttribute("role"), at.getAttribute("aria-label") || "",
                          at.innerText || at.value || ""].join("|").slice(0, 80);
                }"""
            )
        )
    said = "\n".join(sorted(reached))
    for wanted in (
        "radio||中文",
        "combobox|Model",
        "TEXTAREA||Text",
        "INPUT||Layer",
        "CANVAS|application",
        "As a table",
        "Copy link",
        "radio||Principle",
    ):
        assert wanted in said, f"{wanted} not reached by Tab:\n{said}"
