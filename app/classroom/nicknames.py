"""Names for a leaderboard: picked from a list, never typed, so that nobody's own name stands there."""

from collections.abc import Set

from app.i18n import Words

FIRST = (
    "quiet", "brave", "curious", "early", "gentle", "golden", "happy", "keen", "lucky", "merry", "nimble",
    "patient", "silver", "sleepy", "swift", "wise", "bright", "calm", "proud", "tiny",
)  # fmt: skip
SECOND = (
    "owl", "fox", "panda", "whale", "otter", "crane", "tiger", "rabbit", "turtle", "dolphin", "sparrow",
    "badger", "squirrel", "penguin", "camel", "hedgehog", "deer", "lynx", "seal", "beetle",
)  # fmt: skip
ALL = tuple(f"{first}-{second}" for second in SECOND for first in FIRST)  # 400; a class holds 300
OFFERED = 8
_STRIDE = 137  # shares no factor with 400, so a walk meets every name, neighbours unlike each other


def offered(voter: str, taken: Set[str]) -> list[str]:
    """A few free names; where the list begins depends on who asks, so that few want the same."""
    start = int(voter[:8], 16)
    walk = (ALL[(start + _STRIDE * step) % len(ALL)] for step in range(len(ALL)))
    free = [name for name in walk if name not in taken]
    return free[:OFFERED]


def told(name: str, words: Words) -> str:
    """The name in the reader's language: "quiet owl", "安静的猫头鹰"."""
    first, second = name.split("-")
    return words("nick", first=words(f"nick.{first}"), second=words(f"nick.{second}"))
