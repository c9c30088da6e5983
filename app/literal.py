"""A stranger's text where something else would read it: markdown in a sentence, a formula in a spreadsheet.

Most of what a learner types goes where nothing is read into it (text widgets, canvas, `st.text`, `st.code`).
These are the two places where it cannot.
"""

import re

import pandas as pd

# What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection"), wide forms included.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def in_markdown(text: str) -> str:
    r"""The text as one span of code, the only inline form in which markdown reads nothing: no link, no
    picture that is fetched, no formula, no icon, no address that becomes a link by itself.

    >>> in_markdown("![a](//b)"), in_markdown("a `b` c")
    ('`![a](//b)`', '``a `b` c``')
    """
    line = " ".join(text.split()) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    backticks = line.startswith("`") or line.endswith("`")
    edge = " " if backticks else ""  # the standard takes it off again
    return f"{fence}{edge}{line}{edge}{fence}"


def in_cell(text: str) -> str:
    """The text as a spreadsheet shows it, and never computes it; a number stays one.

    >>> in_cell("=1+1"), in_cell("-0.5"), in_cell("tea")
    ("'=1+1", '-0.5', 'tea')
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?%?", text) is not None


def csv(table: pd.DataFrame) -> bytes:
    """A table as a file that spreadsheets open: nothing in it is a formula, column names included."""
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    safe = pd.concat([_safe(column) for column in columns], axis=1) if columns else table
    safe.columns = [in_cell(str(name)) for name in table.columns]
    # The mark at the front tells spreadsheet programs that the file is UTF-8. subtle: with any other ending
    # of lines a lone carriage return stands unquoted in its cell, and what follows begins a row.
    return safe.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def _safe(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column):
        return column
    cells = [in_cell(cell) if isinstance(cell, str) else cell for cell in column]
    return pd.Series(cells, column.index, dtype=object)
