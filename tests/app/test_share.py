"""A link brings back exactly what was on the screen; a notebook repeats it."""

from urllib.parse import parse_qsl, urlsplit

import nbformat
from hypothesis import given
from hypothesis import strategies as st

from app import notebook
from app.classroom.scene import from_link
from app.share import link
from labcore.errors import LabInputError
from tests.app.conftest import checked


def test_a_link_carries_language_lab_and_knobs():
    url = link(
        "http://localhost:8501/transformer", {"lang": "zh", "lab": "attention", "text": "你好 &"}
    )
    assert url == (
        "http://localhost:8501/transformer?lang=zh&lab=attention&text=%E4%BD%A0%E5%A5%BD+%26"
    )


def test_a_teachers_link_locks_and_hides_knobs():
    url = link("http://h/p?x=1#frag", {"lang": "en", "lock": "old"}, ["layer", "head"], ["model"])
    assert url == "http://h/p?lang=en&lock=layer,head&hide=model"


@given(st.dictionaries(*[st.text(st.characters(codec="utf-8"), max_size=30)] * 2, max_size=5))
def test_a_link_brings_back_any_text(parameters):
    url = link("http://h/p?x=1", parameters | {"lab": "attention"}, ["layer"])
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    assert query == parameters | {"lab": "attention", "lock": "layer"}
    assert url.isascii()
    assert from_link(url.replace("/p?", "/transformer?"))[1].keys() <= query.keys()


@given(
    st.text(max_size=60)
    | st.from_regex(r"(http:)?//[\[\]:@%?#/]*transformer[?&=%;,+x]*lab=(attention|.{9})")
)
def test_what_is_pasted_as_a_link_is_a_scene_or_refused(pasted):
    assert lab_of(pasted) in ("attention", "class_link")


def lab_of(pasted: str) -> str:
    try:
        return from_link(pasted)[1]["lab"]
    except LabInputError as refused:
        return refused.rule


def test_the_same_experiment_gives_the_same_valid_notebook():
    args = ("标题", "Intro", "http://h/p", ["x = 1", "x + 1"])
    assert notebook.build(*args) == notebook.build(*args)
    parsed = nbformat.reads(notebook.build(*args), as_version=4)
    nbformat.validate(parsed)
    assert [cell.cell_type for cell in parsed.cells] == ["markdown", "code", "code", "code"]


def test_link_and_tables_are_sent_when_they_are_asked_for(open_lab):
    """Every turn of a knob would send them again: the row below the experiment is its buttons alone."""
    app = checked(open_lab("attention"))
    at_home = [button.key for button in app.get("download_button")]
    assert at_home == ["attention.notebook"]
    assert not app.multiselect
    app.session_state["attention.tables.popover"] = True
    app.session_state["attention.link.popover"] = True
    app = checked(app.run())
    assert "attention.csv.0" in [button.key for button in app.get("download_button")]
    assert "attention.share.lock@en" in [choice.key for choice in app.multiselect]


def test_a_knob_called_share_is_not_the_button_that_shares(open_lab):
    """Their keys were one: who turned the knob met an exception in place of the row of buttons."""
    app = checked(open_lab("objectives"))
    assert app.button_group(key="objectives.share@en").options  # there is such a knob
    checked(app.button_group(key="objectives.share@en").set_value("0.3").run())
