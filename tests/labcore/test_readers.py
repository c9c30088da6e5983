"""What reads a learner's text or file reads it or refuses it in a sentence, whatever it is.

`LLM_LAB_EXAMPLES=2000` tries that many of each instead of a few.
"""

import json
import os
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.classroom.keys import read_code
from app.labs.alignment.reward_label import decoded as read_labels
from app.labs.frontier.multimodal_picture import checked as read_cells
from app.labs.transformer.heads_ablate import parse as read_heads
from benchmarks.hostile import FILES, TEXTS
from labcore.architecture import by_hand
from labcore.compression import constraints
from labcore.errors import LabInputError
from labcore.frontier import calculator, schema_grammar, toolbox
from labcore.guard import undo
from labcore.pretraining import number_formats
from labcore.reasoning import game24, grid, vote
from labcore.retrieval import own_documents
from labcore.serving import online_softmax
from labcore.training import checkpoints, log_files
from labcore.tuning import instructions, lora_arithmetic
from labcore.vision import own_picture
from tests.labcore.test_configs import say

EXAMPLES = int(os.environ.get("LLM_LAB_EXAMPLES", "20"))


def _grammar(text: str):
    return schema_grammar.automaton_of(schema_grammar.schema_from(text))


def _of_a_link(parse):
    """A reader whose contract with `Controls.kept` is a ValueError: the link is then said to be wrong."""

    def tried(text: str) -> None:
        with suppress(ValueError):
            parse(text)

    return tried


TEXT_READERS = {
    "sum": calculator.calculate, "wishes": constraints.parse, "matrix": _of_a_link(by_hand.parse),
    "call": toolbox.read_call, "schema": _grammar, "number": number_formats.parse,
    "map": grid.read_map, "four numbers": game24.read_numbers, "question": vote.read_question,
    "documents": own_documents.read_typed, "scores": online_softmax.read_scores,
    "drawing": own_picture.read_drawing, "disguise": undo.decoded, "class": read_code,
    "labels": _of_a_link(read_labels), "cells": _of_a_link(read_cells),
    "heads off": _of_a_link(lambda text: read_heads(text, 4, 4)),
}  # fmt: skip
FILE_READERS = {
    "log": log_files.read_table, "picture": own_picture.read_picture,
    "adapter": lora_arithmetic.read_updates, "rows": instructions.read,
    "checkpoint": checkpoints.load_bytes,
    "document": lambda data: own_documents.read_file("a.txt", data),
}  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
).map(json.dumps)
ALPHABETS = st.one_of(
    st.text(max_size=60),
    JSON,
    st.text("0123456789.+-*/()^ ,;\n", max_size=40),
    st.text(".#SG\n", max_size=40),
)


def read(reader, given) -> None:
    try:
        reader(given)
    except LabInputError as refused:
        say(refused)


def read_all(reader, hostile, drawn, nothing) -> None:
    """What somebody thought of, what is drawn, and nothing at all."""
    for one in hostile:
        read(reader, one)

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(drawn)
    @example(nothing)
    def try_drawn(one):
        read(reader, one)

    try_drawn()


@pytest.mark.parametrize("name", TEXT_READERS)
def test_a_text_is_read_or_refused_in_a_sentence(name):
    read_all(TEXT_READERS[name], TEXTS, ALPHABETS, "")


@pytest.mark.parametrize("name", FILE_READERS)
def test_a_file_is_read_or_refused_in_a_sentence(name):
    drawn = st.one_of(st.binary(max_size=200), JSON.map(str.encode))
    read_all(FILE_READERS[name], FILES, drawn, b"")
