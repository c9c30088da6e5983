"""Attention maps of a real model on any text: every head of every layer, named where it earns a name.

`run` reads the text once; all views are slices of the result. What a head's pattern means is in
`head_patterns`: scores against a head that looks everywhere alike, so that most heads stay unnamed.

Axes: L layers, H heads, T query positions, S key positions.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.head_patterns import (
    HeadLabel,
    entropy,
    head_scores,
    label_heads,
    rollout,
)
from labcore.architecture.prompt import Prompt, as_prompt, read_for
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.generation import SamplingConfig, generate
from labcore.zoo import load
from labcore.zoo.cards import LoadedModel

IDLE = ("self", "first_token")
MAX_WRITTEN = 32  # tokens that a translator writes when the learner gave no translation


@lab_config
class AttentionConfig:
    """What is read, and by whom."""

    model: str = "world-decoder"
    text: str = (
        "One morning, Emma walked to the forest with a yellow hat. "
        "She played with Gang there and forgot the hat."
    )
    target: str = ""  # a translator's own text; empty lets it write one, always its likeliest token


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All heads of one kind of attention in one pass."""

    kind: str  # "self", "encoder", "decoder" or "cross"
    weights: np.ndarray  # (L, H, T, S) float32, rows sum to 1
    allowed: np.ndarray  # (T, S) bool
    queries: Prompt  # (T,) who looks
    keys: Prompt  # (S,) who is looked at
    scores: dict[
        str, np.ndarray
    ]  # {pattern: (L, H)}, NaN without a place for it; empty for cross-attention
    labels: list[HeadLabel]  # the heads that earned a name
    entropy: np.ndarray  # (L, H) 0 looks at one token, 1 at all alike
    opening: tuple[int, int]  # (layer, head) that the page opens on

    @property
    def causal(self) -> bool:
        return self.kind != "cross" and bool(np.array_equal(self.allowed, np.tril(self.allowed)))


@dataclass(frozen=True, slots=True, eq=False)
class AttentionResult:
    model: str
    kinds: dict[str, Heads]  # "self" alone, or a translator's "encoder", "decoder" and "cross"


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Two heads' maps, one minus the other."""

    values: np.ndarray  # (T, S) left - right, from -1 to 1
    changed: tuple[int, ...]  # query positions at which the two texts hold different tokens


def run(config: AttentionConfig) -> AttentionResult:
    """Load the model and let it read the text once."""
    return attend(load(config.model), config)


def attend(loaded: LoadedModel, config: AttentionConfig) -> AttentionResult:
    """Every head's attention in one forward pass of `loaded` over the text.

    Raises LabInputError("text", …, "not_empty") for an empty text.
    """
    tokens, context = read_for(loaded, config.text, config.target)
    if context and not config.target.strip():
        tokens = written(loaded, tokens, context)
    with torch.no_grad():
        trace = loaded.model(
            torch.tensor([tokens.ids]),
            context=torch.tensor([context.ids]) if context else None,
            trace=True,
        ).trace
    layers, below = loaded.model.config.num_layers, loaded.model.config.encoder_layers
    if not context:
        kinds = [gather(trace, "self", "layers.{}.attn", layers, tokens, tokens)]
    else:
        kinds = [
            gather(trace, "encoder", "encoder.layers.{}.attn", below, context, context),
            gather(trace, "decoder", "layers.{}.attn", layers, tokens, tokens),
            gather(trace, "cross", "layers.{}.cross", layers, tokens, context),
        ]
    return AttentionResult(config.model, {heads.kind: heads for heads in kinds})


def written(loaded: LoadedModel, start: Prompt, context: Prompt) -> Prompt:
    """The model's own translation, its likeliest token at each step; the end token is not shown."""
    config = SamplingConfig(temperature=0, max_new_tokens=MAX_WRITTEN)
    end = loaded.tokenizer.eos_id
    stop = () if end is None else (end,)
    steps = generate(loaded.model, start.ids, config, stop, context=context.ids)
    ids = [step.token for step in steps]
    return as_prompt([*start.ids, *(token for token in ids if token != end)], loaded.tokenizer)


