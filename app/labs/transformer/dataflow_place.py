"""Where a walk stands: the pass that was made, and the names of the stops in it."""

import re
from dataclasses import dataclass

from app import results
from app.charts.blueprint_names import (
    ONCE,
    WEIGHTS,
    block_of,
    local_name,
    symbol_of,
    weight_stop,
)
from app.i18n import Words
from labcore import zoo
from labcore.architecture import dataflow as lab
from labcore.architecture.lens import Lens, logit_lens, stream_names
from labcore.architecture.weights import weight_names
from labcore.zoo import LoadedModel

LENS_FLOPS = 1.6e10  # of one look through the lens: about a second on one core
TOKENS, NEXT = "tokens", "next"  # the first stop and the last, which are no matrices


@dataclass(frozen=True, slots=True)
class Look:
    """What the lens reads."""

    walk: lab.DataflowConfig
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One pass of one model, and the position at which the lesson looks."""

    config: lab.DataflowConfig
    loaded: LoadedModel
    walk: lab.Walk
    position: int
    lens: Lens | None  # None for a model that cannot name tokens


def read_lens(look: Look) -> Lens:
    """Every stage's guess at the positions asked for, from the pass that is at hand."""
    walk = results.cached(lab.run, look.walk)
    loaded = zoo.load(look.walk.model)
    return logit_lens(loaded.model, loaded.tokenizer, walk, look.positions)


def lens_positions(walk: lab.Walk, position: int) -> tuple[int, ...]:
    """All positions if they can be read at once, else as many as end at `position`."""
    stages, config = len(stream_names(walk)), walk.config
    cost = stages * 2 * config.hidden_size * config.vocab_size
    count = max(1, int(LENS_FLOPS // cost))
    if count >= len(walk.tokens.ids):
        return tuple(range(len(walk.tokens.ids)))
    return tuple(range(max(0, position + 1 - count), position + 1))


def stops_of(walk: lab.Walk, loaded: LoadedModel) -> list[str]:
    """Every place that a walk may halt at: tokens, each kind of matrix, what comes next, weights."""
    matrices = dict.fromkeys(re.sub(r"layers\.\d+\.", "", name) for name in walk.arrays)
    if walk.config.norm_placement == "post":  # its last norm is the last block's own
        matrices = {stop: None for stop in matrices if not stop.endswith("final.norm")}
    weights = dict.fromkeys(
        weight_stop(name) for name in weight_names(loaded)
        if name.endswith(".weight") and block_of(weight_stop(name))
    )  # fmt: skip
    ends = [NEXT] if "logits" in walk.arrays else []
    context = ["encoder.tokens"] if walk.context else []
    return [*context, TOKENS, *matrices, *ends, *weights]


def is_weight(stop: str) -> bool:
    return stop.endswith(".weight") and not stop.endswith("attn.weight")


def trace_name(stop: str, layer: int) -> str:
    """
    >>> trace_name("encoder.attn.q", 3), trace_name("logits", 3)
    ('encoder.layers.3.attn.q', 'logits')
    """
    side = "encoder." if stop.startswith("encoder.") else ""
    inner = stop.removeprefix(side)
    return stop if inner.split(".")[0] in ONCE else f"{side}layers.{layer}.{inner}"


def in_layers(stop: str) -> bool:
    """Whether every layer has such a stop."""
    if is_weight(stop):
        return "*" in stop
    return stop not in (TOKENS, NEXT, "encoder.tokens") and "layers." in trace_name(stop, 0)


def title(stop: str, text: Words) -> str:
    """A stop's name for readers."""
    if is_weight(stop):
        name = symbol_of(local_name(stop), WEIGHTS) or "γ"
        return f"{name} · {stop.removesuffix('.weight')}"
    inner = stop.removeprefix("encoder.")
    name = text(f"step.{inner.replace('cross.', 'attn.')}")
    if stop.startswith("encoder."):
        return f"{text('stack.encoder')} · {name}"
    return f"{text('block.cross')} · {name}" if inner.startswith("cross.") else name
