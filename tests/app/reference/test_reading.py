"""Tools, papers, data sets, guides, questions: complete, in both languages, with ways that lead on."""

import re
from collections import defaultdict

import pytest

from app import catalog, i18n
from app.catalog import ROOT
from app.i18n import LANGUAGES, Words
from app.reference import data_sets, guide, links, reading
from labcore.tuning.instructions import COLUMNS, HUB_SETS, Instruction

ARXIV = re.compile(r"(?:arXiv:\s?|arxiv\.org/abs/)(\d{4}\.\d{4,5})", re.IGNORECASE)
HAN = re.compile("[\u4e00-\u9fff]")
GUIDES = {"reference/guide": guide.PARTS, "reference/questions": guide.TOPICS}


def cited() -> dict[str, set[str]]:
    """Every arXiv number in the labs' pages, and the labs that cite it."""
    found = defaultdict(set)
    for lab in catalog.LABS.values():
        for language in LANGUAGES:
            text = "\n".join(i18n.prose(language, f"{lab.chapter}/{lab.id}").values())
            for number in ARXIV.findall(text):
                found[number].add(lab.id)
    return found


def test_every_paper_that_a_lab_cites_is_listed_with_such_a_lab():
    listed = {paper.arxiv: paper for paper in reading.papers()}
    for number, labs in cited().items():
        assert number in listed, f"{number}, cited by {labs}"
        assert labs & set(listed[number].labs), f"{number} names {listed[number].labs}"


def test_no_paper_and_no_tool_stands_there_twice():
    for entries in ([p.arxiv for p in reading.papers()], [p.title for p in reading.papers()],
                    [t.name for t in reading.tools()], [t.url for t in reading.tools()]):  # fmt: skip
        assert len(set(entries)) == len(entries)


def test_every_source_that_the_code_names_is_listed():
    """But for the reports of models, which stand in the ecosystem's map and among the landmarks."""
    listed = {paper.arxiv for paper in reading.papers()}
    reports = [
        *(ROOT / "assets" / "ecosystem").glob("*.toml"),
        ROOT / "labcore/scaling/landmarks.py",
    ]
    known = {number for path in reports for number in ARXIV.findall(path.read_text("utf-8"))}
    for path in (ROOT / "labcore").rglob("*.py"):
        named = set(ARXIV.findall(re.sub(r"arXiv:\n", "arXiv:", path.read_text("utf-8"))))
        assert named <= listed | known, (path.name, named - listed - known)


def test_a_papers_lab_or_its_code_knows_the_paper():
    """A lab named beside a paper cites it, or the paper's number stands in the code."""
    files = [*(ROOT / "labcore").rglob("*.py"), *(ROOT / "app").rglob("*.py")]
    code = "\n".join(path.read_text("utf-8") for path in files)
    pages = cited()
    for paper in reading.papers():
        known = set(paper.labs) & pages.get(paper.arxiv, set())
        assert known or paper.arxiv in code, paper.title


@pytest.mark.parametrize("entry", [*reading.papers(), *reading.tools()], ids=lambda e: e.name)
def test_each_says_why_in_both_languages(entry):
    assert entry.why_en.endswith((".", "?"))
    assert entry.why_zh.endswith(("。", "？"))
    assert not HAN.search(entry.name + entry.why_en)
    assert HAN.search(entry.why_zh)
    for language in LANGUAGES:
        line = reading.line(entry, Words(language, "reference"))
        assert line.count("](http") == 1
        assert line.count(f"lang={language}&lab=") == len(entry.labs)


def test_every_kind_of_tool_has_some_and_no_other_kind_is_used():
    assert {tool.kind for tool in reading.tools()} == set(reading.KINDS)


def test_the_year_is_that_of_the_number():
    paper = next(paper for paper in reading.papers() if paper.arxiv == "1706.03762")
    assert (paper.title, paper.year) == ("Attention Is All You Need", 2017)


def test_a_search_wants_every_word_wherever_it_stands():
    found = [paper.arxiv for paper in reading.papers() if reading.matches(paper, "lora rank")]
    assert "2106.09685" in found
    assert "1706.03762" not in found
    assert reading.matches(reading.papers()[0], reading.papers()[0].arxiv)


# Prose.


@pytest.mark.parametrize("path", GUIDES)
def test_both_languages_have_as_many_entries_and_send_to_the_same_labs(path):
    for section in GUIDES[path]:
        zh, en = (guide.entries(i18n.prose(language, path)[section]) for language in ("zh", "en"))
        assert len(zh) == len(en) >= 5
        for (head_zh, body_zh), (head_en, body_en) in zip(zh, en, strict=True):
            assert set(links.labs_in(body_zh)) == set(links.labs_in(body_en)), head_en
            assert links.labs_in(body_en), head_en
            assert body_zh
            assert HAN.search(head_zh)
            assert not HAN.search(head_en + body_en)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", GUIDES)
def test_every_number_quoted_stands_in_a_lab_that_is_named(path, language):
    """So that a lab's new recording cannot leave an old number behind here."""
    for section in GUIDES[path]:
        for head, body in guide.entries(i18n.prose(language, path)[section]):
            told = "\n".join(
                "\n".join(i18n.prose(language, f"{catalog.LABS[lab].chapter}/{lab}").values())
                for lab in links.labs_in(body)
            )
            for number in re.findall(r"(?<![\d.,])\d+\.\d+(?![\d.])", body):
                assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", told), f"{head}: {number}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_to_a_lab_becomes_a_link(language):
    words = Words(language, "reference")
    text = links.expanded("[[lora]]", words)
    assert text == f"[{words('lab.lora')}](alignment?lang={language}&lab=lora)"
    with pytest.raises(KeyError):
        links.expanded("[[no_such_lab]]", words)


def test_a_question_is_found_by_its_words():
    assert guide.matches(("Why?", "Because of the mask."), "MASK why")
    assert not guide.matches(("Why?", "Because of the mask."), "mask who")


# Data sets.


def test_the_four_that_everybody_asks_for_are_there():
    assert {"wikitext", "squad", "alpaca", "humaneval"} <= set(data_sets.data_sets())
    hubs = {one.hub[0] for one in data_sets.data_sets().values() if one.hub}
    assert set(HUB_SETS) <= hubs  # what the instruction lab offers, and what is explained here


def test_every_set_shows_something_real():
    for one in data_sets.data_sets().values():
        assert one.hub or one.id in data_sets.LOCAL, one.id


@pytest.mark.parametrize("one", data_sets.data_sets().values(), ids=lambda one: one.id)
def test_the_code_that_loads_a_set_runs(one):
    """Line by line; only lines that need a hub, or a file of the learner's, are compiled and not run."""
    compile(one.load, one.id, "exec")
    here = {}
    for line in one.load.strip().splitlines():
        needs_hub = any(name in line for name in ("load_dataset", "owner", "wikitext()", *HUB_SETS))
        if needs_hub or "lines" in line or "my_rows" in line:
            continue
        exec(line, here)
    assert any(not name.startswith("__") for name in here)


def test_instructions_are_shown_in_alpacas_columns():
    assert tuple(data_sets.as_row(Instruction("a", "b", "c"))) == COLUMNS
