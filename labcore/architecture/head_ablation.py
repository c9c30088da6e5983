"""Heads switched off while a real model reads any text: loss, next tokens and maps change at once.

A bright cell of an attention map says where a head looked, not what came of it (arXiv:1902.10186). Here
the head is silenced and the model asked again: what changes then was caused by it.

Axes: P places, H heads, T tokens, S keys, V vocabulary, N candidates, C controls.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.attention_maps import written
from labcore.architecture.head_gates import Head, gated, gates_of, mean_outputs, places
from labcore.architecture.head_texts import held_out, inputs_of
from labcore.architecture.prompt import Prompt, read_for
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.zoo import load
from labcore.zoo.cards import LoadedModel

METHODS = ("zero", "mean")
GAPS = 4  # an encoder is asked for every fourth token at a time, so for each once
CANDIDATES = 8
REFERENCE_ROWS = 8  # texts over which a head's mean is taken
CONTROLS = 12  # random sets of as many heads


@lab_config
class AblationConfig:
    """The default switches off one head of the copier: the one that looks at the token before."""

    model: str = "world-copier"
    text: str = "Tom has a red kite, a blue ball. Tom has a red kite, a blue ball."
    target: str = ""  # a translator's own text; empty lets it write one
    off: tuple[Head, ...] = ((0, 1),)  # (place, head)
    method: str = "zero"  # or "mean": the head always says what it says on average
    seed: int = 0  # of the random sets of the control

    def __post_init__(self):
        if self.method not in METHODS:
            raise LabInputError("method", self.method, "known_choice", allowed=METHODS)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """How a model read a text."""

    token_nats: np.ndarray  # (T,) -ln p of each token; NaN where nothing was asked
    maps: tuple[np.ndarray, ...]  # for each place (H, T, S)

    @property
    def loss_nats(self) -> float:
        return mean_of(self.token_nats)


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """A reading with the large tensors behind it, which no result keeps."""

    reading: Reading
    log_probs: Tensor | None  # (T, V) what the model would say, a decoder of the next token
    hidden: Tensor  # (T, D) what it ends in


@dataclass(frozen=True, slots=True, eq=False)
class AblationResult:
    places: tuple[str, ...]  # (P,) as in a trace: "layers.0.attn"
    gates: np.ndarray  # (P, H) 1 on, 0 off
    queries: Prompt  # (T,) what is judged
    keys: Prompt  # (S,) an encoder-decoder's input; else the same
    before: Reading
    after: Reading
    map_change: np.ndarray  # (P, H) share of its attention that a head has moved, 0 to 1
    shift: np.ndarray  # (T,) 1 - cosine of a token's last vector, before and after
    candidate_ids: np.ndarray | None  # (T, N) likeliest tokens, before or after
    candidate_labels: tuple[tuple[str, ...], ...]  # (T, N)
    candidates_before: np.ndarray | None  # (T, N) probabilities
    candidates_after: np.ndarray | None  # (T, N)


def run(config: AblationConfig) -> AblationResult:
    """Read the text twice: with all heads, and without those that are off."""
    return ablate(load(config.model), config)


def ablate(loaded: LoadedModel, config: AblationConfig) -> AblationResult:
    """What silencing the heads of `config.off` changes.

    Raises LabInputError for an empty text or a head that is not there.
    """
    queries, keys = read(loaded, config)
    gates = gates_of(loaded.model.config, config.off)
    instead = average_heads(config.model) if config.method == "mean" and config.off else None
    before = intact(replace(config, off=(), method="zero", seed=0))
    after = one_pass(loaded, queries, keys, gates, instead) if config.off else before
    both = zip(before.reading.maps, after.reading.maps, strict=True)
    cosine = torch.cosine_similarity(before.hidden, after.hidden, dim=-1)
    return AblationResult(
        places(loaded.model.config), gates.numpy(), queries, keys or queries,
        before.reading, after.reading, np.stack([moved_attention(*pair) for pair in both]),
        (1 - cosine).clamp(min=0).numpy(), *candidates(loaded, before, after),
    )  # fmt: skip


def read(loaded: LoadedModel, config: AblationConfig) -> tuple[Prompt, Prompt | None]:
    """The tokens that are judged, and an encoder-decoder's input; a missing translation is written."""
    queries, keys = read_for(loaded, config.text, config.target)
    if keys and not config.target.strip():
        queries = written(loaded, queries, keys)
    return queries, keys


@lru_cache(maxsize=4)
def intact(config: AblationConfig) -> Pass:
    """The pass with all heads, kept while the learner switches."""
    loaded = load(config.model)
    return one_pass(loaded, *read(loaded, config), None, None)


@lru_cache(maxsize=4)
def average_heads(name: str) -> tuple[Tensor, ...]:
    """What each head says on average over held-out texts: (H, d) for each place."""
    loaded = load(name)
    return mean_outputs(loaded.model, inputs_of(held_out(loaded, REFERENCE_ROWS, seed=0)))


