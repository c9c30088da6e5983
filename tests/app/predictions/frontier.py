"""Where the labs of chapter 5 ask for a prediction."""

from tests.app.predictions.asked import Asked

ASKED = (
    Asked("multimodal", "empty"),
    Asked("multimodal", "order", {"part": "pairs"}),
    Asked("multimodal", "bag", {"part": "pairs"}),
    Asked("multimodal", "blank", {"part": "tell"}),
    Asked("tools", "right", {"part": "count"}),
    Asked("tools", "direct", {"part": "learn"}),
    Asked("tools", "lies", {"part": "loop"}),
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
    Asked("ecosystem", "mixture", {"part": "fit"}),
    Asked("ecosystem", "plain"),
)
