"""Two closer looks at heads: on text without meaning, and at the queries and keys behind a map.

Axes: L layers, H heads, K key/value heads, T query positions, S key positions, d width of a head.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from labcore.architecture.head_patterns import HeadLabel, induction_probe, label_heads
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices
from labcore.model.transformer import Transformer
from labcore.zoo import load

PLACES = {
    "self": "layers.{}.attn",
    "encoder": "encoder.layers.{}.attn",
    "decoder": "layers.{}.attn",
    "cross": "layers.{}.cross",
}


@lab_config
class ProbeConfig:
    """Which decoder reads the random repeated tokens, and the seed that draws them."""

    model: str = "world-decoder"
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ProbeResult:
    scores: dict[str, np.ndarray]  # {pattern: (L, H)}, means over rows of different period
    labels: list[HeadLabel]  # the heads that earned a name there


@lab_config
class QueryKeyConfig:
    """One layer of one kind of attention while a model reads `ids`."""

    model: str
    ids: tuple[int, ...]  # (T,)
    context_ids: tuple[int, ...] = ()  # (S,) the encoder's input, encoder-decoder only
    kind: str = "self"  # as in `attention_maps.Heads.kind`
    layer: int = 0

    def __post_init__(self):
        check_choices(self, {"kind": tuple(PLACES)})


@dataclass(frozen=True, slots=True, eq=False)
class QueryKeyResult:
    """What a layer multiplies: q·k/√d, then the softmax, is the attention map."""

    queries: np.ndarray  # (H, T, d) float32, after RoPE
    keys: np.ndarray  # (K, S, d) float32, after RoPE


def probe(config: ProbeConfig) -> ProbeResult:
    """Let a decoder read random repeated tokens and score its heads on them.

    Raises LabInputError("model", …, "needs_decoder") for other kinds of model.
    """
    loaded = load(config.model)
    generator = torch.Generator().manual_seed(config.seed)
    scores = induction_probe(loaded.model, generator)
    return ProbeResult(scores, label_heads(scores))


def queries_and_keys(config: QueryKeyConfig) -> QueryKeyResult:
    """The queries and keys of one layer.  Raises LabInputError for a layer that is not there."""
    return read_queries_and_keys(load(config.model).model, config)


def read_queries_and_keys(model: Transformer, config: QueryKeyConfig) -> QueryKeyResult:
    """`queries_and_keys` for a model that is already here."""
    context = torch.tensor([config.context_ids]) if config.context_ids else None
    with torch.no_grad():
        trace = model(torch.tensor([config.ids]), context=context, trace=True).trace
    place = PLACES[config.kind]
    layers = next(layer for layer in count() if f"{place.format(layer)}.q" not in trace)
    if not 0 <= config.layer < layers:
        raise LabInputError("layer", config.layer, "between", low=0, high=layers - 1)
    here = place.format(config.layer)
    return QueryKeyResult(trace[f"{here}.q"][0].numpy(), trace[f"{here}.k"][0].numpy())
