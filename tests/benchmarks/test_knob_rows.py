"""The rows of the knob benchmark name what there is: every lab, and a knob that the lab has words for."""

import pytest

from app import catalog
from app.i18n import Words
from benchmarks.knob_rows import LEFT_OUT, ROWS


def test_every_lab_has_a_row_or_a_reason():
    assert sorted([row.lab for row in ROWS] + list(LEFT_OUT)) == sorted(catalog.LABS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.lab)
def test_a_row_names_a_knob_of_the_lab_and_turns_it(row):
    assert Words("en", row.lab).find(f"knob.{row.knob}")
    assert row.steps
