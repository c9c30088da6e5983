"""Tools that a model may ask for: a short list, each with a schema, each run by us and never by the model.

A model writes a name and arguments, nothing more. The name is looked up, the arguments are checked against
the tool's JSON schema, the tool runs in this process, and its result is cut to a readable length. What is
not on the list, or not allowed here, is refused.

Sources: planets from NASA's planetary fact sheet (rounded); units are exact by definition.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import jsonschema

from labcore.errors import LabInputError
from labcore.frontier.bm25 import BM25, words_of
from labcore.frontier.calculator import calculate

MOST_RESULT = 300  # characters
MOST_AMOUNT = 10**12

PLANETS = {  # name -> (mean radius in km, length of a day in hours, known moons, year in days)
    "Mercury": (2440, 4222.6, 0, 88.0),
    "Venus": (6052, 2802.0, 0, 224.7),
    "Earth": (6371, 24.0, 1, 365.2),
    "Mars": (3390, 24.7, 2, 687.0),
    "Jupiter": (69911, 9.9, 95, 4331.0),
    "Saturn": (58232, 10.7, 146, 10747.0),
    "Uranus": (25362, 17.2, 28, 30589.0),
    "Neptune": (24622, 16.1, 16, 59800.0),
}  # fmt: skip
COLUMNS = ("radius_km", "day_hours", "moons", "year_days")

UNITS: dict[str, tuple[str, Fraction]] = {  # name -> (what it measures, its size in the base unit)
    "m": ("length", Fraction(1)), "km": ("length", Fraction(1000)), "cm": ("length", Fraction(1, 100)),
    "inch": ("length", Fraction("0.0254")), "foot": ("length", Fraction("0.3048")),
    "mile": ("length", Fraction("1609.344")), "kg": ("mass", Fraction(1)), "g": ("mass", Fraction(1, 1000)),
    "pound": ("mass", Fraction("0.45359237")), "s": ("time", Fraction(1)), "minute": ("time", Fraction(60)),
    "hour": ("time", Fraction(3600)), "day": ("time", Fraction(86400)),
}  # fmt: skip

DOCUMENTS = (
    "Attention weights are the softmax of query times key, divided by the square root of the head's width.",
    "A KV cache keeps the keys and values of all earlier tokens, so that each token is read only once.",
    "LoRA leaves the weights as they are and learns a correction of low rank beside them.",
    "Quantisation stores weights in few bits; a scale is shared by a row or a group of weights.",
    "Speculative decoding lets a small model guess and a large one check; the text stays the large one's.",
    "Temperature divides the logits before the softmax: below one it sharpens, above one it flattens.",
)


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    schema: Mapping[str, Any]  # of the arguments, a JSON schema
    function: Callable[..., str]


def call(
    name: str, arguments: Mapping[str, Any], allowed: Collection[str] | None = None,
    tools: Mapping[str, Tool] | None = None,
) -> str:  # fmt: skip
    """Run a tool and give back its result as text.

    Raises LabInputError: "unknown_tool", "forbidden_tool", "tool_arguments", or what the tool itself
    found wrong with its arguments.
    """
    tools = TOOLS if tools is None else tools
    if name not in tools:
        raise LabInputError("tool", str(name)[:60], "unknown_tool")
    if allowed is not None and name not in allowed:
        raise LabInputError("tool", name, "forbidden_tool")
    problem = first_problem(arguments, tools[name].schema)
    if problem:
        raise LabInputError("arguments", problem, "tool_arguments")
    return tools[name].function(**arguments)[:MOST_RESULT]


def first_problem(value: object, schema: Mapping[str, Any]) -> str:
    """What is wrong with a value by its schema; "" if nothing is."""
    errors = jsonschema.Draft202012Validator(schema).iter_errors(value)
    return next((error.message[:120] for error in errors), "")


def _calculate(expression: str) -> str:
    found = calculate(expression)
    return str(found) if found.denominator == 1 else f"{float(found):.10g}"


def _days_between(first: str, second: str) -> str:
    return str((_date(second) - _date(first)).days)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise LabInputError("date", text, "no_such_date") from None


def _convert(amount: float, source: str, target: str) -> str:
    (kind, size), (other, unit) = UNITS[source], UNITS[target]
    if (
        not -MOST_AMOUNT <= amount <= MOST_AMOUNT
    ):  # JSON as Python reads it may hold NaN and infinities
        raise LabInputError(
            "amount", str(amount)[:40], "between", low=-MOST_AMOUNT, high=MOST_AMOUNT
        )
    if kind != other:
        raise LabInputError("target", target, "other_quantity", source=source)
    return f"{float(Fraction(str(amount)) * size / unit):.6g}"


def _look_up(planet: str, column: str) -> str:
    return str(PLANETS[planet][COLUMNS.index(column)])


def search_tool(documents: Sequence[str]) -> Tool:
    """A search through these documents, best match first."""
    index = BM25([words_of(text) for text in documents])

    def search(query: str) -> str:
        scores = index.scores(words_of(query))
        return documents[int(scores.argmax())] if scores.max() > 0 else "nothing found"

    text = {"type": "string", "minLength": 2, "maxLength": 60}
    return Tool("search", "find a passage about a topic", _object(query=text), search)


def _object(**properties: Any) -> dict[str, Any]:
    """A schema of an object that has just these, all of them required."""
    return {
        "type": "object", "properties": properties, "required": list(properties),
        "additionalProperties": False,
    }  # fmt: skip


_DATE = {"type": "string", "pattern": r"^(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"}
_UNIT = {"enum": sorted(UNITS)}
TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("calculate", "work out a sum",
             _object(expression={"type": "string", "pattern": r"^[0-9 ().*/+-]{1,20}$"}), _calculate),
        Tool("days_between", "count the days from one date to another",
             _object(first=_DATE, second=_DATE), _days_between),
        Tool("convert", "turn an amount of one unit into another unit",
             _object(amount={"type": "number"}, source=_UNIT, target=_UNIT), _convert),
        Tool("look_up", "read a number from a table of planets",
             _object(planet={"enum": list(PLANETS)}, column={"enum": list(COLUMNS)}), _look_up),
        search_tool(DOCUMENTS),
    )
}  # fmt: skip


def call_schema(tools: Collection[str] | None = None) -> dict[str, Any]:
    """The schema of a whole call: a name of the list, and the arguments that this tool takes."""
    names = list(TOOLS) if tools is None else [name for name in TOOLS if name in tools]
    if not names:
        raise LabInputError("tools", 0, "not_empty")
    calls = [_object(name={"const": name}, arguments=TOOLS[name].schema) for name in names]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def read_call(text: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments from what a model has written: the first JSON object in it.

    Raises LabInputError "no_call": no object, or not of the form {"name": …, "arguments": {…}}.
    """
    start = text.find("{")
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:] if start >= 0 else "")
    except (ValueError, RecursionError):
        raise LabInputError("call", text[:60], "no_call") from None
    name = found.get("name") if isinstance(found, dict) else None
    arguments = found.get("arguments") if isinstance(found, dict) else None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise LabInputError("call", text[:60], "no_call")
    return name, arguments
