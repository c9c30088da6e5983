"""Where the labs of chapter 1 ask for a prediction."""

import numpy as np

from app.labs.transformer import depth_trainability, positions_length, positions_rescue
from labcore.architecture.depth_training import SweepConfig
from tests.app.predictions.asked import Asked


def three_steps(monkeypatch):
    """The learner's run on depth with a seventieth of its steps."""

    def own_run(page, names, rate):
        config = kept(page, names, rate)
        return SweepConfig(config.design, config.warm_up, rate, (1, 16), 3, config.seed)

    kept = depth_trainability.own_run
    monkeypatch.setattr(depth_trainability, "own_run", own_run)


def without_live_curves(monkeypatch):
    """The curves of a run under way are drawn from its events, which a recording does not hold."""
    start = {False: {"none": (np.array([64, 96]), np.array([1.0, 2.0]))}, True: {}}
    monkeypatch.setattr(positions_length, "curves", lambda events: ({}, {}))
    monkeypatch.setattr(positions_rescue, "live_curves", lambda events: start)


ASKED = (
    Asked("dataflow", "settled", {"view": "lens"}),
    Asked("dataflow", "writer", {"view": "credit"}),
    Asked("dataflow", "crossing", {"mode": "design"}),
    Asked("by_hand", "peak", {"part": "scale"}),
    Asked("by_hand", "leak", {"part": "leak"}),
    Asked("by_hand", "rules", {"part": "leak"}),
    Asked("attention", "labelled"),
    Asked("attention", "probe", {"view": "overview"}, press="attention.probe"),
    Asked("attention", "source", {"view": "rollout"}),
    Asked("positions", "far", {"part": "length"}, came_out="length", prepare=without_live_curves),
    Asked("positions", "cure", {"part": "rescue"}, came_out="rescue", prepare=without_live_curves),
    Asked("positions", "who", {"part": "shift"}),
    Asked("heads", "adds_up"),
    Asked("heads", "can_go", {"part": "ranking", "ranked": "world-copier"}, came_out="ranking-world-copier"),
    Asked("heads", "best_count", {"part": "count"}, came_out="count"),
    Asked("heads", "fastest", {"part": "sharing"}, came_out="sharing"),
    Asked("induction", "growth", came_out="default"),
    Asked("induction", "shortcut"),
    Asked("induction", "wire", {"part": "surgery", "silent": "0.1"}),
    Asked("families", "window", {"window": "3"}),
    Asked("families", "sides", {"part": "text"}),
    Asked("families", "write", {"part": "tasks"}),
    Asked("families", "when", {"part": "alignment"}),
    Asked("depth", "collapse", {"residual": "0"}),
    Asked("depth", "growth", {"placement": "none", "gain": "2.0", "scaled_writers": "0"}),
    Asked("depth", "deepest", {"part": "trainability"}, press="depth.run", prepare=three_steps),
    Asked("training", "loss", came_out="default"),
    Asked("training", "double"),
    Asked("training", "without", {"positions": "none"}, came_out="default"),
)  # fmt: skip
