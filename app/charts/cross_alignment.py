"""An encoder-decoder learning where to look: losses with their two floors, alignment, maps on the way.

Axes: M looks, R runs (seeds), L layers, H heads, T target positions, S source positions.
"""

from collections.abc import Sequence

import numpy as np

from app.charts import maps
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.cross_alignment import Alignment, PairReading
from labcore.architecture.families_alignment import AlignmentResult, Floors, Look, Study

ROLES = {"own": "changed", "shuffled": "rejected"}


def losses(study: Study, floors: Floors, looks: Sequence[Look], steps: int, text: Words) -> Figure:
    """Held-out loss of the recorded runs, own and shuffled, and of the live one, over both floors."""
    last = float(study.steps[-1])
    series = [
        *_recorded(study.validation_nats, text, study.steps),
        Series(
            text("series.alone", nats=f"{floors.alone:.2f}"), [0, last], [floors.alone] * 2,
            "floor", dashed=True,
        ),
        *_live(looks, lambda look: look.validation_nats, text),
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), log_y=True,
        floor=(floors.own, text("series.floor", nats=f"{floors.own:.2f}")),
        x_range=(0, max(last, steps)), y_range=(0.05, None),
        alt=text(
            "alt.losses", own=f"{study.validation_nats['own'][:, -1].mean():.2f}",
            shuffled=f"{study.validation_nats['shuffled'][:, -1].mean():.2f}",
        ),
    )  # fmt: skip


def found(
    study: Study, measure: str, chance: float, looks: Sequence[Look], steps: int, text: Words
) -> Figure:
    """How well cross-attention finds the true source: "hits" or "mass"."""
    recorded = study.hits if measure == "hits" else study.mass
    last = float(study.steps[-1])

    def of_look(look: Look) -> float:
        alignment = look.alignment
        return alignment.joint_hits[-1] if measure == "hits" else alignment.mass[-1].mean()

    series = [*_recorded(recorded, text, study.steps), *_live(looks, of_look, text)]
    return curve(
        series, x_title=text("axis.step"), y_title=text(f"axis.{measure}"),
        floor=(chance, text("series.chance", share=f"{chance:.2f}")),
        x_range=(0, max(last, steps)), y_range=(0, 1),
        alt=text(
            "alt.found", own=f"{recorded['own'][:, -1].mean():.2f}",
            shuffled=f"{recorded['shuffled'][:, -1].mean():.2f}",
        ),
    )  # fmt: skip


def _recorded(values: dict[str, np.ndarray], text: Words, steps: np.ndarray) -> list[Series]:
    """The mean over seeds, and the lowest and highest as a band.  each (R, M)"""
    return [
        Series(
            text(f"series.{sources}", runs=len(rows)), steps, rows.mean(axis=0), ROLES[sources],
            spread=(rows.min(axis=0), rows.max(axis=0)),
        )
        for sources, rows in values.items()
    ]  # fmt: skip


def _live(looks: Sequence[Look], measure, text: Words) -> list[Series]:
    """The run of today, once it has been looked at."""
    if not looks:
        return []
    steps, values = [look.step for look in looks], [measure(look) for look in looks]
    return [Series(text("series.live"), steps, values, "chosen", points=True)]


def walk(result: AlignmentResult, layer: int, text: Words) -> Figure:
    """Cross-attention of a layer's heads on one pair, look after look; a slider walks through them."""
    frames = np.stack([look.cross[layer] for look in result.looks]) / np.float32(255)
    return maps.attention_grid(
        frames,
        result.reading.queries,
        result.reading.keys,
        text,
        alt=text("alt.walk", looks=len(frames), last=result.looks[-1].step),
        frame_labels=[str(look.step) for look in result.looks],
        height=480,
    )


def heads(reading: PairReading, layer: int, text: Words) -> Figure:
    """Cross-attention of a layer's heads on one pair."""
    return maps.attention_grid(
        reading.cross[layer] / np.float32(255),
        reading.queries,
        reading.keys,
        text,
        alt=text("alt.heads", layer=layer),
        height=480,
    )


def beside(reading: PairReading, what: str, text: Words) -> Figure:
    """One of three answers to "which source token": "truth", "attention" (last layer) or "need"."""
    values = {
        "truth": reading.truth.astype(np.float32),
        "attention": reading.cross[-1].mean(axis=0) / np.float32(255),
        "need": np.maximum(reading.need, 0.0),
    }[what]
    return maps.matrix(
        values,
        reading.queries,
        reading.keys,
        text,
        alt=text(f"alt.{what}"),
        row_title=text("axis.written"),
        column_title=text("axis.source"),
        value_title=text(f"axis.{what}"),
        signed=False,
        bounds={"truth": (0.0, 1.0), "attention": (0.0, 1.0), "need": (0.0, 5.0)}[what],
        height=430,
    )


def head_table(alignment: Alignment, text: Words) -> Figure:
    """How often each head's largest weight lies on a true source.  (L, H)"""
    layers, count = alignment.hits.shape
    return maps.matrix(
        alignment.hits,
        [text("depth.layer", layer=layer) for layer in range(layers)],
        [text("depth.head", head=head) for head in range(count)],
        text,
        alt=text("alt.head_table", best=f"{alignment.hits.max():.2f}"),
        row_title=text("axis.layer"),
        column_title=text("axis.head"),
        value_title=text("axis.hits"),
        bounds=(0.0, 1.0),
        height=220,
    )
