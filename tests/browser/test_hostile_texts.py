"""A stranger's text in a real browser, by a link, typed into every field, and as the name of a file.

It neither runs, nor becomes a link, nor makes the browser ask an address outside. By itself this drives one
link of each kind of picture, and the pages beside the labs; LLM_LAB_EVERY_FIELD=1 (as in `make audit`) drives
every field of every lab, about ten minutes. The same fields without a browser, all of them each time:
`tests/app/test_hostile_texts.py`.
"""

import os
import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from app.catalog import LABS
from app.i18n import Words
from tests.app.text_fields import HOSTILE, KNOBS, PLACE, UPLOADS
from tests.browser.test_accessible import rest

# What is typed: another element, a script, a formula with a link in it, and links of markdown's two kinds.
TYPED = (
    f"<svg onload=pwned=1>[y](javascript:pwned=1)</script><script>pwned=1</script>"
    f"$\\href{{javascript:pwned=1}}{{w}}$ <{PLACE}>"
)
EACH = [(lab, link, knobs) for lab, rows in KNOBS.items() for link, knobs in rows]
# bertviz in a frame, Plotly in three dimensions and with titles, canvas, cells, sheet, tables, a warning.
SOME = [
    ("attention", {"view": "bertviz"}),
    ("dataflow", {"view": "paths"}),
    ("by_hand", {}),
    ("data", {"stage": "tokenise", "source": "own", "own_text": HOSTILE}),
    ("retrieval", {"library": "own"}),
    ("tools", {}),
]
EVERY = os.environ.get("LLM_LAB_EVERY_FIELD") == "1"
CHOSEN = [row for row in EACH if EVERY or (row[0], row[1]) in SOME]
FILES = [upload for upload in UPLOADS.values() if upload[0]][: None if EVERY else 1]

PROBE = """(place) => {
  const found = [], roots = [document];
  if (window.pwned !== undefined) found.push("it ran");
  while (roots.length) {
    for (const node of roots.pop().querySelectorAll("*")) {
      if (node.shadowRoot) roots.push(node.shadowRoot);
      for (const { name, value } of node.attributes) {
        const leads = /^(href|xlink:href|src|action|data)$/.test(name);
        if ((/^on/.test(name) && value.includes("pwned"))
            || (leads && (/^\\s*javascript:/i.test(value) || value.includes(place)))) {
          found.push(node.outerHTML.slice(0, 200));
        }
      }
    }
  }
  return found;
}"""


def what_it_became(page) -> list[str]:
    """Everything in the page and its frames that the text became, if it became anything."""
    return [found for frame in page.frames for found in frame.evaluate(PROBE, PLACE)]


def dialogs_of(page) -> list[str]:
    seen: list[str] = []

    def close(dialog) -> None:
        seen.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", close)
    return seen


def point_at_pictures(page) -> None:
    """What shows itself only under the pointer: along the diagonal of every figure."""
    for picture in page.locator('[class*="-figure-"]').all():
        box = picture.bounding_box() if picture.is_visible() else None
        if box is None:
            continue
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        for share in (0.2, 0.35, 0.5, 0.65, 0.8):
            page.mouse.move(box["x"] + share * box["width"], box["y"] + share * box["height"])
            page.wait_for_timeout(40)


def field(page, key: str):
    """The text field of a widget's key, unfolded; Streamlit puts the key into a class of the page."""
    kept = re.sub(r"[^A-Za-z0-9_-]", "-", key)
    folded = page.locator(f"details:not([open]):has(.st-key-{kept}) > summary")
    if folded.count():
        folded.first.click()
    return page.locator(f".st-key-{kept} textarea, .st-key-{kept} input").first


def type_in(page, key: str, text: str = TYPED) -> None:
    where = field(page, key)
    where.fill(text[: int(where.get_attribute("maxlength") or 10_000)])
    where.press("Control+Enter")
    rest(page)


