"""Tools and papers: plain lists with a source each, a sentence on why, and the labs that go with them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import streamlit as st

from app import catalog
from app.catalog import ROOT
from app.i18n import Language, Words
from app.reference import links

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = ROOT / "assets" / "reference"
KINDS = ("train", "tune", "align", "compress", "serve", "inspect", "measure")


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    kind: str  # one of KINDS
    url: str
    why_en: str
    why_zh: str
    labs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    arxiv: str
    title: str
    why_en: str
    why_zh: str
    labs: tuple[str, ...]

    @property
    def year(self) -> int:
        """Of the first version: an arXiv number begins with it."""
        return 2000 + int(self.arxiv[:2])

    @property
    def url(self) -> str:
        return f"https://arxiv.org/abs/{self.arxiv}"

    @property
    def name(self) -> str:
        return f"{self.title} ({self.year})"

    @property
    def chapter(self) -> str:
        return catalog.LABS[self.labs[0]].chapter


def why(entry: Tool | Paper, language: Language) -> str:
    return entry.why_en if language == "en" else entry.why_zh


@cache
def tools() -> tuple[Tool, ...]:
    return tuple(Tool(**_entry(facts)) for facts in _read("tools"))


@cache
def papers() -> tuple[Paper, ...]:
    """All of them, oldest first."""
    found = [Paper(**_entry(facts)) for facts in _read("papers")]
    return tuple(sorted(found, key=lambda paper: paper.arxiv))


def _read(name: str) -> list[dict]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))["entry"]


def _entry(facts: dict) -> dict:
    unknown = [lab for lab in facts["labs"] if lab not in catalog.LABS]
    if unknown or not facts["labs"]:
        raise ValueError(f"{facts}: labs {unknown or 'missing'}")
    return {**facts, "labs": tuple(facts["labs"])}


def show_tools(words: Words) -> None:
    for kind in KINDS:
        st.subheader(words(f"tools.{kind}"), anchor=False)
        _list([tool for tool in tools() if tool.kind == kind], words)


def show_papers(words: Words) -> None:
    query = st.text_input(
        words("papers.search"), key=f"reference.papers@{words.language}", max_chars=60
    )
    found = [paper for paper in papers() if matches(paper, query)]
    st.caption(words("papers.count", count=len(found), all=len(papers())))
    for chapter in catalog.CHAPTERS:
        inside = [paper for paper in found if paper.chapter == chapter.id]
        if inside:
            st.subheader(words(f"chapter.{chapter.id}"), anchor=False)
            _list(inside, words)


def matches(paper: Paper, query: str) -> bool:
    """Whether every word of `query` stands in the paper's number, title, reasons or labs."""
    titles = [Words(language)(f"lab.{lab}") for language in ("en", "zh") for lab in paper.labs]
    text = " ".join([paper.arxiv, paper.name, paper.why_en, paper.why_zh, *titles]).lower()
    return all(word in text for word in query.lower().split())


def _list(entries: Sequence[Tool | Paper], words: Words) -> None:
    """One line each: the source, why to read it, and where it is at work in the labs."""
    with st.container(key=f"reading-{entries[0].labs[0]}-{len(entries)}"):
        st.markdown("\n".join(line(entry, words) for entry in entries))


def line(entry: Tool | Paper, words: Words) -> str:
    return words(
        "reading.line", name=entry.name, url=entry.url, why=why(entry, words.language),
        ways=words("reading.between").join(links.link(lab, words) for lab in entry.labs),
    )  # fmt: skip
