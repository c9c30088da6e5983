"""Where a figure's numbers come from: the badge that every figure carries."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["measured", "computed", "analytic", "recorded", "published", "illustrative"]

ICONS: dict[Kind, str] = {
    "measured": ":material/timer:",
    "computed": ":material/calculate:",
    "analytic": ":material/function:",
    "recorded": ":material/history:",
    "published": ":material/menu_book:",
    "illustrative": ":material/draw:",
}
COLOURS: dict[Kind, str] = {
    "measured": "green",
    "computed": "blue",
    "analytic": "violet",
    "recorded": "orange",
    "published": "yellow",
    "illustrative": "gray",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """kind: measured now on this machine, computed now by a model or an algorithm, analytic (a
    formula), recorded earlier, published (stated by the sources that stand beside it), or illustrative.
    The rest is told for recordings; of published facts, the day they were looked up."""

    kind: Kind
    command: str = ""  # what makes the recording again
    seed: int | None = None
    date: str = ""  # ISO day
    machine: str = ""  # "2 cores, torch 2.13.0"


MEASURED = Provenance("measured")
COMPUTED = Provenance("computed")
ANALYTIC = Provenance("analytic")