def gather(
    trace: dict[str, torch.Tensor],
    kind: str,
    place: str,
    layers: int,
    queries: Prompt,
    keys: Prompt,
) -> Heads:
    """One kind of attention out of a trace: its weights, what its heads do, where to open."""
    names = [f"{place.format(layer)}.weights" for layer in range(layers)]
    weights = np.stack([trace[name][0].numpy() for name in names])
    allowed = trace[f"{place.format(0)}.mask"][0, 0].numpy()
    scores = {} if kind == "cross" else head_scores(weights, queries.ids, allowed)
    labels = label_heads(scores) if scores else []
    spread = entropy(weights, allowed)
    return Heads(
        kind=kind,
        weights=weights,
        allowed=allowed,
        queries=queries,
        keys=keys,
        scores=scores,
        labels=labels,
        entropy=spread,
        opening=pick_head(labels, spread),
    )


def pick_head(labels: list[HeadLabel], spread: np.ndarray) -> tuple[int, int]:
    """The head to open on: the best-scoring named one, else the most focused.  (L, H) -> (l, h)

    Heads that look at themselves or rest on the first token come last among the named: they carry
    nothing from one token to another.
    """
    if labels:
        best = max(labels, key=lambda label: (label.pattern not in IDLE, label.score))
        return best.layer, best.head
    if np.isnan(spread).all():
        return 0, 0
    layer, head = np.unravel_index(np.nanargmin(spread), spread.shape)
    return int(layer), int(head)


def require_head(heads: Heads, layer: int, head: int) -> None:
    for field, value, limit in (
        ("layer", layer, heads.weights.shape[0]),
        ("head", head, heads.weights.shape[1]),
    ):
        if not 0 <= value < limit:
            raise LabInputError(field, value, "between", low=0, high=limit - 1)


def looks_at(heads: Heads, layer: int, head: int, query: int) -> np.ndarray:
    """Where one token looks.  -> (S,), sums to 1"""
    require_head(heads, layer, head)
    return heads.weights[layer, head, query]


def looked_at_by(heads: Heads, layer: int, head: int, key: int) -> np.ndarray:
    """Who looks at one token.  -> (T,), each from 0 to 1"""
    require_head(heads, layer, head)
    return heads.weights[layer, head, :, key]


def flow(heads: Heads) -> np.ndarray:
    """Rollout down to the input tokens, layer by layer.  -> (L, T, T)

    Raises LabInputError for cross-attention, whose queries and keys are different texts.
    """
    if heads.kind == "cross":
        raise LabInputError("kind", heads.kind, "self_attention_only")
    return rollout(heads.weights)


def difference(
    left: Heads, right: Heads, left_head: tuple[int, int], right_head: tuple[int, int]
) -> Difference | None:
    """One head's map minus another's, if the two texts can be laid over each other.

    They can if their tokens are as many and read alike in at least half of the places: one text cut
    alike by two tokenizers, or two sentences that differ in a word. Else None: show them side by side.
    """
    require_head(left, *left_head)
    require_head(right, *right_head)
    changed = mismatches(left.queries, right.queries)
    if changed is None or mismatches(left.keys, right.keys) is None:
        return None
    return Difference(left.weights[left_head] - right.weights[right_head], changed)


def mismatches(left: Prompt, right: Prompt) -> tuple[int, ...] | None:
    """Positions at which two texts' tokens differ; None if they cannot be laid over each other."""
    if len(left.ids) != len(right.ids):
        return None
    pairs = enumerate(zip(left.labels, right.labels, strict=True))
    changed = tuple(i for i, (one, other) in pairs if one != other)
    return changed if 2 * len(changed) <= len(left.ids) else None
