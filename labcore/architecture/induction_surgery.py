"""Surgery on the copying circuit: silence a head, or cut a single wire.

Silencing a head tells that it matters, not why. The circuit makes a sharper claim: what the first
layer writes ("before me came …") is read by the second layer's *keys*, and by nothing else that counts.
So a second pass, in which the head is silent, supplies only the keys of the later layers, or only their
queries, or only their values; all else stays as it was. This is path patching; the wire to the keys is
called K-composition (Elhage et al., transformer-circuits.pub/2021/framework).

Axes: N rows, T positions, L layers, H heads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.model.trace import Change, Interventions, combine, patch, switch_off_head
from labcore.model.transformer import Transformer

Head = tuple[int, int]  # layer, head
WIRES = {"queries": "q", "keys": "k", "values": "v"}  # what a later layer reads: its trace name
CONDITIONS = ("intact", "silent", *WIRES, "only_keys")


@dataclass(frozen=True, slots=True, eq=False)
class Knockouts:
    """Accuracy on the known targets under each cut, 0 to 1."""

    head_off: np.ndarray  # (L, H) that head alone silent
    layer_off: np.ndarray  # (L,) all heads of that layer silent
    wires: dict[str, float]  # all of layer 0 by `CONDITIONS`; one layer has only the first two


@torch.no_grad()
def knock_out(model: Transformer, tokens: Tensor, targets: Tensor, known: Tensor) -> Knockouts:
    """Each head silent, each layer silent, each wire from the first layer cut.

    tokens and targets (N, T), known (N, T) bool: the targets that count
    """

    def accuracy(cut: Interventions) -> float:
        guessed = model(tokens, interventions=cut).logits.argmax(dim=-1)
        return float((guessed == targets)[known].double().mean())

    layers, heads = range(model.config.num_layers), range(model.config.num_heads)
    first = [(0, head) for head in heads]
    return Knockouts(
        np.array([[accuracy(silence([(layer, head)])) for head in heads] for layer in layers]),
        np.array([accuracy(silence((layer, head) for head in heads)) for layer in layers]),
        {name: accuracy(cut) for name, cut in cut_wires(model, tokens, first).items()},
    )


def silence(heads: Iterable[Head]) -> dict[str, Change]:
    """These heads add nothing to the stream, at any position."""
    return combine(*[switch_off_head(layer, head) for layer, head in heads])


@torch.no_grad()
def cut_wires(
    model: Transformer, tokens: Tensor, heads: Iterable[Head]
) -> dict[str, dict[str, Change]]:
    """Who in the later layers needs to hear these heads?  tokens (N, T) -> {condition: interventions}

    "silent": nobody hears them. "queries", "keys", "values": all hear them but these. "only_keys":
    nobody hears them but the keys. Without a later layer there are no wires to cut.
    """
    heads = list(heads)
    silent = silence(heads)
    heard = model(tokens, trace=True).trace
    unheard = model(tokens, trace=True, interventions=silent).trace
    readers = range(1 + min(layer for layer, _ in heads), model.config.num_layers)

    def supply(wire: str, source: Mapping[str, Tensor]) -> dict[str, Change]:
        names = [f"layers.{reader}.attn.{wire}" for reader in readers]
        return combine(*[patch(name, source[name]) for name in names])

    cuts = {"intact": {}, "silent": silent}
    if readers:
        cuts |= {name: supply(wire, unheard) for name, wire in WIRES.items()}
        cuts["only_keys"] = combine(silent, supply("k", heard))
    return cuts
