"""Where the labs of chapter 5 ask for a prediction."""

from tests.app.predictions.asked import Asked

ASKED = (
    Asked("tools", "right", {"part": "count"}),
    Asked("tools", "direct", {"part": "learn"}),
    Asked("reasoning", "direct"),
    Asked("reasoning", "outcome", {"part": "votes"}),
    Asked("reasoning", "nodes", {"part": "search"}),
    Asked("retrieval", "fusion"),
    Asked("retrieval", "given", {"part": "answer"}),
    Asked("retrieval", "depth", {"part": "long"}),
    Asked("retrieval", "naive", {"part": "agent"}),
    Asked("guard", "forms", {"part": "attacks"}),
    Asked("guard", "luck", {"part": "injection"}),
    Asked("guard", "entropy", {"part": "watermark"}),
    Asked("ecosystem", "seven", {"part": "fit"}),
)

# Labs that do not ask three times yet, and how often they do: this table only ever shrinks.
BELOW_THREE = {"tools": 2, "ecosystem": 1}
