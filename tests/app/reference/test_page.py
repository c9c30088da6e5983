"""The page in both languages: every section, a term that a link asks for, a hub that does not answer."""

import datasets
import huggingface_hub
import pytest
from streamlit.testing.v1 import AppTest

from app.catalog import ROOT
from app.i18n import LANGUAGES, Words
from app.reference import data_sets, glossary
from app.reference.page import SECTIONS
from labcore.text.evaluation_sets import humaneval
from tests.app.conftest import PATIENCE_SECONDS, checked, press, said


def open_reference(language: str = "en", **link: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / "reference.py"), default_timeout=PATIENCE_SECONDS)
    app.session_state["language"] = language
    app.query_params.update(link)
    return app.run()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_by_its_link(section, language):
    app = checked(open_reference(language, section=section))
    words = Words(language, "reference")
    assert words(f"section.{section}.about") in said(app)
    assert app.query_params["section"] in (section, [section])


def test_a_link_full_of_nonsense_opens_the_first_section():
    app = checked(open_reference(section="<b>", term="../x", set="?"))
    assert Words("en", "reference")("section.glossary.about") in said(app)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_term_of_a_link_comes_first_with_both_languages_and_its_labs(language):
    app = checked(open_reference(language, section="glossary", term="kv_cache"))
    term = glossary.by_id("kv_cache")
    assert term.meaning(language) in said(app)
    assert {term.meaning_en, term.meaning_zh} & {caption.value for caption in app.caption}
    assert any(button.key == "glossary-term-labs.kv_cache" for button in app.button)
    closed = checked(press(app, "glossary.close"))
    assert "term" not in closed.query_params


def test_a_search_in_the_other_language_finds_the_term():
    app = checked(open_reference("en", section="glossary"))
    app = checked(app.text_input[0].set_value("归纳头").run())
    assert "**induction head**" in said(app)
    assert "**GQA**" not in said(app)


def test_the_section_stays_when_the_language_changes():
    app = checked(open_reference("en", section="papers"))
    app.session_state["language"] = "zh"
    assert Words("zh", "reference")("section.papers.about") in said(checked(app.run()))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", data_sets.data_sets())
def test_every_data_set_is_shown(name, language):
    app = checked(open_reference(language, section="data", set=name))
    words = Words(language, "reference")
    assert words(f"set.{name}.about") in said(app)
    assert not app.warning
    assert any(data_sets.data_sets()[name].load.strip() in code.value for code in app.code)


def test_humaneval_shows_the_entry_that_is_asked_for():
    app = checked(open_reference(section="data", set="humaneval"))
    app = checked(app.number_input[0].set_value(164).run())
    shown = [code.value for code in app.code]
    assert humaneval()[163].question.strip() in "\n".join(shown)


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_no_hub_answers_the_page_says_so_and_shows_no_rows(monkeypatch, language):
    def refuse(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    app = press(
        open_reference(language, section="data", set="wikitext"), "reference.hub.wikitext.fetch"
    )
    assert [one.value for one in checked(app).warning] == [
        Words(language)("error.data_unreachable")
    ]
    assert not app.dataframe


def test_rows_of_a_hub_are_shown_as_they_are(monkeypatch):
    rows = [{"text": " = Title = \n"}, {"text": "<b>not bold</b>"}]
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: iter(rows))
    app = press(open_reference(section="data", set="wikitext"), "reference.hub.wikitext.fetch")
    assert list(checked(app).dataframe[0].value["text"]) == [row["text"] for row in rows]


def test_a_file_of_ones_own_is_read_in_alpacas_columns():
    app = open_reference(section="data", set="alpaca")
    file = b'[{"instruction": "q", "output": "o"}]'
    app = checked(app.file_uploader[0].set_value(("mine.json", file, "application/json")).run())
    assert list(app.dataframe[-1].value["instruction"]) == ["q"]
    bad = app.file_uploader[0].set_value(("mine.json", b"[1]", "application/json")).run()
    assert Words("en")("error.instruction_row", row=1) in [
        one.value for one in checked(bad).warning
    ]
