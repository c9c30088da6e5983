"""Two languages, one lab: neither may have a word, a section or a placeholder that the other lacks."""

import ast
import re
import string

import pytest
from markdown_it import MarkdownIt

from app import catalog, i18n
from app.catalog import ROOT
from app.i18n import LANGUAGES, Words, preferred
from app.practice import asked_in

STRING_FILES = sorted({p.stem for p in (ROOT / "assets/strings").rglob("*.toml")})
PROSE_FILES = sorted(
    {
        p.relative_to(ROOT / "assets/content" / p.relative_to(ROOT / "assets/content").parts[0])
        .with_suffix("").as_posix()
        for p in (ROOT / "assets/content").rglob("*.md")
    }
)  # fmt: skip
PAGES = ("bug_zoo", "classroom", "reference")  # words of pages that are no lab
HAN = re.compile(r"[\u4e00-\u9fff]")


def placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("name", STRING_FILES)
def test_both_languages_hold_the_same_keys_and_placeholders(name):
    zh, en = (i18n.strings(language, name) for language in ("zh", "en"))
    assert zh.keys() == en.keys()
    for key in zh:
        assert placeholders(zh[key]) == placeholders(en[key]), key


@pytest.mark.parametrize("name", STRING_FILES)
def test_english_strings_hold_no_chinese(name):
    for key, value in i18n.strings("en", name).items():
        assert not HAN.search(value) or key.startswith(("example.", "default.")), key


@pytest.mark.parametrize("path", PROSE_FILES)
def test_both_languages_have_the_same_sections_in_the_same_order(path):
    zh, en = (i18n.prose(language, path) for language in LANGUAGES)
    assert list(zh) == list(en)
    assert all(zh.values())
    assert all(en.values())


@pytest.mark.parametrize("path", [p for p in PROSE_FILES if not p.startswith("reference/")])
def test_both_languages_ask_the_same_number_of_exercises_and_answer_each(path):
    counts = set()
    for language in LANGUAGES:
        section = i18n.prose(language, path)["exercises"]
        asked = len(re.findall(r"^### ", section, re.MULTILINE))
        assert asked >= 3
        assert section.count("<!-- answer -->") == asked
        counts.add(asked)
    assert len(counts) == 1


@pytest.mark.parametrize("path", PROSE_FILES)
def test_both_languages_judge_the_same_statements_alike(path):
    verdicts = []
    for language in LANGUAGES:
        asked = asked_in(i18n.prose(language, path).get("questions", ""))
        assert all(question.text and question.answer for question in asked)
        verdicts.append([question.kind for question in asked])
    assert verdicts[0] == verdicts[1]
    assert set(verdicts[0]) <= {"true", "false"}


@pytest.mark.parametrize("path", PROSE_FILES)
def test_formulas_are_the_same_in_both_languages(path):
    """Display formulas are language-free, so a difference is a slip in one of the two."""

    def formulas(language):
        text = "".join(i18n.prose(language, path).values())
        blocks = re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL)
        return ["".join(re.sub(r"\\text\{[^}]*\}", "", block).split()) for block in blocks]

    assert formulas("zh") == formulas("en")


@pytest.mark.parametrize("path", PROSE_FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_bold_words_come_out_bold(path, language):
    """In Chinese `**句。**字` does not: closing stars behind a full stop want a space."""
    for section in i18n.prose(language, path).values():
        text = re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$", "x", section, flags=re.DOTALL)  # formulas apart
        for block in MarkdownIt().parse(text):
            for piece in block.children or []:
                assert piece.type != "text" or "**" not in piece.content, piece.content[:60]


@pytest.mark.parametrize("path", PROSE_FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_formula_of_several_lines_opens_and_closes_on_lines_of_its_own(language, path):
    """Else the page shows its source in red."""
    for section in i18n.prose(language, path).values():
        for line in section.splitlines():
            assert line.count("$$") % 2 == 0 or line.strip() == "$$", line


@pytest.mark.parametrize("lab", list(catalog.LABS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_lab_has_its_title_question_and_four_facets(lab, language):
    spec = catalog.LABS[lab]
    words = Words(language, lab)
    assert words(f"lab.{lab}")
    assert words(f"lab.{lab}.question")
    assert words(f"lab.{lab}.needs")
    sections = i18n.prose(language, f"{spec.chapter}/{lab}")
    assert list(sections) == ["principle", "derivation", "practice", "questions", "exercises"]
    assert len(asked_in(sections["questions"])) >= 2


def test_every_key_named_in_the_screens_code_exists():
    """`text("…")`, `words("…")` and `caption("…")` with a plain string name a string that is there."""
    for path in (ROOT / "app").rglob("*.py"):
        lab = path.stem if path.stem in catalog.LABS else None
        for key in re.findall(r"(?:text|words|caption)\(\s*\"([\w.-]+)\"", path.read_text("utf-8")):
            names = [lab] if lab else list(catalog.LABS)
            found = any(
                Words("en", name).find(key) is not None
                for name in [*names, "course", "figures", "diagnosis", *PAGES]
            )
            assert found, f"{path.name}: {key}"


def test_a_missing_key_raises_rather_than_falling_back():
    with pytest.raises(KeyError, match=r"no\.such\.key"):
        Words("en")("no.such.key")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("zh-CN", "zh"), ("zh-TW", "zh"), ("en-GB", "en"), ("fr", "en"), ("", "en"), (None, "en")],
)
def test_a_first_visit_follows_the_browser(locale, language):
    assert preferred(locale) == language


def refusals() -> list[tuple[str, set[str]]]:
    """Rule and names of the facts of every `LabInputError(field, value, "rule", fact=…)` in labcore."""
    found = []
    for path in (ROOT / "labcore").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if getattr(getattr(node, "func", None), "id", None) != "LabInputError":
                continue
            if len(node.args) > 2 and isinstance(node.args[2], ast.Constant):
                found.append((node.args[2].value, {fact.arg for fact in node.keywords}))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_an_error_can_name_has_its_sentence_and_the_numbers_it_quotes(language):
    assert "known_choice" in dict(refusals())
    for rule, facts in refusals():
        sentence = Words(language).find(f"error.{rule}")
        assert sentence, rule
        assert placeholders(sentence) <= facts | {"field"}, rule
