"""From a JSON schema to the automaton of all texts that keep to it.

A schema with bounded strings and arrays allows finitely many texts of one fixed spelling (a space behind
each comma and colon, properties in the order of the schema), so it is a regular language. What the
schema says in a way that is not regular, or that this small grammar does not know, is refused by name:
to leave a rule out would be to promise what is not kept.

Sources: JSON Schema 2020-12; Willard and Louf, arXiv:2307.09702 (tokens under an automaton).
"""

import json
import string
from collections.abc import Mapping
from functools import reduce
from typing import Any

from labcore.errors import LabInputError
from labcore.serving.regular import EMPTY, Automaton, Parser, Pattern, either, then, times

MOST_LETTERS, MOST_ITEMS, MOST_ENUMERATED, MOST_DEPTH, MOST_SCHEMA = 60, 8, 200, 6, 3_000
DEFAULT_LETTERS, DEFAULT_ITEMS, DIGITS = 40, 4, 6
MOST_STATES = 20_000
# Letters that need no escape in JSON; two alphabets are enough for this lab.
LETTERS = frozenset(
    (set(string.printable[:95]) - set('"\\')) | {chr(c) for c in range(0x4E00, 0x9FA6)}
)
LETTER: Pattern = ("class", LETTERS, False)
DIGIT: Pattern = ("class", frozenset(string.digits), False)
FIRST_DIGIT: Pattern = ("class", frozenset("123456789"), False)
ANNOTATIONS = {
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$id",
    "$comment",
    "format",
}
KNOWN = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength", "pattern"},
    "integer": {"minimum", "maximum"},
    "number": set(), "boolean": set(), "null": set(),
}  # fmt: skip


def automaton_of(schema: Mapping[str, Any]) -> Automaton:
    return Automaton(pattern_of(schema), MOST_STATES)


def schema_from(text: str) -> dict[str, Any]:
    """A learner's schema, read. Raises LabInputError "not_json" or "schema_size"."""
    if len(text) > MOST_SCHEMA:
        raise LabInputError("schema", len(text), "schema_size", limit=MOST_SCHEMA)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise LabInputError("schema", text[:40], "not_json") from None
    if not isinstance(found, dict):
        raise LabInputError("schema", text[:40], "not_json")
    return found


def pattern_of(schema: object, depth: int = 0) -> Pattern:
    """All texts of a schema.

    Worked by hand: {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2} gives
    "[", a boolean, perhaps ", " and another, "]": six texts.
    """
    if not isinstance(schema, Mapping):
        raise LabInputError("schema", str(schema)[:40], "schema_keyword", keyword=str(schema)[:40])
    if depth > MOST_DEPTH:
        raise LabInputError("schema", depth, "schema_depth", limit=MOST_DEPTH)
    said = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
    if "const" in said:
        _only(said, {"const", "type"})
        return _literal(said["const"])
    if "enum" in said:
        _only(said, {"enum", "type"})
        if not isinstance(said["enum"], list) or not 0 < len(said["enum"]) <= MOST_ENUMERATED:
            raise LabInputError("schema", "enum", "schema_value", keyword="enum")
        return either(*(_literal(value) for value in said["enum"]))
    if "anyOf" in said:
        _only(said, {"anyOf"})
        if not isinstance(said["anyOf"], list) or not said["anyOf"]:
            raise LabInputError("schema", "anyOf", "schema_value", keyword="anyOf")
        return either(*(pattern_of(one, depth + 1) for one in said["anyOf"]))
    kind = said.pop("type", None)
    if not isinstance(kind, str) or kind not in KNOWN:
        raise LabInputError(
            "schema", str(kind)[:40], "schema_keyword", keyword=f"type: {kind}"[:40]
        )
    _only(said, KNOWN[kind])
    return MAKE[kind](said, depth)


def _only(said: Mapping[str, Any], known: set[str]) -> None:
    for keyword in said:
        if keyword not in known:
            raise LabInputError("schema", keyword[:40], "schema_keyword", keyword=keyword[:40])


def _literal(value: object) -> Pattern:
    """One value, as JSON spells it."""
    return _text(json.dumps(value, ensure_ascii=False))


