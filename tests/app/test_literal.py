"""A stranger's text in markdown and in a spreadsheet: shown letter by letter, read as nothing."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app import literal

MARKS = st.text("ab `*_[]()!<>$:\\#\n&~|\t-=+", max_size=30)


@given(MARKS)
def test_markdown_shows_the_text_and_reads_nothing_into_it(text):
    """By a parser of CommonMark: in the middle of a sentence stands one span of code, with the text."""
    (paragraph,) = [
        t for t in MarkdownIt("commonmark").parse(f"a {literal.in_markdown(text)} b") if t.children
    ]
    assert [t.type for t in paragraph.children] == ["text", "code_inline", "text"]
    assert paragraph.children[1].content.strip() == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "-1+cmd|' /C calc'!A0"],
)
def test_no_cell_and_no_column_of_a_download_is_a_formula(text):
    data = literal.csv(pd.DataFrame({text: [text, "tea"], "n": [-1.5, 2.0]}))
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows == [[f"'{text}", "n"], [f"'{text}", "-1.5"], ["tea", "2.0"]]


@pytest.mark.parametrize("number", ["-1", "+2.5", "-3e-4", "-7 %".replace(" ", "")])
def test_a_number_that_is_written_as_text_stays_a_number(number):
    assert literal.in_cell(number) == number


def test_two_columns_may_have_one_name():
    table = pd.DataFrame([["=x", 1]], columns=["a", "a"])
    assert literal.csv(table).decode("utf-8-sig").split() == ["a,a", "'=x,1"]
