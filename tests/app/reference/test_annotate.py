"""Terms marked in a text: once, whole, and nowhere but in running prose."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app import catalog, i18n
from app.i18n import LANGUAGES
from app.reference import annotate, glossary
from app.reference.glossary import Term

MARK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?:to|reference)[^ ]* \"[^\"]*\"\)")
FACETS = ("principle", "derivation", "practice")
TERMS = (
    Term("head", "attention head", "注意力头", "one", "一", ("heads",)),
    Term("attention", "attention", "注意力", "two", "二", ("heads",)),
    Term("lora", "LoRA", "LoRA", "three", "三", ("lora",)),
    Term("dp", "DP", "数据并行", "four", "四", ("planner",)),
    Term("softmax", "softmax", "softmax", "five", "五", ("by_hand",)),
)


def mark(text: str, language: str = "en") -> str:
    return annotate.annotate(text, language, TERMS, lambda term, _: f"to?{term.id}")


def unmarked(text: str) -> str:
    return MARK.sub(r"\1", text)


def marked(text: str, language: str = "en") -> list[str]:
    return [found[1] for found in MARK.finditer(mark(text, language))]


def test_a_mark_is_a_link_with_the_meaning_as_its_title():
    assert mark("Use LoRA.") == 'Use [LoRA](to?lora "three").'
    assert mark("用LoRA训练", "zh") == '用[LoRA](to?lora "三")训练'


def test_only_the_first_occurrence_is_marked():
    assert mark("softmax, softmax") == '[softmax](to?softmax "five"), softmax'


def test_the_longest_term_wins_and_leaves_the_shorter_one_for_later():
    assert marked("An attention head pays attention.") == ["attention head", "attention"]
    assert marked("注意力头付出注意力。", "zh") == ["注意力头", "注意力"]


def test_words_begin_and_end_at_their_borders_and_small_letters_may_be_large():
    assert marked("Attention") == ["Attention"]
    assert marked("SOFTMAX and attentions") == ["SOFTMAX", "attentions"]  # a plural, too
    assert not marked("inattention, attentional, self-attention, attention-like, LoRAs_x, XLoRA")


def test_an_abbreviation_is_taken_as_it_is_written():
    assert marked("DP and dp") == ["DP"]
    assert not marked("dp, lora")


def test_a_term_may_run_over_the_end_of_a_line_but_not_of_a_paragraph():
    assert marked("an attention\n   head") == ["attention\n   head"]
    assert marked("an attention\n\nhead") == ["attention"]


@pytest.mark.parametrize(
    "text",
    [
        "`attention`", "```\nattention\n```", "$attention$", "$a\\ attention\n+ b$",
        "$$\nattention\n$$", "# attention", "### My attention", "[attention](https://a.b)",
        "[x attention\ny](https://a.b)", "![attention](a.png)", "[attention]", "<!-- attention -->",
        "https://a.b/attention", ":material/attention:", "[[attention]]",
    ],
)  # fmt: skip
def test_what_is_no_running_prose_is_left_alone(text):
    assert mark(text) == text
    assert marked(f"{text}\n\nNow attention.") == ["attention"]


def test_bold_words_stay_bold():
    """`**[` behind a Chinese letter opens nothing, so the stars go inside the link, or nothing is marked."""
    assert marked("叫**注意力**的东西", "zh") == ["**注意力**"]
    assert marked("*attention*") == ["*attention*"]
    assert not marked("叫**注意力的**东西", "zh")
    assert not marked("**甲**注意力**乙**", "zh")  # between two bold words, bold itself in neither
    assert marked("**甲**与**注意力**", "zh") == ["**注意力**"]


PIECES = [
    "attention", "attention head", "LoRA", "softmax", "注意力头", "注意力", "数据并行", "DP", " ",
    "\n", "\n\n", "*", "**", "`", "$", "$$", "# ", "[", "]", "(", ")", "<", "-", "。", "a", "中", '"',
]  # fmt: skip


def only_added(done: str, text: str, language: str) -> list[str]:
    """The ids of the marks in `done`, which must be `text` with marks and nothing else put in."""
    ends = {f'](to?{term.id} "{term.meaning(language)}")': term.id for term in TERMS}
    ids, at, opened = [], 0, False
    while done:
        end = next((end for end in ends if opened and done.startswith(end)), None)
        if end:
            ids, done, opened = [*ids, ends[end]], done[len(end) :], False
        elif done[0] == text[at : at + 1]:
            done, at = done[1:], at + 1
        else:
            assert done[0] == "["
            assert not opened
            done, opened = done[1:], True
    assert at == len(text)
    assert not opened
    return ids


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.sampled_from(LANGUAGES))
def test_without_its_marks_a_text_is_what_it_was(text, language):
    ids = only_added(mark(text, language), text, language)
    assert len(set(ids)) == len(ids)


def words_of(text: str) -> list[str]:
    """What a reader sees: words and what is bold, without links; formulas apart."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "x", text, flags=re.DOTALL)
    seen = []
    for block in MarkdownIt().enable("table").parse(text):
        seen += [
            piece.content or piece.type
            for piece in block.children or []
            if not piece.type.startswith("link") and (piece.content or piece.type != "text")
        ]
        seen.append("")
    return "".join(seen).split()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lab", list(catalog.LABS))
def test_every_facet_reads_as_before_and_has_a_term_marked_once(lab, language):
    path = f"{catalog.LABS[lab].chapter}/{lab}"
    for facet in FACETS:
        text = i18n.prose(language, path)[facet]
        done = annotate.annotated(language, path, facet)
        assert unmarked(done) == text
        assert words_of(done) == words_of(text)
        ids = re.findall(r"section=glossary&term=(\w+) ", done)
        assert ids
        assert len(set(ids)) == len(ids)


def test_a_facet_is_worked_out_once():
    first = annotate.annotated("en", "alignment/lora", "principle")
    assert annotate.annotated("en", "alignment/lora", "principle") is first
    assert glossary.address(glossary.by_id("lora"), "en") in first