def _text(text: str) -> Pattern:
    """One text, letter by letter."""
    return reduce(lambda rest, c: then(("class", frozenset(c), False), rest), reversed(text), EMPTY)


def _whole(said: Mapping[str, Any], keyword: str, default: int, low: int, high: int) -> int:
    value = said.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise LabInputError("schema", str(value)[:40], "schema_value", keyword=keyword)
    return value


def _repeated(part: Pattern, low: int, high: int, between: Pattern = EMPTY) -> Pattern:
    """`part` at least `low` and at most `high` times."""
    rest = EMPTY
    for number in range(high, 0, -1):
        once = then(part if number == 1 else then(between, part), rest)
        rest = once if number <= low else either(EMPTY, once)
    return rest


def _string(said: Mapping[str, Any], depth: int) -> Pattern:
    if "pattern" in said:
        _only(said, {"pattern"})
        inner = said["pattern"]
        if not isinstance(inner, str) or not (inner.startswith("^") and inner.endswith("$")):
            raise LabInputError("schema", str(inner)[:40], "schema_value", keyword="pattern")
        return then(_text('"'), then(Parser(inner[1:-1]).pattern, _text('"')))
    low = _whole(said, "minLength", 0, 0, MOST_LETTERS)
    high = _whole(said, "maxLength", max(DEFAULT_LETTERS, low), low, MOST_LETTERS)
    return then(_text('"'), then(_repeated(LETTER, low, high), _text('"')))


def _integer(said: Mapping[str, Any], depth: int) -> Pattern:
    low, high = said.get("minimum"), said.get("maximum")
    for keyword, value in (("minimum", low), ("maximum", high)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise LabInputError("schema", str(value)[:40], "schema_value", keyword=keyword)
    if low is not None and high is not None:
        if not 0 <= high - low < MOST_ENUMERATED:
            raise LabInputError("schema", "maximum", "schema_value", keyword="maximum")
        return either(*(_text(str(number)) for number in range(low, high + 1)))
    if high is not None or low not in (None, 0, 1):
        raise LabInputError("schema", "minimum", "schema_value", keyword="minimum")
    positive = then(FIRST_DIGIT, times(DIGIT, 0, DIGITS - 1))
    if low == 1:
        return positive
    return either(_text("0"), positive if low == 0 else then(either(EMPTY, _text("-")), positive))


def _number(said: Mapping[str, Any], depth: int) -> Pattern:
    return then(_integer({}, depth), either(EMPTY, then(_text("."), times(DIGIT, 1, 4))))


def _array(said: Mapping[str, Any], depth: int) -> Pattern:
    low = _whole(said, "minItems", 0, 0, MOST_ITEMS)
    high = _whole(said, "maxItems", max(DEFAULT_ITEMS, low), low, MOST_ITEMS)
    items = pattern_of(said.get("items", {}), depth + 1)
    return then(_text("["), then(_repeated(items, low, high, _text(", ")), _text("]")))


def _object(said: Mapping[str, Any], depth: int) -> Pattern:
    """Properties in their order; those not required may be left out."""
    properties = said.get("properties", {})
    required = said.get("required", [])
    known = isinstance(properties, Mapping) and isinstance(required, list)
    if not known or not set(required) <= set(properties):
        raise LabInputError("schema", "required", "schema_value", keyword="required")
    if said.get("additionalProperties", False) not in (False, True):
        raise LabInputError("schema", "additionalProperties", "schema_keyword",
                            keyword="additionalProperties")  # fmt: skip
    # what may follow once a property has been written, and while none has
    after, before = EMPTY, EMPTY
    for name in reversed(properties):
        member = then(then(_literal(name), _text(": ")), pattern_of(properties[name], depth + 1))
        written, begun = then(then(_text(", "), member), after), then(member, after)
        optional = name not in required
        after = either(written, after) if optional else written
        before = either(begun, before) if optional else begun
    return then(_text("{"), then(before, _text("}")))


MAKE = {
    "object": _object, "array": _array, "string": _string, "integer": _integer, "number": _number,
    "boolean": lambda said, depth: either(_text("true"), _text("false")),
    "null": lambda said, depth: _text("null"),
}  # fmt: skip
