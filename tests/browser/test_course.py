"""A beginner's way: a lab done, all of chapter 1 seen, the quiz, home again; remembered by the browser, taken
to another one."""

import json
import re

import pytest
from playwright.sync_api import expect

from app import catalog, practice
from app.catalog import LABS
from app.course import quiz
from app.i18n import Words
from tests.browser.serving import PATIENCE_MS

MARKS = "llm-principles-lab.progress"
CHAPTER = [lab.id for lab in catalog.chapter("transformer").labs]
DONE = {"en": re.compile("^1 of "), "zh": re.compile("^已完成 1 /")}


def judge(page, box, question, words):
    """Judge the statement in the container rightly and wait for its explanation."""
    container = page.locator(f".st-key-{box}")
    container.get_by_role("button", name=words(f"question.{question.kind}"), exact=True).click()
    expect(container.get_by_test_id("stAlert")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_beginner_goes_through_chapter_1_to_the_quiz_and_takes_progress_along(
    visit, language, tmp_path
):
    words = Words(language, "course")
    page = visit(f"/?lang={language}")
    first = page.get_by_test_id("stPageLink").filter(has_text=words("lab.dataflow")).first
    first.click()
    expect(page.get_by_role("heading", level=2)).to_have_text(words("lab.dataflow"))
    page.get_by_role("radio", name=words("facet.practice")).click()
    for number, question in enumerate(practice.statements(LABS["dataflow"], language), start=1):
        judge(page, f"dataflow-question-{number}", question, words)

    for lab in CHAPTER[1:]:  # by the way that each lab shows to the next
        page.locator(".st-key-next").get_by_role("button").click()
        expect(page.get_by_role("heading", level=2)).to_have_text(words(f"lab.{lab}"))
        expect(page.get_by_test_id("stException")).to_have_count(0)

    page.get_by_role("radio", name=words("quiz.title")).click()
    expect(page.get_by_role("heading", level=2)).to_have_text(words("quiz.title"))
    for item in quiz.items(CHAPTER, 0):
        question = practice.statements(LABS[item.lab], language)[item.number - 1]
        judge(page, f"quiz-transformer-0-{item.lab}-{item.number}", question, words)
    count = len(CHAPTER)
    expect(page.get_by_text(words("quiz.score", right=count, count=count))).to_be_visible()

    page.goto(
        page.url.split("/transformer")[0] + f"/?lang={language}"
    )  # a new session, same browser
    expect(page.get_by_text(DONE[language])).to_be_visible()
    page.get_by_text(words("progress.title")).click()
    with page.expect_download() as download:
        page.get_by_role("button", name=words("progress.export")).click()
    download.value.save_as(tmp_path / "progress.json")
    marks = json.loads((tmp_path / "progress.json").read_text())["marks"]
    assert marks["quiz/transformer"] == 1
    assert all(marks[f"{lab}/opened"] == 1 for lab in CHAPTER)

    other = visit(f"/?lang={language}")  # another browser, which knows nothing
    other.get_by_text(words("progress.title")).click()
    other.locator("input[type=file]").set_input_files(tmp_path / "progress.json")
    expect(other.get_by_text(DONE[language])).to_be_visible()
    other.reload()
    expect(other.get_by_text(DONE[language])).to_be_visible()


def test_two_tabs_of_one_learner_write_in_turns_and_lose_no_mark(visit):
    words = Words("en", "course")
    labs = ["by_hand", "dataflow"]
    tabs = [visit(f"/transformer?lang=en&lab={labs[0]}&facet=practice")]
    tabs.append(tabs[0].context.new_page())
    tabs[1].set_default_timeout(PATIENCE_MS)
    tabs[1].goto(tabs[0].url.replace(labs[0], labs[1]))

    def answer(tab: int, number: int) -> None:
        question = practice.statements(LABS[labs[tab]], "en")[number - 1]
        judge(tabs[tab], f"{labs[tab]}-question-{number}", question, words)

    def both_kept(*marks: str) -> None:
        found = f"{json.dumps(marks)}.every((mark) => (localStorage.getItem('{MARKS}') ?? '').includes(mark))"
        tabs[1].wait_for_function(found)

    both_kept("by_hand/opened", "dataflow/opened")
    answer(0, 1)
    both_kept("dataflow/opened", "by_hand/question/1")
    answer(1, 1)
    both_kept("by_hand/question/1", "dataflow/question/1")
    answer(0, 2)  # this tab has not been asked since the other one wrote
    both_kept("dataflow/question/1", "by_hand/question/2")
