"""Forty requests with the calls that answer them, to count how often a model calls rightly.

Eight for each tool. A call is right if it names the tool and its arguments come to the same result: two
spellings of a sum are both right.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    text: str
    tool: str
    arguments: dict[str, Any]


def _sum(text: str, expression: str) -> Request:
    return Request(text, "calculate", {"expression": expression})


def _days(text: str, first: str, second: str) -> Request:
    return Request(text, "days_between", {"first": first, "second": second})


def _convert(text: str, amount: float, source: str, target: str) -> Request:
    return Request(text, "convert", {"amount": amount, "source": source, "target": target})


def _planet(text: str, planet: str, column: str) -> Request:
    return Request(text, "look_up", {"planet": planet, "column": column})


def _search(text: str, query: str) -> Request:
    return Request(text, "search", {"query": query})


REQUESTS = (
    _sum("What is 17 times 24?", "17*24"),
    _sum("Add 312 and 489.", "312+489"),
    _sum("How much is 1000 minus 387?", "1000-387"),
    _sum("Divide 144 by 12.", "144/12"),
    _sum("What do 3 tickets at 18 each cost?", "3*18"),
    _sum("Work out (5 + 7) * 9.", "(5+7)*9"),
    _sum("What is half of 530?", "530/2"),
    _sum("What is 45 + 55 + 65?", "45+55+65"),
    _days("How many days from 2024-01-01 to 2024-03-01?", "2024-01-01", "2024-03-01"),
    _days("How many days lie between 2023-12-25 and 2024-01-06?", "2023-12-25", "2024-01-06"),
    _days("Count the days from 2020-02-28 to 2020-03-01.", "2020-02-28", "2020-03-01"),
    _days("From 1999-12-31 to 2000-12-31: how many days?", "1999-12-31", "2000-12-31"),
    _days("How long is it from 2025-06-01 to 2025-09-01, in days?", "2025-06-01", "2025-09-01"),
    _days("Days between 2022-05-05 and 2022-05-20?", "2022-05-05", "2022-05-20"),
    _days("How many days passed from 2021-01-15 to 2021-02-15?", "2021-01-15", "2021-02-15"),
    _days("Number of days from 2026-11-26 to 2026-12-25?", "2026-11-26", "2026-12-25"),
    _convert("How many km are 26.2 miles?", 26.2, "mile", "km"),
    _convert("Convert 12 inches to cm.", 12, "inch", "cm"),
    _convert("How many pounds are 70 kg?", 70, "kg", "pound"),
    _convert("Turn 3 hours into minutes.", 3, "hour", "minute"),
    _convert("How many m are 6 feet?", 6, "foot", "m"),
    _convert("Convert 500 g to pounds.", 500, "g", "pound"),
    _convert("How many hours are 2 days?", 2, "day", "hour"),
    _convert("How many miles are 10 km?", 10, "km", "mile"),
    _planet("How many moons does Jupiter have?", "Jupiter", "moons"),
    _planet("What is the radius of Mars?", "Mars", "radius_km"),
    _planet("How long is a day on Venus?", "Venus", "day_hours"),
    _planet("How long is a year on Saturn?", "Saturn", "year_days"),
    _planet("How large is the radius of Neptune?", "Neptune", "radius_km"),
    _planet("How many moons has Saturn?", "Saturn", "moons"),
    _planet("How long does a day last on Mercury?", "Mercury", "day_hours"),
    _planet("Tell me the length of a year on Mars.", "Mars", "year_days"),
    _search("What does LoRA do?", "LoRA"),
    _search("Find something about the KV cache.", "KV cache"),
    _search("What is temperature in sampling?", "temperature"),
    _search("Explain speculative decoding.", "speculative decoding"),
    _search("How does quantisation store weights?", "quantisation weights"),
    _search("What are attention weights?", "attention weights"),
    _search("Why is a cache of keys and values kept?", "cache keys values"),
    _search("What does a low rank correction learn?", "correction low rank"),
)
