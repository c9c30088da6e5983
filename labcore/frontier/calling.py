"""SmolLM2 writes a call: freely, or under the schema, and what the schema ruled out.

Under the schema a token may come only if all its characters can be read from the present state. Of the
vocabulary only the likeliest tokens are looked at, 200 at a time, until some may come: the rest has next to
no probability, and to ask about fifty thousand tokens at every step would take longer than the model.
Axes: V vocabulary.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.frontier.schema_grammar import automaton_of, schema_from
from labcore.frontier.toolbox import first_problem
from labcore.model.cache import KVCache
from labcore.model.generation import check_sampling, next_token_probs, sample
from labcore.serving.regular import Automaton
from labcore.zoo import load

MODEL = "smollm2-135m-instruct"
LOOKED_AT, TOP = 200, 5
MOST_REQUEST = 300  # characters

EXAMPLE_SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "day": {"enum": ["today", "tomorrow"]},
        "celsius": {"type": "boolean"},
    },
    "required": ["city", "day"],
}


@lab_config
class CallingConfig:
    request: str = "Will it rain in Paris tomorrow?"
    schema: str = json.dumps(EXAMPLE_SCHEMA)
    temperature: float = 0.0
    most_tokens: int = 60
    seed: int = 0

    def __post_init__(self):
        check_sampling(self.temperature, 0, 1.0)
        if not 0 < len(self.request.strip()) <= MOST_REQUEST:
            raise LabInputError("request", len(self.request), "at_most", limit=MOST_REQUEST)
        if not 1 <= self.most_tokens <= 200:
            raise LabInputError("most_tokens", self.most_tokens, "between", low=1, high=200)


@dataclass(frozen=True, slots=True)
class Place:
    """One token written under the schema, and what the model had rather said."""

    token: str
    likeliest: list[tuple[str, float, bool]]  # label, the model's probability, whether it may come
    mass: float  # the model's probability of all that may come, among those looked at


@dataclass(frozen=True, slots=True)
class Written:
    text: str
    problem: str  # what is wrong with it by the schema; "" if nothing is
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CallingResult:
    constrained: Written
    free: Written


def run(config: CallingConfig) -> CallingResult:
    return drain(write(config))


def write(config: CallingConfig) -> Generator[str, None, CallingResult]:
    """The same request twice; yields what has been written so far."""
    schema = schema_from(config.schema)
    automaton = automaton_of(schema)
    prompt = prompt_ids(config.request, schema)
    done: list[Written] = []
    for under in (automaton, None):
        rng = torch.Generator().manual_seed(config.seed)
        text, places = "", []
        for told in written(prompt, under, config.temperature, config.most_tokens, rng):
            text, places = told
            yield text
        done.append(Written(text, problem_of(text, schema), places))
    return CallingResult(*done)


def prompt_ids(request: str, schema: Mapping[str, Any]) -> list[int]:
    """The request, and what the answer has to look like, as a chat that the model is to go on with."""
    told = (
        "You turn requests into JSON. Answer with one JSON object of this schema and nothing else:\n"
        + json.dumps(schema, ensure_ascii=False)
    )
    turns = [("system", told), ("user", request)]
    return load(MODEL).tokenizer.conversation_ids(turns)


@torch.no_grad()
def written(
    prompt: Sequence[int], automaton: Automaton | None, temperature: float, most_tokens: int,
    rng: torch.Generator,
) -> Generator[tuple[str, list[Place]], None, None]:  # fmt: skip
    """Token by token: the text so far, and the places of a text under an automaton."""
    loaded = load(MODEL)
    tokenizer, cache = loaded.tokenizer, KVCache()
    unread, text, state, places = torch.tensor([list(prompt)]), "", 0, []
    for _ in range(most_tokens):
        logits = loaded.model(unread, cache=cache).logits[0, -1].double()
        probs = logits.softmax(dim=0)  # the model's own, whatever the temperature
        if automaton is None:
            token = sample(next_token_probs(logits, temperature), rng)
            if token == tokenizer.eos_id:
                return
        else:
            ways, likeliest = may_come(probs, automaton, state, tokenizer)
            if not ways:
                return  # the text is complete, and nothing but its end may come
            # to choose among these alone is the same as giving the others probability 0
            among = next_token_probs(logits[list(ways)], temperature)
            token, state = list(ways.items())[sample(among, rng)]
            places = [
                *places,
                Place(tokenizer.label(token), likeliest, float(probs[list(ways)].sum())),
            ]
            if token == tokenizer.eos_id:
                return
        text += tokenizer.token_bytes(token).decode(errors="replace")
        yield text, places
        unread = torch.tensor([[token]])


def may_come(
    probs: Tensor, automaton: Automaton, state: int, tokenizer
) -> tuple[dict[int, int], list[tuple[str, float, bool]]]:
    """Tokens that may come -> the state they lead to, and the likeliest tokens with their verdicts.

    Looks at the likeliest tokens first and stops as soon as a batch of them holds one that may come; the end
    of the text may come wherever the automaton allows it.
    """
    order = probs.argsort(descending=True)
    ways: dict[int, int] = {}
    for start in range(0, len(order), LOOKED_AT):
        for token in order[start : start + LOOKED_AT].tolist():
            if token == tokenizer.eos_id:
                if automaton.ends[state]:
                    ways[token] = state
                continue
            spelled = tokenizer.token_bytes(token).decode(errors="replace")
            following = (
                automaton.walk(state, spelled) if spelled and "\ufffd" not in spelled else None
            )
            if following is not None:
                ways[token] = following
        if ways or automaton.ends[state]:
            break
    likeliest = [
        (tokenizer.label(token), float(probs[token]), token in ways)
        for token in order[:TOP].tolist()
    ]
    return ways, likeliest


def problem_of(text: str, schema: Mapping[str, Any]) -> str:
    """What is wrong with a text by the schema, "" if nothing; told by `jsonschema`, not by our grammar."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "not JSON"
    return first_problem(value, schema)
