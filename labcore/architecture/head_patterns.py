"""What a head does, read from its attention: pattern scores, labels, entropy, rollout.

A score is how much more of its attention a head spends on a pattern's tokens than a head that looks
everywhere alike: (measured - uniform) / (1 - uniform). A perfect head scores 1, an indifferent one 0,
however short the text. Attention is what a head reads, not what the model does because of it
(arXiv:1902.10186); to claim a cause, switch the head off.

Axes: L layers, H heads, T query positions, S key positions; weights (L, H, T, S), rows sum to 1.
Patterns: induction after Olsson et al., arXiv:2209.11895; sinks after Xiao et al., arXiv:2309.17453.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from labcore.errors import LabInputError
from labcore.model.transformer import Transformer

# A head earns a label by spending at least this share more than a uniform head would. The sink's bar
# is higher since nearly every head of a large model rests on the first token when it has nothing to do.
THRESHOLDS = {
    "induction": 0.4,
    "same_token": 0.4,
    "previous_token": 0.5,
    "next_token": 0.5,
    "self": 0.5,
    "first_token": 0.95,
}
MIN_QUERIES = 3  # a pattern seen from fewer positions than this says nothing about a head


@dataclass(frozen=True, slots=True)
class HeadLabel:
    layer: int
    head: int
    pattern: str
    score: float  # at least the pattern's threshold, at most 1


def causal_mask(length: int) -> np.ndarray:
    """(T, T) bool: position t may look at s <= t."""
    return np.tri(length, dtype=bool)


def pattern_targets(ids: Sequence[int], allowed: np.ndarray) -> dict[str, np.ndarray]:
    """Which keys each query would look at if the head followed the pattern.  (T,) -> {name: (T, T) bool}

    Repeats that another pattern explains as well (the token itself, its neighbour, the first token) do
    not count for `same_token` and `induction`, or a plain previous-token head would score on "ha ha ha".
    """
    ids = np.asarray(ids)
    query, key = np.indices((len(ids), len(ids)))
    distinct = (key > 0) & (abs(query - key) > 1)
    after_earlier = np.roll(ids[:, None] == ids[None, :], 1, axis=1)  # [t, s]: ids[s-1] == ids[t]
    targets = {
        "previous_token": key == query - 1,
        "self": key == query,
        "first_token": (key == 0) & (query > 0),
        "same_token": (ids[:, None] == ids[None, :]) & distinct,
        "induction": after_earlier & (key <= query) & distinct,
    }
    if not np.array_equal(allowed, np.tril(allowed)):  # only who sees the future can look at it
        targets["next_token"] = key == query + 1
    return {name: target & allowed for name, target in targets.items()}


def head_scores(
    weights: np.ndarray, ids: Sequence[int], allowed: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Score every head on every pattern.  (L, H, T, T), (T,) -> {name: (L, H)}

    `allowed` (T, T) says which keys a query may see; None means the causal mask. Positions without a
    target, or with a single key to look at, are left out; fewer than `MIN_QUERIES` of them give NaN.
    """
    allowed = causal_mask(len(ids)) if allowed is None else allowed
    scores = {}
    for name, target in pattern_targets(ids, allowed).items():
        rows = target.any(axis=1) & (allowed.sum(axis=1) > 1)
        if rows.sum() < MIN_QUERIES:
            scores[name] = np.full(weights.shape[:2], np.nan)
            continue
        spent = (weights[:, :, rows] * target[rows]).sum(axis=-1).mean(axis=-1)
        uniform = (target[rows].sum(axis=1) / allowed[rows].sum(axis=1)).mean()
        scores[name] = (spent - uniform) / (1 - uniform)
    return scores


def label_heads(
    scores: dict[str, np.ndarray], thresholds: dict[str, float] = THRESHOLDS
) -> list[HeadLabel]:
    """The heads that earn a label, each with the pattern that clears its bar by most; most earn none."""
    labels = []
    for layer, head in np.ndindex(*next(iter(scores.values())).shape):
        margin = {name: scores[name][layer, head] - thresholds[name] for name in scores}
        name = max(margin, key=lambda name: np.nan_to_num(margin[name], nan=-np.inf))
        if margin[name] >= 0:
            labels.append(HeadLabel(layer, head, name, float(scores[name][layer, head])))
    return labels


def entropy(weights: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """How spread a head's attention is: 0 looks at one token, 1 at all alike.  (L, H, T, S) -> (L, H)

    Each query's entropy is divided by the logarithm of how many keys it may see; queries that can see
    only one are left out. NaN if there is no other.
    """
    allowed = np.ones(weights.shape[-2:], dtype=bool) if allowed is None else allowed
    keys = allowed.sum(axis=1)
    rows = keys > 1
    if not rows.any():
        return np.full(weights.shape[:2], np.nan)
    seen = weights[:, :, rows]
    nats = -(seen * np.log(np.where(seen > 0, seen, 1.0))).sum(axis=-1)
    return (nats / np.log(keys[rows])).mean(axis=-1)


def rollout(weights: np.ndarray) -> np.ndarray:
    """Follow attention down through the layers to the input tokens.  (L, H, T, T) -> (L, T, T)

    Abnar and Zuidema, arXiv:2005.00928: half of each token's stream is its own residual, half the mean
    head's mixture; layers multiply. Entry [l, t, s] is the share of token s in position t after layer l.
    """
    identity = np.eye(weights.shape[-1])
    flow, flows = identity, []
    for layer in weights.mean(axis=1):
        mixed = 0.5 * layer + 0.5 * identity
        flow = mixed / mixed.sum(axis=-1, keepdims=True) @ flow
        flows.append(flow)
    return np.stack(flows)


def repeated_tokens(
    vocabulary: Sequence[int], generator: torch.Generator, periods: Sequence[int]
) -> torch.Tensor:
    """Random tokens, each row repeating with a period of its own.  -> (len(periods), 2 · max period)

    subtle: with one period for all rows a head that looks back a fixed distance would pass for
    induction; only a head that finds the earlier occurrence scores on every period.
    """
    length = 2 * max(periods)
    choices = torch.as_tensor(vocabulary)
    rows = []
    for period in periods:
        drawn = choices[torch.randint(len(choices), (period,), generator=generator)]
        rows.append(drawn.repeat(length // period + 1)[:length])
    return torch.stack(rows)


def induction_probe(
    model: Transformer,
    generator: torch.Generator,
    vocabulary: Sequence[int] | None = None,
    periods: Sequence[int] = (7, 11, 16, 19, 23, 28),
) -> dict[str, np.ndarray]:
    """Head scores on random repeated tokens, where nothing but the repetition can be known.

    -> {pattern: (L, H)}, the mean over rows. `vocabulary` are the ids to draw from (None: all). A head
    that copies is high here *and* on the learner's text; one high only on text follows the text.
    """
    if model.config.kind != "decoder":
        raise LabInputError("model", model.config.kind, "needs_decoder")
    vocabulary = range(model.config.vocab_size) if vocabulary is None else vocabulary
    tokens = repeated_tokens(list(vocabulary), generator, periods)
    with torch.no_grad():
        trace = model(tokens, trace=True).trace
    layers = range(model.config.num_layers)
    weights = torch.stack([trace[f"layers.{i}.attn.weights"] for i in layers], dim=1)
    by_row = [
        head_scores(row.numpy(), ids.tolist()) for row, ids in zip(weights, tokens, strict=True)
    ]
    return {name: np.mean([scores[name] for scores in by_row], axis=0) for name in by_row[0]}