@pytest.mark.parametrize(
    "row", CHOSEN, ids=lambda row: "-".join([row[0], *row[1].values()]).split("!")[0]
)
def test_a_text_of_a_link_and_a_typed_one_stay_text(visit, row):
    lab, link, knobs = row
    query = {"lang": "en", "lab": lab, **link, **dict.fromkeys(knobs, HOSTILE)}
    page = visit(f"/{LABS[lab].chapter}?{urlencode(query)}")
    dialogs = dialogs_of(page)
    rest(page)
    point_at_pictures(page)
    assert what_it_became(page) == []
    for knob in knobs:
        expect(field(page, f"{lab}.{knob}@en")).to_have_value(re.compile(re.escape(HOSTILE[:4])))
        type_in(page, f"{lab}.{knob}@en")
        assert what_it_became(page) == []
    point_at_pictures(page)
    assert what_it_became(page) == dialogs == []


def test_pages_beside_the_labs_show_a_text_as_text(visit):
    """Home, and the three searches of the reference."""
    page = visit("/?lang=en")
    dialogs = dialogs_of(page)
    rest(page)
    type_in(page, "home.text@en", HOSTILE)  # Enter sends the form
    expect(field(page, "attention.text@en")).to_have_value(HOSTILE)
    rest(page)
    assert what_it_became(page) == []
    for section, key in (
        ("glossary", "search"), ("papers", "papers"), ("questions", "ask"),
    ):  # fmt: skip
        page = visit(f"/reference?lang=en&section={section}&term={HOSTILE}")
        dialogs += dialogs_of(page)
        rest(page)
        for text in (TYPED, HOSTILE):
            type_in(page, f"reference.{key}@en", text)
            assert what_it_became(page) == []
    assert dialogs == []


def test_a_class_shows_a_text_as_text(visit):
    """A code that is none, a scene's link, the teacher's key, and a question that everybody sees."""
    words = Words("en", "classroom")
    teacher = visit("/classroom?lang=en&class=%3Cimg%20src%3Dx%3E")
    dialogs = dialogs_of(teacher)
    rest(teacher)
    type_in(teacher, "classroom.code", HOSTILE)
    assert what_it_became(teacher) == []
    teacher = visit("/classroom?lang=en")
    dialogs += dialogs_of(teacher)
    teacher.get_by_role("button", name=words("door.open")).click()
    code = teacher.locator(".st-key-class-invitation h2")
    expect(code).to_have_text(re.compile("^[A-Z]{6}$"))
    type_in(teacher, "classroom.link", f"/transformer?lab={HOSTILE}")
    assert what_it_became(teacher) == []
    teacher.get_by_role("radio", name=words("poll.kind.own")).click()
    rest(teacher)
    type_in(teacher, "classroom.own.text", HOSTILE)
    type_in(teacher, "classroom.own.choices", f"{HOSTILE}\n{TYPED}")
    teacher.get_by_role("button", name=words("poll.start")).click()
    learner = visit(f"/classroom?lang=en&class={code.inner_text()}")
    dialogs += dialogs_of(learner)
    for page in (teacher, learner):
        expect(page.locator(".st-key-poll-question")).to_contain_text(HOSTILE)
        assert what_it_became(page) == []
    learner.get_by_role("button", name=words("class.teach")).first.click()
    type_in(learner, "classroom.key", HOSTILE)
    assert what_it_became(learner) == dialogs == []


@pytest.mark.parametrize(("link", "ending"), FILES)
def test_a_files_name_stays_a_name(visit, link, ending):
    page = visit(link)
    rest(page)
    if not page.locator("input[type=file]").count():  # folded away beside the choice of a model
        page.locator("[data-testid=stPopover] button").first.click()
    for name in (HOSTILE, TYPED):
        file = {"name": f"{name}.{ending}", "mimeType": "", "buffer": HOSTILE.encode()}
        page.locator("input[type=file]").first.set_input_files(file)
        page.wait_for_timeout(600)
        rest(page)
        assert what_it_became(page) == []


def test_what_this_file_looks_for_it_would_find(visit):
    """The negative control: the same texts, once read as HTML by a careless script."""
    page = visit("/?lang=en")
    for text in (TYPED, f"<img src='data:,x' onerror=pwned=1><a href={PLACE}>y</a>"):
        page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", text)
    page.wait_for_function("window.pwned === 1")
    found = what_it_became(page)
    assert "it ran" in found
    assert len(found) > 2
