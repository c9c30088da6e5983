"""Principles that a program can check, so that a self-critique can be judged without a judge.

Each looks at the text alone, and says yes or no. They are crude on purpose: what is counted is exactly
what is written here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

SENTENCE_END = re.compile(r"[.!?。！？]+(?:[\"'”’)]*)(?:\s+|$|(?=[\u4e00-\u9fff]))")
MOST_SENTENCES = 2
UNSURE = {
    "en": ("not sure", "unsure", "may ", "might", "perhaps", "probably", "i think", "i believe",
           "don't know", "do not know", "uncertain", "could be"),
    "zh": ("不确定", "可能", "也许", "或许", "大概", "我想", "我认为", "不知道", "不太清楚", "未必"),
}  # fmt: skip
ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)、])\s*", re.MULTILINE)


def sentences(text: str) -> int:
    """How many sentences there are; items of a list count as one each, an unfinished one as well.

    >>> sentences("A cat sleeps. Why? It is warm")
    3
    """
    count = 0
    for line in text.splitlines():
        line = ITEM.sub("", line).strip()
        parts = [part for part in SENTENCE_END.split(line) if part.strip()]
        count += len(parts)
    return count


def is_short(text: str) -> bool:
    return 0 < sentences(text) <= MOST_SENTENCES


def says_unsure(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for words in UNSURE.values() for word in words)


def has_no_digits(text: str) -> bool:
    """No number in figures, and something said."""
    return bool(text.strip()) and not re.search(r"\d", text)


@dataclass(frozen=True, slots=True)
class Principle:
    name: str
    keeps: Callable[[str], bool]
    rule: dict[str, str]  # as the model reads it


PRINCIPLES: dict[str, Principle] = {
    one.name: one
    for one in (
        Principle(
            "short", is_short,
            {"en": "The answer has at most two sentences.", "zh": "回答最多两句话。"},
        ),
        Principle(
            "unsure", says_unsure,
            {"en": "The answer says that it may be wrong.", "zh": "回答要说明自己可能有错。"},
        ),
        Principle(
            "no_digits", has_no_digits,
            {"en": "The answer contains no digits.", "zh": "回答里不出现数字。"},
        ),
    )
}  # fmt: skip
