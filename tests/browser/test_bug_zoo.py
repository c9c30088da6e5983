"""A bug found in a real browser: from the home page to the zoo, named, and still known in a new session."""

import pytest
from playwright.sync_api import expect

from app.i18n import Words
from labcore.bugs import zoo

WARD, BUG = "chat_rows", "end_masked"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_bug_is_found_and_kept_by_the_browser(visit, language):
    words = Words(language, "bug_zoo")
    number = next(n for n in range(1, zoo.LAST_PATIENT + 1) if zoo.hidden(WARD, n) == BUG)
    page = visit(f"/?lang={language}")
    page.get_by_test_id("stPageLink").filter(has_text=words("zoo.title")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(words("zoo.title"))

    address = page.url.split("/bug_zoo")[0]
    page.goto(f"{address}/bug_zoo?lang={language}&ward={WARD}&patient={number}")
    test = page.locator(".st-key-zoo-test-end")
    test.get_by_role("button", name=words("run")).click()
    expect(test.get_by_test_id("stAlert")).to_contain_text(words("verdict.below"))
    page.get_by_test_id("stRadio").get_by_text(words(f"option.bug.{BUG}"), exact=True).click()
    page.get_by_role("button", name=words("play.say")).click()
    explained = page.locator(".st-key-zoo-explained")
    expect(explained).to_contain_text("def end_is_padding")
    expect(explained.get_by_role("link").first).to_have_attribute(
        "href", "https://github.com/johnsmith0031/alpaca_lora_4bit/issues/35"
    )

    page.goto(f"{address}/bug_zoo?lang={language}&part=cards")  # a new session, same browser
    card = page.locator(f".st-key-zoo-card-{WARD}")
    expect(card.get_by_role("button", name=words(f"option.bug.{BUG}"))).to_be_visible()
