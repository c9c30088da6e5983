"""Surprise, entropy, cross-entropy and divergence, on distributions that are known exactly.

p is the micro-world's own distribution of the next token, q a model's, read at some temperature. Then

    H(p, q) = −Σ p·ln q  =  H(p) + KL(p ‖ q)

is the loss of the model, its floor and what the model lacks. A nat is a unit like a bit; e^H is the
perplexity, and dividing by the bytes of the text makes tokenizers comparable.

Axes: V vocabulary, T tokens, τ temperatures. Source: Shannon 1948; Cover & Thomas, chapter 2.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.foundations.next_word import STORIES, asked
from labcore.text.stories import LANGUAGES
from labcore.text.world import micro_world
from labcore.zoo import load

MODEL = "world-decoder"
TEMPERATURES = np.round(np.geomspace(0.25, 3.0, 41), 4)
SHOWN = 10  # tokens of the bars


@lab_config
class EntropyConfig:
    language: str = "en"
    story: int = 1
    position: int = 6  # tokens before the one asked for
    temperature: float = 1.0

    def __post_init__(self):
        check_choices(self, {"language": LANGUAGES})
        check_limits(
            self, {"story": (0, STORIES - 1), "position": (1, 200), "temperature": (0.1, 10.0)}
        )


@dataclass(frozen=True, slots=True, eq=False)
class EntropyResult:
    labels: list[str]  # (T,) tokens of the story
    entropies: (
        np.ndarray
    )  # (T,) H(p) at the place of each token, nats; 0 for the first, which is given
    cross: np.ndarray  # (T,) H(p, q) there
    position: int
    names: list[str]  # the likeliest tokens at the position
    p: np.ndarray  # (names,)
    q: np.ndarray  # (names,)
    entropy: float  # H(p), nats, at the position
    cross_entropy: float  # H(p, q)
    forward: float  # KL(p ‖ q)
    reverse: float  # KL(q ‖ p), infinite where q allows what p rules out
    outside: float  # probability that q gives to what p rules out
    temperatures: np.ndarray  # (τ,)
    by_temperature: np.ndarray  # (τ,) mean H(p, q) over the story
    floor: float  # mean H(p) over the story
    nats: float  # −ln q of what the story says, mean over its tokens
    bytes: int  # of the story in UTF-8
    tokens: int  # that are asked for


def entropy(p: np.ndarray) -> np.ndarray:
    """−Σ p·ln p in nats, over the last axis; 0·ln 0 is 0.

    >>> (entropy(np.array([0.5, 0.25, 0.25])) / math.log(2)).item()  # ½·1 + ¼·2 + ¼·2 bits
    1.5
    """
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)


def cross_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """−Σ p·ln q: what the code of q costs if p is true. Infinite if q rules out what p allows.

    >>> (cross_entropy(np.array([0.5, 0.5]), np.array([0.25, 0.75])) / math.log(2)).round(4).item()
    1.2075
    """
    with np.errstate(divide="ignore"):
        return -(p * np.where(p > 0, np.log(q), 0.0)).sum(axis=-1)


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(p ‖ q) = Σ p·ln(p / q) = H(p, q) − H(p): never negative, 0 only if the two are equal."""
    return np.maximum(cross_entropy(p, q) - entropy(p), 0.0)


def run(config: EntropyConfig) -> EntropyResult:
    world = micro_world()
    ids = asked(config.language)[config.story]
    exact = world.next_token_distributions(ids)[:-1]  # (T − 1, V)
    with torch.inference_mode():
        logits = load(MODEL).model(torch.tensor([ids])).logits[0, :-1].double()
    position = min(config.position, len(ids) - 1)
    model = (logits / config.temperature).softmax(dim=-1).numpy()
    p, q = exact[position - 1], model[position - 1]
    best = np.argsort(-(p + q), kind="stable")[:SHOWN]
    by_temperature = [
        cross_entropy(exact, (logits / float(t)).softmax(dim=-1).numpy()).mean()
        for t in TEMPERATURES
    ]
    label = world.tokenizer.label
    said = model[np.arange(len(ids) - 1), ids[1:]]
    return EntropyResult(
        [label(token) for token in ids],
        np.concatenate([[0.0], entropy(exact)]), np.concatenate([[0.0], cross_entropy(exact, model)]),
        position, [label(int(token)) for token in best], p[best], q[best],
        float(entropy(p)), float(cross_entropy(p, q)), float(divergence(p, q)),
        float(divergence(q, p)), float(q[p == 0].sum()),
        TEMPERATURES, np.array(by_temperature), float(entropy(exact).mean()),
        float(-np.log(said).mean()), len(world.tokenizer.decode(ids[2:-1]).encode()), len(ids) - 1,
    )  # fmt: skip


def bits_per_byte(nats_per_token: float, tokens: int, bytes: int) -> float:
    """>>> round(bits_per_byte(0.6931, 60, 240), 3)  # one bit a token, four bytes a token
    0.25
    """
    return nats_per_token * tokens / math.log(2) / bytes
