"""What an OpenAI-compatible endpoint is asked, checked field by field before anything is computed.

A field that this server does not know how to honour is refused, not skipped: a client that asks for tools
and gets prose would not find out. Fields that change nothing about the answer are let through.

Source: the OpenAI API reference, chat completions and completions, and its error object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_TOKENS, MOST_CHARACTERS, MOST_MESSAGES, MOST_STOPS = 512, 20_000, 64, 4
DEFAULT_TOKENS = {"chat": 256, "completion": 16}
ROLES = ("system", "developer", "user", "assistant")
HARMLESS = {
    "user", "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier",
    "prompt_cache_key", "verbosity", "modalities", "reasoning_effort",
}  # fmt: skip
# Fields that are allowed as long as they ask for nothing: the values that do.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (None, 1), "best_of": (None, 1), "presence_penalty": (None, 0), "frequency_penalty": (None, 0),
    "logit_bias": (None, {}), "logprobs": (None, False, 0), "top_logprobs": (None, 0),
    "echo": (None, False), "suffix": (None, ""), "tools": (None, []), "tool_choice": (None, "none", "auto"),
    "functions": (None, []), "function_call": (None, "none", "auto"),
    "response_format": (None, {"type": "text"}),
}  # fmt: skip
ANSWERED = {
    "model", "messages", "prompt", "stream", "stream_options", "temperature", "top_p", "max_tokens",
    "max_completion_tokens", "stop", "seed",
}  # fmt: skip


class ApiError(Exception):
    """What goes back instead of an answer, in the API's own form."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None,
        kind: str = "invalid_request_error",
    ):  # fmt: skip
        self.status, self.message = status, message
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request in the terms of this server."""

    model: str
    messages: tuple[tuple[str, str], ...]  # (role, words); empty for a completion
    prompt: str  # "" for a chat
    stream: bool
    include_usage: bool
    temperature: float
    top_p: float
    most_tokens: int
    stops: tuple[str, ...]
    seed: int | None


def wanted(body: object, kind: str) -> Wanted:
    """Check the body of a request for a "chat" or a "completion". Raises ApiError with status 400."""
    if not isinstance(body, Mapping):
        raise ApiError(400, "The body must be a JSON object.")
    for name, value in body.items():
        if name not in ANSWERED | HARMLESS and name not in NEUTRAL:
            raise ApiError(400, f"Unrecognized request argument supplied: {name[:60]}", name[:60])
        # `==` alone would let True pass for 1 and False for 0
        if name in NEUTRAL and not any(
            value == neutral and isinstance(value, bool) == isinstance(neutral, bool)
            for neutral in NEUTRAL[name]
        ):
            raise ApiError(
                400, f"This server does not support {name}={str(value)[:40]}.", name,
                "unsupported_value",
            )  # fmt: skip
    options = body.get("stream_options") or {}
    if not isinstance(options, Mapping):
        raise ApiError(400, "stream_options must be an object.", "stream_options")
    return Wanted(
        model=_text(body, "model"),
        messages=_messages(body) if kind == "chat" else (),
        prompt=_prompt(body) if kind == "completion" else "",
        stream=_flag(body, "stream"),
        include_usage=_flag(options, "include_usage"),
        temperature=_number(body, "temperature", 1.0, 0, 2),
        top_p=_number(body, "top_p", 1.0, 0, 1),
        most_tokens=_most_tokens(body, kind),
        stops=_stops(body),
        seed=_whole(body, "seed", -(2**63), 2**63 - 1),
    )


def _text(body: Mapping, name: str) -> str:
    value = body.get(name)
    if value is None:
        raise ApiError(400, f"You must provide {name}.", name, "missing_required_parameter")
    if not isinstance(value, str):
        raise ApiError(400, f"{name} must be a string.", name, "invalid_type")
    return value


def _flag(body: Mapping, name: str) -> bool:
    value = body.get(name)
    if value not in (None, True, False) or (
        isinstance(value, int | float) and value is not bool(value)
    ):
        raise ApiError(400, f"{name} must be true or false.", name, "invalid_type")
    return bool(value)


def _number(body: Mapping, name: str, default: float, low: float, high: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(400, f"{name} must be a number.", name, "invalid_type")
    above = value > 0 if name == "top_p" else value >= low
    if not (above and value <= high):
        raise ApiError(400, f"{name} must lie between {low} and {high}.", name, "invalid_value")
    return float(value)


def _whole(body: Mapping, name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiError(400, f"{name} must be an integer.", name, "invalid_type")
    if not low <= value <= high:
        raise ApiError(400, f"{name} must lie between {low} and {high}.", name, "invalid_value")
    return value


def _most_tokens(body: Mapping, kind: str) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        value = _whole(body, name, 1, MOST_TOKENS)
        if value is not None:
            return value
    return DEFAULT_TOKENS[kind]


def _stops(body: Mapping) -> tuple[str, ...]:
    stop = body.get("stop")
    stops: Sequence = [] if stop is None else [stop] if isinstance(stop, str) else stop
    fits = isinstance(stops, list) and len(stops) <= MOST_STOPS
    if not fits or not all(isinstance(one, str) and 0 < len(one) <= 200 for one in stops):
        raise ApiError(
            400, f"stop must be a text or at most {MOST_STOPS} of them.", "stop", "invalid_value"
        )
    return tuple(stops)


def _messages(body: Mapping) -> tuple[tuple[str, str], ...]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= MOST_MESSAGES:
        raise ApiError(400, f"messages must be a list of 1 to {MOST_MESSAGES}.", "messages")
    turns = []
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        if not isinstance(message, Mapping):
            raise ApiError(400, f"{where} must be an object.", where, "invalid_type")
        role = message.get("role")
        if role not in ROLES:
            raise ApiError(400, f"{where}.role must be one of {', '.join(ROLES)}.", f"{where}.role",
                           "invalid_value")  # fmt: skip
        words = _words(message.get("content"), f"{where}.content")
        turns.append(("system" if role == "developer" else role, words))
    _check_length("".join(words for _, words in turns), "messages")
    return tuple(turns)


def _words(content: object, where: str) -> str:
    """A message's text: a string, or the API's list of parts, of which only text can be read here."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content:
        texts = [part.get("text") for part in content
                 if isinstance(part, Mapping) and part.get("type") == "text"]  # fmt: skip
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(texts)
    raise ApiError(400, f"{where} must be text.", where, "invalid_type")


def _prompt(body: Mapping) -> str:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise ApiError(400, "prompt must be one text that is not empty.", "prompt", "invalid_type")
    _check_length(prompt, "prompt")
    return prompt


def _check_length(text: str, name: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise ApiError(
            400, f"{name} holds more than {MOST_CHARACTERS} characters.", name,
            "context_length_exceeded",
        )  # fmt: skip
