"""Whatever the grammar lets through is valid by `jsonschema`, for hundreds of random schemas and texts."""

import json

import jsonschema
import numpy as np
import pytest
import torch

from labcore import zoo
from labcore.errors import LabInputError
from labcore.frontier.calling import EXAMPLE_SCHEMA, may_come
from labcore.frontier.schema_grammar import automaton_of, schema_from
from labcore.frontier.toolbox import call_schema


def random_schema(rng, depth=0):
    """Any mixture of what the grammar knows."""
    kinds = ["string", "integer", "number", "boolean", "null", "enum", "range"]
    if depth < 2:
        kinds += ["object", "object", "array", "anyOf"]
    kind = kinds[rng.integers(len(kinds))]
    if kind == "enum":
        return {"enum": [["a", "b c"], [1, True, None], ["数", "x"]][rng.integers(3)]}
    if kind == "range":
        low = int(rng.integers(-5, 5))
        return {"type": "integer", "minimum": low, "maximum": low + int(rng.integers(0, 30))}
    if kind == "string":
        low = int(rng.integers(0, 3))
        return {"type": "string", "minLength": low, "maxLength": low + int(rng.integers(0, 6))}
    if kind == "array":
        low = int(rng.integers(0, 2))
        items = random_schema(rng, depth + 1)
        return {"type": "array", "items": items, "minItems": low, "maxItems": low + 2}
    if kind == "anyOf":
        return {"anyOf": [random_schema(rng, depth + 1) for _ in range(2)]}
    if kind == "object":
        names = ["a", "b", "c"][: int(rng.integers(0, 4))]
        return {
            "type": "object", "properties": {name: random_schema(rng, depth + 1) for name in names},
            "required": [name for name in names if rng.random() < 0.5], "additionalProperties": False,
        }  # fmt: skip
    return {"type": kind}


@pytest.fixture(scope="module")
def tokenizer():
    return zoo.load("world-decoder").tokenizer


def random_text(automaton, tokenizer, rng, most=400):
    """Tokens drawn by a model that knows nothing, under the automaton."""
    text, state = "", 0
    for _ in range(most):
        probs = torch.rand(tokenizer.vocab_size, generator=rng) ** 8
        ways, _ = may_come(probs, automaton, state, tokenizer)
        if not ways:
            break
        tokens = list(ways)
        token = tokens[int(torch.multinomial(probs[tokens] + 1e-9, 1, generator=rng))]
        if token == tokenizer.eos_id:
            break
        text, state = text + tokenizer.token_bytes(token).decode(), ways[token]
    return text


def test_hundreds_of_random_schemas_and_texts_are_valid(tokenizer):
    """300 schemas, one random text each; `jsonschema` judges them, and none may fail."""
    rng, chance = np.random.default_rng(0), torch.Generator().manual_seed(0)
    for _ in range(300):
        schema = random_schema(rng)
        automaton = automaton_of(schema)
        text = random_text(automaton, tokenizer, chance)
        jsonschema.validate(json.loads(text), schema)
        assert automaton.matches(text)


def test_random_calls_of_the_tools_are_valid(tokenizer):
    automaton, chance = automaton_of(call_schema()), torch.Generator().manual_seed(1)
    names = set()
    for _ in range(60):
        told = json.loads(random_text(automaton, tokenizer, chance))
        jsonschema.validate(told, call_schema())
        names.add(told["name"])
    assert len(names) >= 3


def test_a_small_language_is_complete():
    """The docstring's example: six texts, counted by walking all short ones over a small alphabet."""
    automaton = automaton_of(
        {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2}
    )
    values = ["true", "false"]
    texts = [f"[{one}]" for one in values] + [f"[{a}, {b}]" for a in values for b in values]
    assert all(automaton.matches(text) for text in texts)
    for wrong in ("[]", "[true,false]", "[true, true, true]", "true", "[true, ]", "[ true]"):
        assert not automaton.matches(wrong)


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "integer", "minimum": 0}, ["0", "7", "120"], ["-1", "007", "1.5"]),
        ({"type": "integer", "minimum": 1}, ["1"], ["0", "-1"]),
        ({"type": "integer", "minimum": 9, "maximum": 11}, ["9", "10", "11"], ["8", "12", "1"]),
        ({"type": "number"}, ["-3.25", "0", "10.5"], ["01", ".5", "1."]),
        ({"type": "string", "pattern": "^[a-c]{2}$"}, ['"ab"'], ['"a"', '"ad"', "ab"]),
        ({"enum": ["x", 1, None]}, ['"x"', "1", "null"], ["x", "2"]),
        ({"type": "object"}, ["{}"], ['{"a": 1}']),
        (EXAMPLE_SCHEMA,
         ['{"city": "Rome", "day": "today"}', '{"city": "", "day": "today", "celsius": true}'],
         ['{"day": "today"}', '{"day": "today", "city": "Rome"}', '{"city": "Rome", "day": "now"}']),
    ],
)  # fmt: skip
def test_single_rules(schema, right, wrong):
    automaton = automaton_of(schema)
    assert all(automaton.matches(text) for text in right)
    assert not any(automaton.matches(text) for text in wrong)


def test_an_optional_property_may_be_left_out_anywhere():
    names = {name: {"const": 1} for name in "abc"}
    automaton = automaton_of({"type": "object", "properties": names, "required": ["b"]})
    for kept in ("b", "ab", "bc", "abc"):
        assert automaton.matches("{" + ", ".join(f'"{name}": 1' for name in kept) + "}")
    for kept in ("", "a", "c", "ac", "ba"):
        assert not automaton.matches("{" + ", ".join(f'"{name}": 1' for name in kept) + "}")


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        ({"type": "string", "format": "date", "contentEncoding": "base64"}, "schema_keyword"),
        ({"type": "object", "patternProperties": {}}, "schema_keyword"),
        ({"$ref": "#/x"}, "schema_keyword"), ({"oneOf": []}, "schema_keyword"), ({}, "schema_keyword"),
        ({"type": ["string", "null"]}, "schema_keyword"), ({"type": "date"}, "schema_keyword"),
        ({"type": "string", "maxLength": 10**9}, "schema_value"),
        ({"type": "string", "minLength": True}, "schema_value"),
        ({"type": "string", "pattern": "[a-z]"}, "schema_value"),
        ({"type": "string", "pattern": "^(?=x)$"}, "readable_pattern"),
        ({"type": "integer", "maximum": 3}, "schema_value"),
        ({"type": "integer", "minimum": 0, "maximum": 10**6}, "schema_value"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "schema_value"),
        ({"enum": []}, "schema_value"), ({"anyOf": []}, "schema_value"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "schema_value"),
        ({"type": "object", "properties": [1]}, "schema_value"),
        ({"type": "array", "items": 3}, "schema_keyword"),
    ],
)  # fmt: skip
def test_what_the_grammar_cannot_promise_it_refuses_by_name(schema, rule):
    with pytest.raises(LabInputError) as error:
        automaton_of(schema)
    assert error.value.rule == rule


def test_schemas_that_are_too_much():
    deep = {"type": "boolean"}
    for _ in range(10):
        deep = {"type": "array", "items": deep}
    with pytest.raises(LabInputError) as error:
        automaton_of(deep)
    assert error.value.rule == "schema_depth"
    for text, rule in (
        ("x" * 5_000, "schema_size"),
        ("{", "not_json"),
        ("[1]", "not_json"),
        ("[" * 2_000, "not_json"),
    ):
        with pytest.raises(LabInputError) as error:
            schema_from(text)
        assert error.value.rule == rule
