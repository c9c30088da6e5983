"""The shell in a real browser: languages, navigation, glyphs, phone width, nonsense links."""

import re

import pytest
from playwright.sync_api import expect

from app import catalog
from app.i18n import Words


@pytest.mark.parametrize(
    ("locale", "title"), [("zh-CN", "大模型原理实验室"), ("de-DE", "LLM Principles Lab")]
)
def test_a_first_visit_follows_the_browsers_language(visit, locale, title):
    page = visit("/", locale=locale)
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def test_the_language_switch_translates_page_navigation_and_url(visit):
    page = visit("/pretraining?lang=en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pre-training")
    page.get_by_role("radio", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("预训练")
    expect(page.get_by_role("link", name="应用与前沿")).to_be_visible()
    expect(page).to_have_url(re.compile("lang=zh"))


@pytest.mark.parametrize("chapter", catalog.CHAPTERS, ids=lambda chapter: chapter.id)
def test_every_chapter_opens_by_a_deep_link(visit, chapter):
    page = visit(f"/{chapter.id}?lang=zh")
    expect(page.get_by_role("heading", level=1)).to_have_text(Words("zh")(f"chapter.{chapter.id}"))
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_link_full_of_nonsense_opens_the_page_all_the_same(visit):
    page = visit(
        "/transformer?lang=klingon&lab=%F0%9F%99%82&facet=x&layer=-9&lock=,,&hide=%00&text=%3Cb%3E"
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Transformer architecture")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_chinese_is_drawn_with_simplified_glyphs(visit):
    """With `lang="en"` on the page a browser picks Japanese forms unless an SC family is named."""
    page = visit("/?lang=zh")
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": "h1"})["nodeId"]
    fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    names = [font["familyName"] for font in fonts]
    assert any(re.search(r"SC$|YaHei|PingFang", name) for name in names), names


def test_nothing_is_cut_off_at_phone_width(visit):
    for path in ("/?lang=zh", "/?lang=en", "/pretraining?lang=zh"):
        page = visit(path, width=390, height=844)
        page.wait_for_timeout(500)
        overflow = page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]');"
            " return m.scrollWidth - m.clientWidth; }"
        )
        assert overflow <= 1, path
