"""What the towers see and learn: where a patch looks, nearest captions, pairs forming, swaps told apart.

Axes: R looks of a training, S pictures of a matrix, L layers, H heads, N patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.charts.bars import grouped, probabilities
from app.charts.curves import Series, curve
from app.charts.maps import matrix
from app.charts.pictures import looked, places, tiles
from app.figures import Figure
from app.i18n import Words
from labcore.vision.looking import Sight
from labcore.vision.pair_study import PairStudy
from labcore.vision.pair_training import Look, Trained
from labcore.vision.pictures import FOILS

PARTS = ("seen", "held_out")
PART_ROLES = {"seen": "train", "held_out": "validation"}
FOIL_ROLES = {"order": "changed", "binding": "chosen", "colour": "baseline"}


def windows(sight: Sight, text: Words) -> Figure:
    """The picture as the eye gets it: 36 squares, each with a margin."""
    grid = int(len(sight.windows) ** 0.5)
    names = places(sight.windows[:, 0, 0, 0])
    table = pd.DataFrame(
        {text("column.patch"): names, text("column.mean"): sight.windows.mean(axis=(1, 2, 3))}
    )
    return tiles(
        list(sight.windows), [""] * len(names), grid,
        alt=text("alt.windows", count=len(names)), table=table, scale=6, tile_height=52,
    )  # fmt: skip


def looks(sight: Sight, patch: int, text: Words) -> Figure:
    """Where one patch looks, head by head, layer by layer."""
    layers, heads = sight.weights.shape[:2]
    pictures, labels, columns = [], [], {text("column.patch"): places(sight.weights[0, 0, patch])}
    for layer in range(layers):
        for head in range(heads):
            weights = sight.weights[layer, head, patch]
            pictures.append(looked(sight.picture, weights, patch))
            labels.append(text("label.head", layer=layer + 1, head=head + 1))
            columns[labels[-1]] = weights
    return tiles(
        pictures, labels, heads,
        alt=text("alt.looks", patch=places(sight.alike[0])[patch]), table=pd.DataFrame(columns),
    )  # fmt: skip


def received(sight: Sight, text: Words) -> Figure:
    """Head by head, how much each patch is looked at by all together."""
    layers, heads = sight.weights.shape[:2]
    mean = sight.weights.mean(axis=2)  # (L, H, N)
    labels = [
        text("label.head", layer=layer + 1, head=head + 1)
        for layer in range(layers) for head in range(heads)
    ]  # fmt: skip
    flat = mean.reshape(layers * heads, -1)
    table = pd.DataFrame(
        {text("column.patch"): places(flat[0])} | dict(zip(labels, flat, strict=True))
    )
    return tiles(
        [looked(sight.picture, one) for one in flat], labels, heads,
        alt=text("alt.received"), table=table,
    )  # fmt: skip


def nearest(sight: Sight, language: str, text: Words) -> Figure:
    """The captions that come nearest to the picture."""
    best = sight.nearest[language]
    return probabilities(
        [told for told, _, _ in best], [share for _, share, _ in best], text,
        alt=text("alt.nearest", first=best[0][0], percent=f"{100 * best[0][1]:.0f}"),
    )  # fmt: skip


# Contrastive training.


def pairs(
    cosines: np.ndarray, captions: Sequence[str], text: Words, title_key: str = "pairs"
) -> Figure:
    """Cosines of pictures with captions, the true pairs on the diagonal.  (S, S)"""
    own = float(np.diag(cosines).mean())
    rest = float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
    return matrix(
        cosines.T, list(captions), [str(at + 1) for at in range(len(cosines))], text,
        alt=text(f"alt.{title_key}", own=f"{own:.2f}", rest=f"{rest:.2f}"),
        row_title=text("axis.caption"), column_title=text("axis.picture"),
        value_title=text("axis.cosine"), signed=True, bounds=(-1.0, 1.0), height=430,
    )  # fmt: skip


def shown(pictures: np.ndarray, captions: Sequence[str], text: Words) -> Figure:
    """The pictures of the matrix.  (S, P, P, 3) uint8"""
    table = pd.DataFrame(
        {text("axis.picture"): range(1, len(pictures) + 1), text("axis.caption"): list(captions)}
    )
    return tiles(
        [one / 255 for one in pictures], [str(at + 1) for at in range(len(pictures))], 6,
        alt=text("alt.shown", count=len(pictures)), table=table, scale=4, tile_height=84,
    )  # fmt: skip


def found(steps: np.ndarray, shares: np.ndarray, size: int, text: Words) -> Figure:
    """Captions found by their picture, the first of all.  (R,), (2, R, 2)"""
    series = [
        Series(text(f"series.{part}.{way}"), steps, 100 * shares[at, :, column], PART_ROLES[part],
               dashed=bool(column), points=True)
        for at, part in enumerate(PARTS) for column, way in enumerate(("caption", "picture"))
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.updates"), y_title=text("axis.found"), y_range=(0, 100),
        floor=(100 / size, text("series.chance")),
        alt=text("alt.found", seen=f"{100 * shares[0, -1, 0]:.0f}", other=f"{100 * shares[1, -1, 0]:.0f}"),
    )  # fmt: skip


def told_apart(steps: np.ndarray, won: np.ndarray, tied: np.ndarray, text: Words) -> Figure:
    """True captions against false ones, on combinations seen.  (R,), (R, 3), (R, 3)"""
    series = [
        Series(text(f"foil.{kind}"), steps, 100 * won[:, at], FOIL_ROLES[kind], points=True)
        for at, kind in enumerate(FOILS)
    ]
    series.append(
        Series(text("series.tied"), steps, 100 * tied[:, 0], "rejected", dashed=True, points=True)
    )
    return curve(
        series, x_title=text("axis.updates"), y_title=text("axis.won"), y_range=(0, 100),
        floor=(50, text("series.coin")),
        alt=text("alt.told_apart", order=f"{100 * won[-1, 0]:.0f}", binding=f"{100 * won[-1, 1]:.0f}",
                 colour=f"{100 * won[-1, 2]:.0f}", tied=f"{100 * tied[-1, 0]:.0f}"),
    )  # fmt: skip


def losses(values: np.ndarray, batch: int, text: Words) -> Figure:
    """The loss of every update, below the ln B of a blind guess when no hard negatives are there."""
    steps = np.arange(1, len(values) + 1)
    return curve(
        [Series(text("series.loss"), steps, values, "train")],
        x_title=text("axis.updates"), y_title=text("axis.nats"), y_range=(0, None),
        floor=(float(np.log(batch)), text("series.blind", batch=batch)), height=260,
        alt=text("alt.losses", first=f"{values[0]:.2f}", last=f"{values[-10:].mean():.2f}"),
    )  # fmt: skip


def looks_so_far(looks: Sequence[Look]) -> tuple[np.ndarray, ...]:
    """Steps, found (2, R, 2), won (2, R, 3) and tied (2, R, 3) of a run that goes on."""
    parts = [[one.seen for one in looks], [one.held_out for one in looks]]
    return (
        np.array([one.step for one in looks]),
        *(
            np.array([[getattr(mark, name) for mark in part] for part in parts])
            for name in ("found", "won", "tied")
        ),
    )


def course(result: Trained) -> tuple[np.ndarray, ...]:
    return result.steps, result.found, result.won, result.tied


def study_found(study: PairStudy, text: Words) -> Figure:
    """Retrieval under each setting, the mean of both ways and of the seeds."""
    names = [text(f"setting.{name}") for name in study.names]
    bars = [
        (
            text(f"part.{part}"),
            list(100 * study.found[:, :, at].mean(axis=(1, 2))),
            PART_ROLES[part],
        )
        for at, part in enumerate(PARTS)
    ]
    return grouped(
        bars, names, text, value_title=text("axis.found"),
        alt=text("alt.study_found", first=f"{bars[0][1][0]:.0f}", name=names[0]),
    )  # fmt: skip


def study_told_apart(study: PairStudy, text: Words) -> Figure:
    names = [text(f"setting.{name}") for name in study.names]
    bars = [
        (text(f"foil.{kind}"), list(100 * study.won[:, :, 0, at].mean(axis=1)), FOIL_ROLES[kind])
        for at, kind in enumerate(FOILS)
    ]
    bars.append((text("series.tied"), list(100 * study.tied[:, :, 0, 0].mean(axis=1)), "rejected"))
    return grouped(
        bars, names, text, value_title=text("axis.won"),
        alt=text("alt.study_told_apart", order=f"{bars[0][1][0]:.0f}", name=names[0]),
    )  # fmt: skip


def study_table(study: PairStudy, text: Words) -> pd.DataFrame:
    """Lowest and highest of the seeds."""

    def ends(values: np.ndarray) -> str:
        low, high = 100 * values.min(), 100 * values.max()
        return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f}–{high:.0f}"

    rows = []
    for at, name in enumerate(study.names):
        row = {text("column.setting"): text(f"setting.{name}")}
        for part, key in enumerate(PARTS):
            row[text("column.found", part=text(f"part.{key}"))] = ends(
                study.found[at, :, part].mean(-1)
            )
        for column, kind in enumerate(FOILS):
            row[text(f"foil.{kind}")] = ends(study.won[at, :, 0, column])
        row[text("series.tied")] = ends(study.tied[at, :, 0, 0])
        row[text("column.temperature")] = f"{study.temperatures[at].mean():.3f}"
        rows.append(row)
    return pd.DataFrame(rows)
