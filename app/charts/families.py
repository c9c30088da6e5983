"""The three families side by side: masks and what they let through, one text read by three models, tasks.

Axes: T tokens, L layers, N tokens asked for.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.charts import bars, maps
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.families_masks import NOTHING, MasksResult, PaddingResult
from labcore.architecture.families_tasks import TasksResult
from labcore.architecture.families_text import TextResult

# Masks.


def mask_map(result: MasksResult, text: Words) -> Figure:
    """The table of allowed looks.  Selects {"row", "column"}."""
    return maps.matrix(
        result.allowed.astype(np.float32),
        result.labels,
        result.labels,
        text,
        alt=text("alt.mask", allowed=int(result.allowed.sum()), cells=result.allowed.size),
        row_title=text("axis.looks"),
        column_title=text("axis.looked_at"),
        value_title=text("axis.allowed"),
        bounds=(0.0, 1.0),
        mask=result.allowed,
        height=480,
    )


def change_map(result: MasksResult, layer: int, text: Words) -> Figure:
    """Whose vector moves when which token is swapped; hatched where nothing moved at all."""
    change = result.change[layer]
    figure = maps.matrix(
        change,
        result.labels,
        result.labels,
        text,
        alt=text("alt.change", layers=layer + 1, moved=int((change > NOTHING).sum())),
        row_title=text("axis.output"),
        column_title=text("axis.swapped"),
        value_title=text("axis.moved"),
        bounds=(0.0, 1.0),
        mask=change > NOTHING,
        height=480,
    )
    return _hatched_means(figure, text("unmoved"))


def cone(result: MasksResult, token: int, text: Words) -> Figure:
    """From where one token has heard, layer by layer: input on top, the last layer at the bottom."""
    layers, tokens = result.change.shape[:2]
    itself = np.eye(tokens, dtype=np.float32)[token]
    heard = np.vstack([itself, result.change[:, token]])
    figure = maps.matrix(
        heard,
        [text("depth.input"), *(text("depth.after", layer=layer + 1) for layer in range(layers))],
        result.labels,
        text,
        alt=text("alt.cone", token=token, heard=int((heard[-1] > NOTHING).sum())),
        row_title=text("axis.depth"),
        column_title=text("axis.swapped"),
        value_title=text("axis.moved"),
        bounds=(0.0, 1.0),
        mask=heard > NOTHING,
        height=320,
    )
    return _hatched_means(figure, text("unmoved"))


def _hatched_means(figure: Figure, words: str) -> Figure:
    """The readout's words for a hatched cell."""
    header = figure.spec.header
    header = header | {"words": header["words"] | {"hidden": words}}
    return replace(figure, spec=replace(figure.spec, header=header))


def padding_bars(result: PaddingResult, text: Words) -> Figure:
    """How far the padded text's vectors stray from what they are alone."""
    cases = list(dict.fromkeys((damage.shape, damage.side) for damage in result.damages))
    share = {(d.shape, d.side, d.hidden): d.share for d in result.damages}
    parts = [
        (text(f"padding.{name}"), [share[(*case, hidden)] for case in cases], role)
        for name, hidden, role in (("hidden", True, "kept"), ("seen", False, "dropped"))
    ]
    return bars.grouped(
        parts,
        [text(f"padding.{shape}.{side}") for shape, side in cases],
        text,
        alt=text("alt.padding", most=f"{max(share.values()):.2f}"),
        value_title=text("axis.moved"),
    )


# One text.

READERS = ("decoder", "decoder_exact", "encoder", "encoder_exact")
ROLES = {
    "decoder": "changed",
    "decoder_exact": "neutral",
    "encoder": "chosen",
    "encoder_exact": "guess",
}


