"""A stranger's text in every text field of every lab: nothing on the page reads anything into it.

The same with a real browser, which runs what it is given: `tests/browser/test_hostile_texts.py`.
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from markdown_it import MarkdownIt

from app.catalog import CHAPTERS
from tests.app.conftest import checked
from tests.app.text_fields import ELSEWHERE, HOSTILE, KNOBS, PLACE, UPLOADS, uploaders, written

# Fields of Streamlit's messages that it renders as text, or hands to a component of ours as data.
SHOWN_AS_TEXT = {
    "text_area.default", "text_area.value", "text_input.default", "text_input.value", "text_area.id",
    "text_input.id", "code.code_text", "text.body", "dataframe.data", "download_button.url",
    "page_link.query_string",
}  # fmt: skip
READ_AS_DATA = ("component_v2", "bidi_component", "dataframe", "table")
PICTURES = {"plotly_chart": "spec", "echarts_chart": "spec", "iframe": "srcdoc"}
ONCE = [(lab, link, knobs) for lab, rows in KNOBS.items() for link, knobs in rows]


LAB_UPLOADS = [upload for upload in UPLOADS.values() if "lab=" in upload[0]]
FIRST = [chapter.labs[0].id for chapter in CHAPTERS]


def name(row) -> str:
    lab, link, _ = row
    return "-".join([lab, *(value for value in link.values() if value != HOSTILE)])


def test_the_table_holds_every_text_field_of_the_app():
    knobs, elsewhere = written()
    assert knobs == {(lab, knob) for lab, _, knobs in ONCE for knob in knobs}
    assert elsewhere == ELSEWHERE
    assert uploaders() == set(UPLOADS)


@pytest.mark.parametrize("row", ONCE, ids=name)
def test_a_text_is_read_as_nothing_but_text(open_lab, row):
    lab, link, knobs = row
    app = checked(open_lab(lab, **link, **dict.fromkeys(knobs, HOSTILE)))
    at_hand = {str(field.key).split("@")[0] for field in (*app.text_area, *app.text_input)}
    assert {f"{lab}.{knob}" for knob in knobs} <= at_hand, "the link does not lead to the field"
    assert list(misread(app)) == []


@pytest.mark.parametrize(("link", "ending"), LAB_UPLOADS, ids=[link for link, _ in LAB_UPLOADS])
@pytest.mark.parametrize(
    "inside", [HOSTILE, json.dumps([{"instruction": HOSTILE, "output": HOSTILE}] * 9)]
)
def test_a_files_name_and_text_are_read_as_nothing_but_text(open_lab, link, ending, inside):
    query = dict(parse_qsl(urlsplit(link).query))
    query.pop("lang")
    app = checked(open_lab(query.pop("lab"), **query))
    app.file_uploader[0].upload(f"{HOSTILE}.{ending}", inside.encode())
    assert list(misread(checked(app.run()))) == []


@pytest.mark.parametrize("lab", FIRST)
def test_a_link_says_what_it_likes_in_every_knob(open_lab, lab):
    """A shared link with nonsense in all of its knobs, and in the parameters of the frame."""
    drawn = {widget.key.split(".", 1)[1].split("@")[0] for widget in knobs_of(open_lab(lab), lab)}
    frame = {"lock", "hide", "facet", "class", "present", "term", "nonsense"}
    app = checked(open_lab(lab, **dict.fromkeys((drawn | frame) - {"language"}, HOSTILE)))
    assert len(drawn) > 1
    assert list(misread(app)) == []


def test_a_word_that_an_error_quotes_is_only_quoted(open_lab):
    """A shared schema whose keyword is a picture: the sentence names it, and no browser fetches it."""
    app = open_lab("tools", schema=json.dumps({"type": f"![z]({PLACE})"}))
    (said,) = [one.value for one in app.warning if PLACE in one.value]
    assert not in_markdown(said)
    assert list(misread(app)) == []


def test_what_this_file_looks_for_it_would_find():
    """The negative control: the same texts where they must not be."""
    assert in_markdown(f"You typed {HOSTILE}.")
    assert in_markdown(
        f"You typed `{HOSTILE}`" + "`".join(["", f"![z]({PLACE})", ""]) + f"![z]({PLACE})"
    )
    assert not in_markdown(f"You typed `{HOSTILE}`.")
    bar = json.dumps({"data": [{"x": [HOSTILE], "y": [1]}]})
    assert list(in_picture("plotly_chart", bar))
    assert list(in_picture("iframe", f"<p>{HOSTILE}</p>"))


def knobs_of(app, lab: str) -> list:
    kinds = (
        "button_group",
        "selectbox",
        "slider",
        "select_slider",
        "number_input",
        "toggle",
        "text_area",
    )
    found = [widget for kind in kinds for widget in app.get(kind)]
    return [w for w in found if str(getattr(w, "key", "")).startswith(f"{lab}.") and "@" in w.key]


def misread(app) -> Iterator[str]:
    """Every place where the text would be more than text."""
    for kind, message in messages(app._tree):
        if kind in PICTURES:
            yield from in_picture(kind, getattr(message, PICTURES[kind]))
        elif kind not in READ_AS_DATA:
            for path, value in strings(message, kind):
                if path not in SHOWN_AS_TEXT and in_markdown(value):
                    yield f"{path}: {value[:200]}"


def messages(node) -> Iterator[tuple[str, object]]:
    if hasattr(getattr(node, "proto", None), "ListFields"):
        yield node.type, node.proto
    for child in getattr(node, "children", {}).values():
        yield from messages(child)


def strings(message, path: str) -> Iterator[tuple[str, str]]:
    """Every string of a message of Streamlit's protocol, with the way to it."""
    for field, value in message.ListFields():
        for one in value if field.is_repeated else (value,):
            if isinstance(one, str):
                yield f"{path}.{field.name}", one
            elif hasattr(one, "ListFields"):
                yield from strings(one, f"{path}.{field.name}")


def in_markdown(body: str) -> bool:
    """Whether markdown would read the text. In a span of code it does not."""
    tokens = MarkdownIt("commonmark", {"html": False}).parse(body)
    inside = [child for token in tokens for child in (token.children or ())]
    return any(
        PLACE in f"{token.content} {token.attrs}" for token in inside if token.type != "code_inline"
    )


def in_picture(kind: str, spec: str) -> Iterator[str]:
    """Plotly reads a few tags wherever it writes; ECharts and a page of HTML wherever they are told to."""
    if kind == "iframe":
        if re.search(r"<(img|a) (src|href)=//e\.x", spec):
            yield f"iframe: {spec[:200]}"
        return
    told = json.loads(spec)
    for text in leaves(told):
        if kind == "plotly_chart" and re.search(r"<(img|a)\b", text):
            yield f"plotly: {text[:200]}"


def leaves(told) -> Iterator[str]:
    if isinstance(told, str):
        yield told
    elif isinstance(told, dict):
        for key, value in told.items():
            yield key
            yield from leaves(value)
    elif isinstance(told, list):
        for value in told:
            yield from leaves(value)
