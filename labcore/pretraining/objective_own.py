"""A text of the learner's, read by the two models of the natural-text experiment.

Axes: T tokens, C candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.pretraining import objective_tasks as tasks
from labcore.pretraining.objective_natural import KINDS, NaturalResult
from labcore.text.bpe import BPETokenizer

MOST_TOKENS = 40
MOST_CHARACTERS = 400
LEAST_TOKENS = 2
CANDIDATES = 6  # shown of one gap
WRITTEN = 16  # tokens
WAYS = ("left", "rescored", "both")  # to fill a gap: causal, causal by trying all, masked


@lab_config
class Reading:
    text: str
    place: int = 0  # number of the token to hide
    seed: int = 0  # of what is written on

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise LabInputError("text", self.text, "not_empty")


@dataclass(frozen=True, slots=True, eq=False)
class OwnText:
    labels: list[str]  # (T,) of the text
    place: int
    candidates: list[str]  # (C,) for the gap
    shares: dict[str, np.ndarray]  # way -> (C,) probability
    causal_nats: np.ndarray  # (T,) −ln p of each token given those before it
    masked_nats: np.ndarray  # (T,) −ln p of each token given all others
    written: dict[str, str]  # "causal", "masked": how the text goes on
    dropped_tokens: int


def labels(result: NaturalResult, text: str) -> list[str]:
    """The tokens of a text, as many as are read."""
    tokenizer = result.tokenizer()
    return [tokenizer.label(token) for token in encoded(tokenizer, text)[:MOST_TOKENS]]


def encoded(tokenizer: BPETokenizer, text: str) -> list[int]:
    return tokenizer.encode(text[:MOST_CHARACTERS].strip())


def read(result: NaturalResult, reading: Reading) -> OwnText:
    """All three tasks on one text, which begins a document."""
    tokenizer, models = result.tokenizer(), {kind: result.model(kind) for kind in KINDS}
    ids = encoded(tokenizer, reading.text)
    if len(ids) < LEAST_TOKENS:
        raise LabInputError("text", len(ids), "at_least_tokens", limit=LEAST_TOKENS)
    text = [tokenizer.bos_id, *ids[:MOST_TOKENS]]
    place = min(max(reading.place, 0), len(text) - 2) + 1
    beliefs = {
        "left": tasks.fill_from_left(models["causal"], [text], [place])[0],
        "rescored": tasks.fill_by_rescoring(models["causal"], text, place),
        "both": tasks.fill_from_both_sides(models["masked"], [text], [place], tokenizer.mask_id)[0],
    }
    chosen = candidates(beliefs, text[place])
    masked = tasks.pseudo_nats(models["masked"], text, tokenizer.mask_id)
    return OwnText(
        [tokenizer.label(token) for token in text[1:]], place - 1,
        [tokenizer.label(token) for token in chosen],
        {way: belief[chosen].exp().numpy() for way, belief in beliefs.items()},
        tasks.left_to_right_nats(models["causal"], text).numpy(), masked.numpy(),
        {kind: gone_on(models, kind, text, tokenizer, reading.seed) for kind in KINDS},
        max(0, len(ids) - MOST_TOKENS),
    )  # fmt: skip


def candidates(beliefs: Mapping[str, torch.Tensor], true: int) -> list[int]:
    """The true token, then the favourites of each way in turn."""
    ranked = [belief.argsort(descending=True).tolist() for belief in beliefs.values()]
    turns = [token for places in zip(*ranked, strict=True) for token in places]
    return list(dict.fromkeys([true, *turns]))[:CANDIDATES]


def gone_on(
    models: Mapping[str, Transformer],
    kind: str,
    text: list[int],
    tokenizer: BPETokenizer,
    seed: int,
) -> str:
    rng = torch.Generator().manual_seed(seed)
    row = tasks.write(models[kind], kind, [text], tokenizer, rng, WRITTEN)[0]
    return tokenizer.decode(row[len(text) :])
