"""Privilege separation: what a tool may do depends on who had a say in the call.

Every value carries its *sources*, and what is made from several values has all of their sources: once a
page has been read, it cannot be read away. A tool that only says something may use any source. A tool with
an effect may use none but the user. The rule is an `if`; no wording on any page changes it.

Sources: information flow control, Denning, CACM 19(5), 1976; CaMeL, arXiv:2503.18813.
"""

from collections.abc import Iterable

from labcore.configs import lab_config
from labcore.errors import LabInputError

SOURCES = ("user", "page", "tool")
TRUSTED = frozenset({"user"})
EFFECTS = {"say": False, "look_up": False, "send": True, "erase": True}
TOOLS = tuple(EFFECTS)


@lab_config
class Value:
    """Something said, and who had a say in it."""

    text: str
    sources: frozenset[str]

    def __post_init__(self):
        unknown = self.sources - set(SOURCES)
        if unknown or not self.sources:
            raise LabInputError("sources", sorted(unknown), "known_choice", allowed=SOURCES)


def made_from(text: str, parts: Iterable[Value]) -> Value:
    """Sources only ever add up."""
    return Value(text, frozenset().union(*(part.sources for part in parts)))


def allowed(tool: str, sources: frozenset[str], allow_list: Iterable[str] = TOOLS) -> bool:
    """Whether a call may be made: on the list, and harmless or asked for by the user alone."""
    if tool not in EFFECTS:
        raise LabInputError("tool", tool, "known_choice", allowed=TOOLS)
    if tool not in set(allow_list):
        return False
    return not EFFECTS[tool] or sources <= TRUSTED
