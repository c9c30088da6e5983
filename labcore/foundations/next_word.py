"""P(next token | what stands before), three ways: exactly, by counting stories, and by a trained model.

The micro-world is told by an automaton, so the conditional probability is known. Counting estimates it
from the stories that begin like this one; the longer the beginning, the fewer there are. A model has the
same stories behind it, yet says something about a beginning that it has never read.

The chain rule makes a story's probability out of these: P(x₁ … x_T) = Π P(xₜ | x₁ … xₜ₋₁), so its surprises
−ln P add up.

Axes: T tokens of the story, V vocabulary, S stories counted.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.text.stories import LANGUAGES
from labcore.text.world import micro_world, stories
from labcore.zoo import load

MODEL = "world-decoder"
CORPUS_SEED, STORY_SEED = 20, 21
CORPUS_SIZES = (100, 400, 1600)
STORIES = 6  # held-out stories to choose from, in each language


@lab_config
class NextConfig:
    language: str = "en"
    story: int = 1  # which of the held-out stories
    position: int = 5  # tokens before the one asked for, with <|bos|> and the language
    counted: int = 1600  # training stories that are counted

    def __post_init__(self):
        check_choices(self, {"language": LANGUAGES})
        check_limits(self, {"story": (0, STORIES - 1), "position": (1, 200)})
        if self.counted not in CORPUS_SIZES:
            raise LabInputError("counted", self.counted, "known_choice", allowed=CORPUS_SIZES)


@dataclass(frozen=True, slots=True, eq=False)
class NextResult:
    labels: list[str]  # (T,) tokens as they read
    exact_nats: np.ndarray  # (T,) −ln P of each token; 0 for the first, which is given
    model_nats: np.ndarray  # (T,)
    matches: np.ndarray  # (T,) stories counted that begin with the tokens before this one
    likely: list[list[tuple[str, float]]]  # (T,) for each place the likeliest tokens there, exact
    position: int
    names: list[str]  # likeliest next tokens at the position, by the exact distribution
    exact: np.ndarray  # (names,)
    counted: np.ndarray  # (names,) shares among the matches; nan if there are none
    model: np.ndarray  # (names,)
    true: str  # what the story says there


@lru_cache(maxsize=1)
def told() -> list[list[int]]:
    """The training stories that can be counted.  (S, T) ids, ragged"""
    return micro_world().dataset(max(CORPUS_SIZES), CORPUS_SEED)


@lru_cache(maxsize=2)
def asked(language: str) -> list[list[int]]:
    """The stories to choose from; none is among those counted."""
    some = stories(8 * STORIES, STORY_SEED, "held_out")
    return [micro_world().story_ids(one) for one in some if one.language == language][:STORIES]


def counted_shares(prefix: list[int], corpus: list[list[int]], vocab_size: int) -> np.ndarray:
    """Count what follows `prefix` in the stories of `corpus` that begin with it.  -> (V,) counts"""
    counts = np.zeros(vocab_size)
    length = len(prefix)
    for ids in corpus:
        if len(ids) > length and ids[:length] == prefix:
            counts[ids[length]] += 1
    return counts


@lru_cache(maxsize=2 * STORIES)
def read(language: str, story: int) -> tuple[np.ndarray, np.ndarray]:
    """Distributions of the token after each prefix, exact and the model's.  -> (T, V), (T, V)"""
    ids = asked(language)[story]
    exact = micro_world().next_token_distributions(ids)
    with torch.inference_mode():
        logits = load(MODEL).model(torch.tensor([ids])).logits[0]
    return exact, logits.double().softmax(dim=-1).numpy()


def surprises(rows: np.ndarray, ids: list[int]) -> np.ndarray:
    """−ln P of each token given those before it; the first is given.  (T, V), (T,) -> (T,)"""
    of_next = rows[np.arange(len(ids) - 1), ids[1:]]
    return np.concatenate([[0.0], -np.log(of_next)])


def run(config: NextConfig) -> NextResult:
    ids, tokenizer = asked(config.language)[config.story], micro_world().tokenizer
    exact, model = read(config.language, config.story)
    position = min(config.position, len(ids) - 1)
    counted = told()[: config.counted]
    row = exact[position - 1]
    best = [token for token in np.argsort(-row, kind="stable")[:10] if row[token] > 0]
    counts = counted_shares(ids[:position], counted, len(row))
    total = counts.sum()
    likely = [[]] + [
        [
            (tokenizer.label(int(token)), float(one[token]))
            for token in np.argsort(-one)[:5]
            if one[token] > 0
        ]
        for one in exact[:-1]
    ]
    return NextResult(
        [tokenizer.label(token) for token in ids], surprises(exact, ids), surprises(model, ids),
        matching(ids, counted), likely, position, [tokenizer.label(int(token)) for token in best],
        row[best], counts[best] / total if total else np.full(len(best), np.nan), model[position - 1][best],
        tokenizer.label(ids[position]),
    )  # fmt: skip


def matching(ids: list[int], corpus: list[list[int]]) -> np.ndarray:
    """How many stories begin with the first 0, 1, 2 … tokens.  -> (T,)"""
    shared = np.zeros(len(ids), np.int64)
    for other in corpus:
        length = next(
            (t for t, (a, b) in enumerate(zip(ids, other, strict=False)) if a != b),
            min(len(ids), len(other)),
        )
        shared[: length + 1] += 1
    return shared
