"""The glossary: every term stands in the labs, in both languages, and leads to labs that exist."""

import re
from functools import cache

import pytest

from app import catalog, i18n
from app.catalog import ROOT
from app.i18n import LANGUAGES
from app.reference import annotate, glossary

GOOD = {
    "id": "x", "en": "ex", "zh": "叉", "meaning_en": "A mark.", "meaning_zh": "一个记号。",
    "labs": ["lora"],
}  # fmt: skip


@cache
def told(language: str) -> str:
    """All that the labs say: their prose and their strings."""
    prose = [
        "\n".join(i18n.prose(language, f"{lab.chapter}/{lab.id}").values())
        for lab in catalog.LABS.values()
    ]
    strings = [
        "\n".join(i18n.strings(language, lab).values())
        for lab in [*catalog.LABS, "common"]
        if (ROOT / "assets/strings" / language / f"{lab}.toml").is_file()
    ]
    return "\n".join(prose + strings)


def stands_in(term: glossary.Term, language: str, text: str) -> bool:
    """Whether a form of the term stands in the text, as it would be found there."""
    before = "(?<![A-Za-z0-9_–-])"
    forms = (
        (before if form[0].isascii() else "") + annotate.written(form)
        for form in term.forms(language)
    )
    return re.search("|".join(forms), text) is not None


@pytest.mark.parametrize("term", glossary.terms(), ids=lambda term: term.id)
def test_every_term_stands_in_a_lab_in_both_languages(term):
    for language in LANGUAGES:
        assert stands_in(term, language, told(language)), language


@pytest.mark.parametrize("term", glossary.terms(), ids=lambda term: term.id)
def test_the_lab_that_explains_a_term_says_its_word(term):
    """In at least one of its labs, in both languages."""
    for language in LANGUAGES:
        own = "\n".join(
            "\n".join(i18n.prose(language, f"{catalog.LABS[lab].chapter}/{lab}").values())
            + "\n".join(i18n.strings(language, lab).values())
            + i18n.strings(language, "common")[f"lab.{lab}"]
            for lab in term.labs
        )
        assert stands_in(term, language, own), language


def test_english_holds_no_chinese_and_every_meaning_is_one_sentence():
    for term in glossary.terms():
        assert not re.search("[\u4e00-\u9fff]", term.en + term.meaning_en)
        assert term.meaning_en.endswith((".", "?"))
        assert term.meaning_zh.endswith(("。", "？"))
        assert len(term.meaning_en) <= 130
        assert len(term.meaning_zh) <= 60


@pytest.mark.parametrize(
    "bad",
    [
        {"labs": []}, {"labs": ["no_such_lab"]}, {"meaning_en": 'A "quoted" word.'},
        {"meaning_zh": ""}, {"meaning_en": "A | B"}, {"zh": "[叉]"}, {"meaning_en": "costs $5"},
    ],
)  # fmt: skip
def test_a_term_that_cannot_be_shown_is_named(bad):
    with pytest.raises(ValueError, match=r"^x: "):
        glossary.checked([{**GOOD, **bad}])


@pytest.mark.parametrize(
    "other",
    [
        {}, {"id": "y"}, {"id": "y", "en": "Ex", "zh": "丫"},
        {"id": "y", "en": "why", "zh": "丫", "find_zh": ["叉"]},
    ],
)  # fmt: skip
def test_no_id_name_or_form_stands_for_two_terms(other):
    with pytest.raises(ValueError, match="already stands for x"):
        glossary.checked([GOOD, {**GOOD, **other}])


def test_a_plural_is_a_form_of_its_own_where_there_is_one():
    term = glossary.checked([{**GOOD, "en": "attention head", "find_zh": ["头"]}])[0]
    assert term.forms("en") == ("attention head", "attention heads")
    assert term.forms("zh") == ("头",)
    assert glossary.checked([{**GOOD, "en": "LoRA"}])[0].forms("en") == ("LoRA",)


def test_a_search_finds_either_language_and_names_before_meanings():
    assert glossary.matching("残差流")[0].id == "residual_stream"
    assert glossary.matching("Residual STREAM")[0].id == "residual_stream"
    by_name = glossary.matching("cache")
    assert by_name[0].id == "kv_cache"
    assert {"mqa", "gqa"} <= {term.id for term in by_name[1:]}  # their meanings speak of it
    assert not glossary.matching("no such word")


def test_an_empty_search_lists_everything_and_a_chapter_what_it_explains():
    assert glossary.matching(" ") == list(glossary.terms())
    inside = glossary.matching("", "inference")
    assert {term.chapter for term in inside} == {"inference"}
