"""A lesson in three browsers: a teacher presents, shows a lab, asks, and two learners answer."""

import csv
import io
import re

import pytest
from playwright.sync_api import expect

from app import practice
from app.catalog import LABS
from app.i18n import Words

LINK = "/transformer?lab=attention&layer=1&lock=layer"


def slide(page, *parts):
    """Wait until the presenter's bar names all of these."""
    for part in parts:
        expect(page.locator(".st-key-presenter .title")).to_contain_text(part)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_teacher_presents_a_lab_by_keys(visit, language):
    words, lab = Words(language, "classroom"), Words(language, "heads")
    page = visit(f"/transformer?lang={language}&lab=heads", height=720)
    title = page.get_by_text(lab("figure.board"), exact=True)
    expect(title).to_be_visible()
    plain = title.bounding_box()["height"]
    page.get_by_role("button", name=words("present.start")).click()
    slide(page, words("present.principle"))
    expect(page).to_have_url(re.compile("present=1"))
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(title).to_be_hidden()
    page.keyboard.press("ArrowRight")
    slide(page, words("present.experiment"), lab("option.part.ablate"))
    knob = page.get_by_role("textbox", name=lab("knob.text"))
    knob.press("ArrowRight")  # belongs to who types
    expect(knob).to_be_visible()
    knob.blur()
    page.keyboard.press("ArrowRight")
    slide(page, lab("figure.board"))
    expect(title).to_be_visible()
    expect(knob).to_be_hidden()
    expect(
        page.locator('[class*="st-key-heads-figure-"] strong').locator("visible=true")
    ).to_have_count(1)
    assert title.bounding_box()["height"] > 1.15 * plain  # large type
    page.keyboard.press("k")
    expect(knob).to_be_visible()
    expect(title).to_be_visible()
    page.keyboard.press("k")
    expect(knob).to_be_hidden()
    for _ in range(4):  # through the figures of this stage into the next one
        page.keyboard.press("ArrowRight")
    slide(page, words("present.experiment"), lab("option.part.ranking"))
    page.keyboard.press("ArrowLeft")
    slide(page, words("present.experiment"), lab("option.part.ablate"))
    page.keyboard.press("PageUp")  # as a presenter's remote sends it
    slide(page, words("present.principle"))
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present"))
    expect(page.get_by_role("radio", name=words("facet.practice"))).to_be_visible()


def open_class(visit, language):
    """The teacher's page, and the code of the new class."""
    words = Words(language, "classroom")
    teacher = visit(f"/classroom?lang={language}")
    teacher.get_by_role("button", name=words("door.open")).click()
    code = teacher.locator(".st-key-class-invitation h2")
    expect(code).to_have_text(re.compile("^[A-Z]{6}$"))
    return teacher, code.inner_text()


def pick(page, label, option):
    page.get_by_role("combobox", name=re.compile(re.escape(label))).click()
    page.get_by_role("option", name=option, exact=True).click()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_class_follows_its_teacher_and_answers_a_poll(visit, language, tmp_path):
    words = Words(language, "classroom")
    teacher, code = open_class(visit, language)
    first = visit(f"/classroom?lang={language}&class={code}")
    second = visit(f"/classroom?lang={language}")  # by the code, in small letters
    second.get_by_label(words("door.code")).fill(code.lower())
    second.get_by_role("button", name=words("door.join")).click()
    for learner in (first, second):
        expect(learner.get_by_text(words("class.code", code=code))).to_be_visible()
        expect(learner.get_by_text(words("scene.none"))).to_be_visible()

    # The scene: who goes along is taken to the lab, its knobs set and locked; who does not is offered it.
    second.get_by_text(words("scene.follow")).click()
    teacher.get_by_label(words("scene.link")).fill(LINK)
    teacher.get_by_role("button", name=words("scene.set")).click()
    expect(first.get_by_role("heading", level=2)).to_have_text(words("lab.attention"))
    expect(first).to_have_url(re.compile("layer=1.*lock=layer|lock=layer.*layer=1"))
    expect(second.get_by_text(words("lab.attention"), exact=True)).to_be_visible()
    second.get_by_role("button", name=words("scene.go")).click()
    expect(second.get_by_role("heading", level=2)).to_have_text(words("lab.attention"))

    # The poll, on a statement of that lab.
    teacher.get_by_role("radio", name=words("poll.kind.statement")).click()
    question = practice.statements(LABS["attention"], language)[0]
    truth = ("true", "false").index(question.kind)
    teacher.get_by_role("button", name=words("poll.start")).click()
    for learner, choice in ((first, truth), (second, 1 - truth)):
        learner.get_by_role("button", name=words("bar.answer")).click()
        box = learner.locator(".st-key-class-poll")
        expect(box.get_by_role("button", name="AB"[choice], exact=True)).to_be_visible()
        expect(box.get_by_text(re.compile(r"\d %|\d%"))).to_have_count(0)  # nothing before voting
        box.get_by_role("button", name="AB"[choice], exact=True).click()
        expect(box.get_by_test_id("stProgress")).to_have_count(2)

    # The teacher sees the distribution live; a changed vote is one vote.
    told = teacher.locator(".st-key-class-poll")
    expect(told.get_by_text(words("poll.total", count=2))).to_be_visible()
    second.get_by_role("button", name=words("poll.change")).click()
    second.locator(".st-key-class-poll").get_by_role("button", name="AB"[truth], exact=True).click()
    bar = told.locator(f".st-key-poll-bar-{truth}")
    expect(bar).to_contain_text("100")
    expect(told.get_by_text(words("poll.total", count=2))).to_be_visible()

    # Reveal, close, take home.
    teacher.get_by_role("button", name=words("poll.reveal")).click()
    teacher.get_by_role("button", name=words("poll.stop")).click()
    for learner in (first, second):
        expect(learner.locator(".st-key-class-poll").get_by_test_id("stAlert")).to_be_visible()
        expect(learner.get_by_text(words("poll.closed"))).to_be_visible()
    with teacher.expect_download() as download:
        teacher.get_by_role("button", name=words("class.csv")).click()
    download.value.save_as(tmp_path / "class.csv")
    text = (tmp_path / "class.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["kind"], row["right"]) for row in rows] == [("statement", "1")] * 2
    assert len({row["learner"] for row in rows}) == 2

    # A reload: the browser knows who it is, and the teacher is still the teacher.
    teacher.reload()
    expect(teacher.locator(".st-key-class-invitation h2")).to_have_text(code)
    second.reload()
    expect(second.locator(f".st-key-poll-bar-{truth}")).to_contain_text(words("poll.mine"))
