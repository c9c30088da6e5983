"""How often SmolLM2 calls rightly, freely and under the schema: five questions for each call.

Axes: N requests.
"""

import json
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from labcore.errors import LabInputError
from labcore.frontier import toolbox
from labcore.frontier.call_requests import REQUESTS, Request
from labcore.frontier.calling import MODEL, written
from labcore.frontier.schema_grammar import automaton_of
from labcore.zoo import load

WAYS = ("free", "schema")
SCORES = ("json", "valid", "tool", "arguments", "result")
MOST_TOKENS = 70
# One example a tool, none of them in the test set.
EXAMPLES = (
    ("How much is 6 times 7?", "calculate", {"expression": "6*7"}),
    ("How many days from 2001-02-03 to 2001-02-10?", "days_between",
     {"first": "2001-02-03", "second": "2001-02-10"}),
    ("How many cm are 5 inches?", "convert", {"amount": 5, "source": "inch", "target": "cm"}),
    ("How many moons does Earth have?", "look_up", {"planet": "Earth", "column": "moons"}),
    ("What is a softmax?", "search", {"query": "softmax"}),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class CallStudy:
    requests: list[str]
    tools: list[str]  # that each request needs
    texts: dict[str, list[str]]  # by way: what was written
    scores: dict[str, dict[str, np.ndarray]]  # by way, by score: (N,) bool
    tokens: dict[str, np.ndarray]  # by way: (N,)


def prompt_ids(request: str) -> list[int]:
    """All tools with their arguments, an example of each, and the request."""
    tools = [
        {"name": tool.name, "description": tool.description,
         "arguments": {name: _short(one) for name, one in tool.schema["properties"].items()}}
        for tool in toolbox.TOOLS.values()
    ]  # fmt: skip
    told = "You answer by calling a tool. Write one JSON object with name and arguments. Tools:\n"
    turns = [("system", told + "\n".join(json.dumps(tool) for tool in tools))]
    for asked, name, arguments in EXAMPLES:
        turns += [
            ("user", asked),
            ("assistant", json.dumps({"name": name, "arguments": arguments})),
        ]
    return load(MODEL).tokenizer.conversation_ids([*turns, ("user", request)])


def _short(schema) -> str:
    return " | ".join(map(str, schema["enum"])) if "enum" in schema else schema["type"]


def judge(text: str, request: Request) -> dict[str, bool]:
    """Is it JSON, a valid call, of the right tool, with the very arguments, with the right result?"""
    score = dict.fromkeys(SCORES, False)
    try:
        json.loads(text)
        score["json"] = True
        name, arguments = toolbox.read_call(text)
    except (ValueError, LabInputError):
        return score
    known = name in toolbox.TOOLS
    score["valid"] = known and not toolbox.first_problem(arguments, toolbox.TOOLS[name].schema)
    score["tool"] = name == request.tool
    score["arguments"] = score["tool"] and arguments == request.arguments
    if score["valid"] and score["tool"]:
        with suppress(LabInputError):  # a valid call may still fail: a day that no month has
            score["result"] = toolbox.call(name, arguments) == toolbox.call(
                request.tool, request.arguments
            )
    return score


def study() -> CallStudy:
    """All requests, both ways, always the likeliest token."""
    automaton = automaton_of(toolbox.call_schema())
    texts: dict[str, list[str]] = {way: [] for way in WAYS}
    counts: dict[str, list[int]] = {way: [] for way in WAYS}
    scores: dict[str, list[dict[str, bool]]] = {way: [] for way in WAYS}
    for request in REQUESTS:
        prompt = prompt_ids(request.text)
        for way in WAYS:
            under = automaton if way == "schema" else None
            rng = torch.Generator().manual_seed(0)
            course = [text for text, _ in written(prompt, under, 0.0, MOST_TOKENS, rng)]
            text = course[-1] if course else ""
            texts[way].append(text)
            counts[way].append(len(course))
            scores[way].append(judge(text, request))
    return CallStudy(
        [request.text for request in REQUESTS], [request.tool for request in REQUESTS], texts,
        {way: {name: np.array([one[name] for one in scores[way]]) for name in SCORES} for way in WAYS},
        {way: np.array(counts[way]) for way in WAYS},
    )  # fmt: skip
