"""Where the labs of the mathematics ask for a prediction."""

from tests.app.predictions.asked import Asked

ASKED = (
    Asked("matrices", "kept"),
    Asked("matrices", "order", {"part": "product"}),
    Asked("matrices", "ninety", {"part": "spectrum"}),
    Asked("probability", "worth"),
    Asked("probability", "unseen", {"part": "story"}),
    Asked("probability", "stubborn", {"part": "plot"}),
    Asked("gradients", "limit"),
    Asked("gradients", "smaller", {"part": "graph"}),
    Asked("gradients", "larger", {"part": "chain"}),
    Asked("information", "cheapest"),
    Asked("information", "reverse", {"part": "fit"}),
    Asked("information", "shuffled", {"part": "mutual"}),
)
