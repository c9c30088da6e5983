"""Where the labs of chapter 4 ask for a prediction."""

from dataclasses import replace

import numpy as np

from labcore.compression.outliers import RANKINGS, OutliersResult
from labcore.compression.quantise_speed import SpeedStudy
from tests.app.predictions.asked import Asked


def rankings(page):
    """Outcomes of every ranking that may be kept, the first of them best; the recording is of inputs."""
    result = page.recording("outliers", OutliersResult).result
    losses = np.arange(1.0, 1 + len(RANKINGS))
    cases = [f"keep-{ranking}" for ranking in RANKINGS]
    return replace(result, cases=cases, losses=losses, clean_losses=losses)


def one_row(page):
    return page.recording("speed", SpeedStudy).result.layers["1"]


ASKED = (
    Asked("quantisation", "rise", {"part": "model"}, came_out="model"),
    Asked("quantisation", "keep", {"part": "outliers", "rounded": "weights"}, came_out=rankings),
    Asked("quantisation", "fly", {"part": "speed"}, came_out=one_row),
    Asked("pruning", "layer", {"part": "structured"}),
    Asked("pruning", "csr", {"part": "speed"}, came_out="forms"),
    Asked("pruning", "lead", {"part": "repair"}),
    Asked("distillation", "best", came_out="default"),
    Asked("distillation", "hot", {"part": "study", "group": "temperature"}),
    Asked("distillation", "helps", {"part": "study", "group": "match"}),
    Asked("kv_cache", "ratio"),
    Asked("kv_cache", "batching", {"part": "batch"}),
    Asked("kv_cache", "pages", {"part": "pages"}),
    Asked("kv_cache", "forgetting", {"part": "forgetting"}),
    Asked("flash", "error", {"part": "exact"}, came_out="exact"),
    Asked("flash", "faster", {"part": "time"}, came_out="time"),
    Asked("flash", "raised"),
    Asked("decoding", "speed", came_out="speed"),
    Asked("decoding", "redraw", {"part": "exactness"}),
    Asked("decoding", "windy", {"part": "constrained", "grammar": "trap"}),
    Asked("board", "bits"),
    Asked("board", "batch"),
    Asked("board", "apart"),
    Asked("production", "gain"),
    Asked("production", "seats", {"part": "served"}),
    Asked("production", "above_roof", {"part": "machine"}),
)
