"""An architecture as a picture: its bill (`labcore.architecture.ledger`) laid along the residual stream.

Axes: T tokens, D hidden_size, V vocab_size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from app.charts.blueprint_names import (
    HOME,
    STEPS,
    SYMBOLS,
    WEIGHTS,
    block_of,
    compact,
    dims,
    local_name,
    percent,
    symbol_of,
    weight_stop,
)
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.ledger import Ledger, Row
from labcore.model.config import ModelConfig
from labcore.model.counting import Part

Item = dict[str, Any]


def picture(
    bill: Ledger, text: Words, *, alt: str, stops: Sequence[str] = (), selected: str = "",
    layer: int | None = None, opened: str | None = None,
) -> Figure:  # fmt: skip
    """The architecture of `bill`.  `stops` may be chosen; `layer` (walks only) is the layer on show.

    `opened` is the block that is open at first.  Selects {"step": id} or {"layer": number}.
    """
    sheet = {
        "kind": bill.config.kind,
        "alt": alt,
        "layer": text("knob.layer"),
        "stops": list(stops),
        "selected": selected,
        "open": opened or block_of(selected),
        "stacks": stacks(bill, text, layer),
        "bridge": bridge(bill),
    }
    return Figure("blueprint", sheet, alt, lambda: table(bill, text), selects=bool(stops))


def stacks(bill: Ledger, text: Words, layer: int | None) -> list[Item]:
    rows = {row.block: row for row in bill.rows}
    main = [token_block("", bill, rows, text), *column("", bill, rows, text, layer)]
    if bill.config.head != "none":
        main.append(block("head", bill, rows, text))
        asked = "gap" if bill.config.kind == "encoder" else "next"
        main.append(bare("next", text(f"block.{asked}"), ""))
    else:
        main.append(bare("vectors", text("block.vectors"), dims(rows["attn"].output)))
    main[-1]["place"] = "end"
    if bill.config.kind != "encoder_decoder":
        return [{"title": "", "items": main}]
    below = [
        token_block("encoder.", bill, rows, text),
        *column("encoder.", bill, rows, text, layer),
    ]
    below[-1]["place"] = "end"
    return [
        {"title": text("stack.encoder"), "items": below},
        {"title": text("stack.decoder"), "items": main},
    ]


def bridge(bill: Ledger) -> dict[str, str] | None:
    """Where the encoder's result goes."""
    if bill.config.kind != "encoder_decoder":
        return None
    pre = bill.config.norm_placement == "pre"
    return {"from": "encoder.norm" if pre else "encoder.mlp", "to": "cross"}


def column(
    side: str, bill: Ledger, rows: dict[str, Row], text: Words, layer: int | None
) -> list[Item]:
    """Embedding, layers, last norm of one stack."""
    config = bill.config
    shape = dims(rows[f"{side}attn"].output)
    count = config.encoder_layers if side else config.num_layers
    parts = (
        ["attn", "mlp"] if side or config.kind != "encoder_decoder" else ["attn", "cross", "mlp"]
    )
    inner = [stream(f"{side}resid_pre", shape, text, plus=False)]
    for part in parts:
        inner.append(block(side + part, bill, rows, text))
        if part != "attn" or "cross" not in parts:
            after = "resid_post" if part == "mlp" else "resid_mid"
            inner.append(stream(side + after, shape, text, plus=True))
        else:
            inner.append(stream("", "", text, plus=True))
    layers = {
        "type": "layers", "title": text("stack.repeat", count=count), "count": count,
        "picks": layer is not None and count > 1, "layer": layer, "items": inner,
    }  # fmt: skip
    last = [block(f"{side}norm", bill, rows, text)] if f"{side}norm" in rows else []
    return [block(f"{side}embed", bill, rows, text), layers, *last]


def stream(id: str, shape: str, text: Words, plus: bool) -> Item:
    """A look at the residual stream; with a plus where a block's result is added."""
    name = text(f"step.{id.removeprefix('encoder.')}") if id else ""
    symbol = SYMBOLS[id.removeprefix("encoder.")] if id else ""
    return {"type": "add", "id": id, "symbol": symbol, "name": name, "shape": shape, "plus": plus}


def token_block(side: str, bill: Ledger, rows: dict[str, Row], text: Words) -> Item:
    count = rows[f"{side}attn"].output[0]
    return {**bare(f"{side}tokens", text("block.tokens"), f"{count:,}"), "place": "start"}


def bare(id: str, title: str, shape: str) -> Item:
    return {"type": "block", "id": id, "title": title, "shape": shape, "steps": []}


def block(id: str, bill: Ledger, rows: dict[str, Row], text: Words) -> Item:
    """One kind of block with its share of the whole, and the steps inside it."""
    side, kind = ("encoder.", id[8:]) if id.startswith("encoder.") else ("", id)
    row = rows.get(id) or Row(id, 1, rows[f"{side}attn"].output, (), (), 0, 0)
    parameters, flops = row.repeat * row.parameters, row.repeat * row.flops
    shares = (parameters / max(1, bill.parameters), flops / max(1, bill.flops))
    title = text(f"block.{kind}")
    if kind == "norm" or (kind == "mlp" and bill.config.moe):
        title = text("block.norm") if kind == "norm" else text("block.experts")
    return {
        **bare(id, title, dims(row.output)),
        "share": dict(zip(("parameters", "flops"), shares, strict=True)),
        "parameters": text("measure.parameters", count=compact(parameters), share=percent(shares[0])),
        "flops": text("measure.flops", count=compact(flops), share=percent(shares[1])),
        "note": block_note(id, bill.config, text),
        "steps": steps(side, kind, row, bill.config, text),
    }  # fmt: skip