@torch.no_grad()
def one_pass(
    loaded: LoadedModel, queries: Prompt, keys: Prompt | None, gates: Tensor | None,
    instead: tuple[Tensor, ...] | None,
) -> Pass:  # fmt: skip
    """Read the text with these gates before the heads, and write down what happened."""
    model = loaded.model
    tokens = rows_asked(loaded, queries)
    output = model(
        tokens,
        context=torch.tensor([keys.ids]).expand(len(tokens), -1) if keys else None,
        trace=True,
        interventions=None if gates is None else gated(model.config, gates, instead),
    )
    names = [f"{place}.weights" for place in places(model.config)]
    maps = tuple(output.trace[name][-1].numpy() for name in names)
    nats, said = np.full(len(queries.ids), np.nan), None
    if output.logits is not None:
        said = log_probabilities(loaded, output.logits)
        nats = token_nats(loaded, queries, said)
    return Pass(Reading(nats, maps), said, output.hidden[-1])


def rows_asked(loaded: LoadedModel, queries: Prompt) -> Tensor:
    """The text as the model reads it; before an encoder once more with every fourth token hidden.

    (T,) -> (1, T), or for an encoder that names tokens (GAPS + 1, T), the text itself last
    """
    tokens = torch.tensor([queries.ids])
    if loaded.card.kind != "encoder" or loaded.model.config.head == "none":
        return tokens
    rows = tokens.repeat(GAPS + 1, 1)
    place = torch.arange(len(queries.ids))
    real = torch.tensor([bool(piece) for piece in queries.pieces])
    for row in range(GAPS):
        rows[row, (place % GAPS == row) & real] = loaded.tokenizer.mask_id
    return rows


def log_probabilities(loaded: LoadedModel, logits: Tensor) -> Tensor:
    """What the model would say at each position, an encoder where the token is hidden.  -> (T, V)"""
    if len(logits) > 1:
        place = torch.arange(logits.shape[1])
        logits = logits[place % GAPS, place][None]
    return logits[0].float().log_softmax(dim=-1)


def token_nats(loaded: LoadedModel, queries: Prompt, said: Tensor) -> np.ndarray:
    """-ln p of each token that stands for text; a decoder said it one position earlier.  -> (T,)"""
    ids = torch.tensor(queries.ids)
    own = torch.full((len(ids),), torch.nan)
    if loaded.card.kind == "encoder":
        own = said.gather(-1, ids[:, None])[:, 0]
    else:
        own[1:] = said[:-1].gather(-1, ids[1:, None])[:, 0]
    special = torch.tensor([not piece for piece in queries.pieces])
    return -own.masked_fill(special, torch.nan).numpy()


def moved_attention(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Half the absolute difference of two maps, averaged over queries: 0 the same, 1 elsewhere.

    (H, T, S), (H, T, S) -> (H,)
    """
    return np.abs(after - before).sum(axis=-1).mean(axis=-1) / 2


def candidates(loaded: LoadedModel, before: Pass, after: Pass) -> tuple:
    """The likeliest tokens of either pass, with both probabilities: the last four of the result."""
    if before.log_probs is None:
        return None, (), None, None
    either = torch.maximum(before.log_probs, after.log_probs)
    ids = either.topk(min(CANDIDATES, either.shape[-1])).indices  # (T, N)
    labels = tuple(tuple(loaded.tokenizer.label(token) for token in row) for row in ids.tolist())
    chosen = (one.log_probs.gather(-1, ids).exp().numpy() for one in (before, after))
    return ids.numpy(), labels, *chosen


def control(config: AblationConfig) -> np.ndarray:
    """The loss without as many heads drawn at random, several times.  -> (C,) nats

    Without this nobody knows whether it matters which heads were switched off.
    """
    loaded = load(config.model)
    queries, keys = read(loaded, config)
    instead = average_heads(config.model) if config.method == "mean" else None
    losses = []
    for off in random_sets(loaded, len(set(config.off)), config.seed):
        gates = gates_of(loaded.model.config, off)
        losses.append(one_pass(loaded, queries, keys, gates, instead).reading.loss_nats)
    return np.array(losses)


def random_sets(loaded: LoadedModel, size: int, seed: int) -> list[list[Head]]:
    """`CONTROLS` sets of different heads; each set drawn anew."""
    rng = torch.Generator().manual_seed(seed)
    rows, heads = len(places(loaded.model.config)), loaded.model.config.num_heads
    drawn = (torch.randperm(rows * heads, generator=rng)[:size] for _ in range(CONTROLS))
    return [[divmod(int(number), heads) for number in numbers] for numbers in drawn]


def mean_of(values: np.ndarray) -> float:
    """The mean over what is known; NaN if nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


@lab_config
class GroupConfig:
    """One row of heads on a text."""

    ablation: AblationConfig
    place: int


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    alone: np.ndarray  # (H,) rise of the loss when each is off alone, nats
    together: float  # and when all are off at once


def group(config: GroupConfig) -> Group:
    """Does what the heads of a row are worth add up? Each off alone, then all of them."""
    loaded = load(config.ablation.model)
    queries, keys = read(loaded, config.ablation)
    instead = average_heads(config.ablation.model) if config.ablation.method == "mean" else None

    def loss(off: list[Head]) -> float:
        gates = gates_of(loaded.model.config, off)
        return one_pass(loaded, queries, keys, gates, instead).reading.loss_nats

    row = [(config.place, head) for head in range(loaded.model.config.num_heads)]
    whole = loss([])
    return Group(np.array([loss([head]) - whole for head in row]), loss(row) - whole)