def surprise(result: TextResult, text: Words) -> Figure:
    """Nats that each reader pays for each token; an exact reader only where the world knows.

    Selects {"row", "column"}.
    """
    readers = [name for name in READERS if np.isfinite(getattr(result, name).nats).any()]
    nats = np.stack([getattr(result, name).nats for name in readers])
    figure = maps.matrix(
        np.nan_to_num(nats),
        [text(f"reader.{name}.short") for name in readers],
        [result.labels[place] for place in result.asked],
        text,
        alt=text("alt.surprise", tokens=len(result.asked)),
        row_title=text("axis.reader"),
        column_title=text("axis.token"),
        value_title=text("axis.nats"),
        signed=False,
        bounds=(0.0, 4.0),
        mask=np.isfinite(nats),
        height=340,
    )
    return _hatched_means(figure, text("unknown"))


def answers(result: TextResult, number: int, text: Words) -> Figure:
    """What the readers expect in one place, the true token or not."""
    beliefs = {name: getattr(result, name).candidates[number] for name in READERS}
    parts = [
        (text(f"reader.{name}"), belief, ROLES[name])
        for name, belief in beliefs.items()
        if np.isfinite(belief).all()
    ]
    labels = result.candidates[number]
    return bars.grouped(
        parts,
        labels,
        text,
        alt=text("alt.answers", place=result.asked[number], best=labels[0]),
        value_title=text("axis.probability"),
        height=90 + 15 * len(labels) * len(parts),
    )


def means(result: TextResult, text: Words) -> Figure:
    """Each model's mean loss on its own question, beside its own floor."""
    pairs = {
        "decoder": (result.decoder.mean_nats, result.decoder_exact.mean_nats),
        "encoder": (result.encoder.mean_nats, result.encoder_exact.mean_nats),
        "translator": (result.translation.nats.mean(), result.translation.floor.mean()),
    }
    measured, floors = (
        np.array(column, np.float64) for column in zip(*pairs.values(), strict=True)
    )
    parts = [(text("means.model"), measured, "changed")]
    if np.isfinite(floors).any():
        parts.append((text("means.floor"), np.nan_to_num(floors), "floor"))
    return bars.grouped(
        parts,
        [text(f"model.{name}.asked") for name in pairs],
        text,
        alt=text("alt.means", decoder=f"{measured[0]:.2f}", encoder=f"{measured[1]:.2f}"),
        value_title=text("axis.nats"),
    )


def look(result: TextResult, kind: str, layer: int, text: Words) -> Figure:
    """Where one layer looks, mean of its heads: "decoder", "encoder" or "cross"."""
    shares = result.maps[kind]
    layer = min(layer, len(shares) - 1)
    rows = columns = result.labels[: shares.shape[1]]
    if kind == "cross":
        rows = [f"→ {label}" for label in result.translation.written]
        columns = result.translation.source
    return maps.matrix(
        shares[layer],
        rows,
        columns,
        text,
        alt=text(f"alt.look.{kind}", layer=layer),
        row_title=text("axis.looks"),
        column_title=text("axis.looked_at"),
        value_title=text("axis.share"),
        bounds=(0.0, 1.0),
        mask=np.tri(len(rows), dtype=bool) if kind == "decoder" else None,
        height=400,
    )


# Tasks.


def fillers(result: TasksResult, text: Words) -> Figure:
    """The share of gaps that each way of filling gets right."""
    return _shares(
        [(f"fill.{one.name}", one.accuracy, one.standard_error) for one in result.fillers],
        text,
        alt=text("alt.fillers", gaps=result.gaps),
        value_title=text("axis.right"),
        role="kept",
    )


def writers(result: TasksResult, text: Words) -> Figure:
    """The share of written texts that the world could tell."""
    told = [(f"write.{one.name}", one.possible, one.standard_error) for one in result.writers]
    told.append(("write.translator", result.translated, result.translated_error))
    return _shares(
        told,
        text,
        alt=text("alt.writers", texts=result.texts),
        value_title=text("axis.possible"),
        role="changed",
    )


def _shares(
    rows: Sequence[tuple[str, float, float]], text: Words, alt: str, value_title: str, role: str
) -> Figure:
    """Shares with their standard errors, which stand beside the names."""
    names = [f"{text(key)} (±{100 * error:.0f} %)" for key, _, error in rows]
    return bars.grouped(
        [(value_title, [share for _, share, _ in rows], role)],
        names,
        text,
        alt=alt,
        value_title=value_title,
        height=90 + 36 * len(rows),
    )