def block_note(id: str, config: ModelConfig, text: Words) -> str:
    """What the sizes alone do not say."""
    if id.endswith("embed"):
        shared = id == "encoder.embed"
        return text("note.shared") if shared else text(f"note.positions.{config.positions}")
    if id == "cross":
        return text("note.cross")
    return text("note.tied") if id == "head" and config.tie_embeddings else ""


def steps(side: str, kind: str, row: Row, config: ModelConfig, text: Words) -> list[Item]:
    """The results of a block in the order in which they arise, each with the weights that make it."""
    shapes = {local_name(work.name, side): work.shape for work in row.work}
    flops = {local_name(work.name, side): work.flops for work in row.work}
    weights = homes(row.parts, config)
    entries = []
    for step in STEPS[kind]:
        own = weights.pop(step, [])
        if not (own or step in shapes or belongs(step, config)):
            continue
        shape = shapes.get(step) or shape_like(step, shapes, row)
        entries.append(
            {
                "id": side + step,
                "symbol": symbol_of(step, SYMBOLS),
                "name": text(f"step.{step.replace('cross.', 'attn.')}"),
                "shape": dims(shape),
                "note": f"{compact(flops[step])} FLOPs" if step in flops else "",
                "weights": [weight(parts, text) for parts in own],
            }
        )
    if config.norm_placement == "post":  # the norm comes last, on the stream itself
        entries.sort(
            key=lambda entry: entry["id"].endswith(("attn.norm", "mlp.norm", "cross.norm"))
        )
    rest = [parts for group in weights.values() for parts in group]
    return entries + [{"id": "", "name": "", "weights": [weight(parts, text)]} for parts in rest]


def belongs(step: str, config: ModelConfig) -> bool:
    """Whether a step that has neither a weight nor a product of its own stands in this architecture."""
    if "unrotated" in step:
        return config.positions == "rope"
    if step == "embed.positions":
        return config.positions == "sinusoidal"
    if step == "embed.tokens":  # an encoder reads the decoder's table
        return True
    return step.endswith((".mask", ".weights"))


def shape_like(step: str, shapes: dict[str, tuple[int, ...]], row: Row) -> tuple[int, ...]:
    """The shape of a step that no matrix product makes: that of the one it is made from."""
    place, _, part = step.rpartition(".")
    twin = {"mask": "scores", "weights": "scores", "q_unrotated": "q", "k_unrotated": "k"}.get(part)
    shape = shapes.get(f"{place}.{twin}", row.output)
    return shape[1:] if part == "mask" and len(shape) == 3 else shape


def homes(parts: Iterable[Part], config: ModelConfig) -> dict[str, list[list[Part]]]:
    """{step: [a map and its bias, …]}; of a mixture's experts only the first is drawn."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        name = re.sub(r"experts\.0\.", "", local_name(part.name))
        if ".experts." not in name:
            groups.setdefault(name, []).append(part)
    found: dict[str, list[list[Part]]] = {}
    for name, group in groups.items():
        home = HOME.get(name, name)
        if config.positions == "rope" and home in ("attn.q", "attn.k"):
            home += "_unrotated"  # what the weights make, before RoPE turns it
        found.setdefault(home, []).append(group)
    return found


def weight(parts: Sequence[Part], text: Words) -> Item:
    """A map drawn to scale; its bias is told in the label."""
    first = parts[0]
    rows, columns = first.shape if len(first.shape) == 2 else (1, first.shape[0])
    shape = " + ".join(dims(part.shape) for part in parts)
    count = sum(part.parameters for part in parts)
    return {
        "id": weight_stop(first.tied_to or first.name),
        "name": symbol_of(local_name(first.name), WEIGHTS) or "γ β"[: 1 + 2 * (len(parts) > 1)],
        "rows": rows,
        "columns": columns,
        "shape": shape,
        "count": text("measure.tied") if first.tied_to else compact(count),
    }


def table(bill: Ledger, text: Words) -> pd.DataFrame:
    """The bill, row by row."""
    return pd.DataFrame(
        {
            text("column.block"): [block_title(row.block, text) for row in bill.rows],
            text("column.repeat"): [row.repeat for row in bill.rows],
            text("column.shape"): [dims(row.output) for row in bill.rows],
            text("column.weights"): [
                ", ".join(f"{local_name(p.name)} {dims(p.shape)}" for p in row.parts)
                for row in bill.rows
            ],
            text("column.parameters"): [row.repeat * row.parameters for row in bill.rows],
            text("column.flops"): [row.repeat * row.flops for row in bill.rows],
        }
    )


def block_title(id: str, text: Words) -> str:
    """A block's name, with its stack where there are two."""
    title = text(f"block.{id.removeprefix('encoder.')}")
    return f"{text('stack.encoder')}: {title}" if id.startswith("encoder.") else title
