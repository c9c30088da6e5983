"""Filling blanks: what an encoder holds possible in each, and what is exactly right.

One pass of the encoder gives every blank a distribution of its own, as if the others were filled
independently. Filling them one after the other, the surest first, lets each see the ones before.

Axes: T tokens, G blanks, C candidates, V vocabulary.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world
from labcore.architecture.families_text import ask_for_hidden
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.pretraining import masked_blanks
from labcore.pretraining.masked_rule import framed
from labcore.zoo import load

MODEL = "world-encoder"
MOST_CHARACTERS = 600
MOST_TOKENS = 40  # of the sentence
MOST_EXACT = 10  # blanks; with more the exact answer takes too long
CANDIDATES = 6
OPENING = 2  # tokens before the sentence: begin, language


@lab_config
class FillConfig:
    text: str  # with brackets, see `masked_blanks`

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise LabInputError("sentence", self.text, "not_empty")


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One blank filled."""

    position: int
    label: str
    prob: float


@dataclass(frozen=True, slots=True, eq=False)
class FillResult:
    labels: list[str]  # (T,) the true tokens; the mask's own label where nobody knows
    gaps: list[int]  # (G,) positions
    unknown: list[int]  # those of them whose token nobody knows
    candidates: list[list[str]]  # (G, C) likely answers, the likeliest for any reader first
    model: np.ndarray  # (G, C) probabilities of the candidates
    exact: np.ndarray  # (G, C), NaN where no text of the world agrees with what is shown
    truth_model: np.ndarray  # (G,) probability of the true token; NaN where nobody knows it
    truth_exact: np.ndarray  # (G,), NaN as in `exact`
    entropy_model: np.ndarray  # (G,) nats: how many answers stay open
    entropy_exact: np.ndarray  # (G,), NaN as in `exact`
    at_once: str  # every blank by its own first choice
    at_once_told: bool  # could the world have told this?
    one_by_one: str
    one_by_one_told: bool
    steps: list[Step]  # (G,) in the order of filling
    score: (
        np.ndarray
    )  # (T,) −ln p of each token given all others, of the text as filled; 0 for special ones
    dropped_tokens: int


# The idea.


@torch.no_grad()
def fill_at_once(model: Transformer, ids: list[int], gaps: list[int], mask_id: int) -> Tensor:
    """What the encoder holds possible in each blank, all blanks open: one pass.  -> (G, V)"""
    tokens = torch.tensor([ids])
    tokens[0, gaps] = mask_id
    return model(tokens).logits[0, gaps].softmax(dim=-1)


def fill_one_by_one(
    model: Transformer, ids: list[int], gaps: list[int], mask_id: int
) -> tuple[list[int], list[tuple[int, float]]]:
    """The surest blank is filled first, then all others are asked again.  -> ids, [(position, p)]"""
    ids, left, order = list(ids), list(gaps), []
    while left:
        shares = fill_at_once(model, ids, left, mask_id)
        sureness, choice = shares.max(dim=-1)
        best = int(sureness.argmax())
        position = left.pop(best)
        ids[position] = int(choice[best])
        order.append((position, float(sureness[best])))
    return ids, order


def pseudo_log_likelihood(
    model: Transformer, ids: list[int], asked: list[int], mask_id: int
) -> np.ndarray:
    """−ln p of each token with it alone hidden; their sum is minus the pseudo-log-likelihood.  (T,)"""
    shares = ask_for_hidden(model, ids, asked, mask_id)
    nats = np.zeros(len(ids), np.float32)
    truth = [ids[place] for place in asked]
    nats[asked] = -shares[torch.arange(len(asked)), truth].log().numpy()
    return nats


# The run.


def run(config: FillConfig) -> FillResult:
    tokenizer, model = world().tokenizer, load(MODEL).model
    blanks = masked_blanks.read(config.text[:MOST_CHARACTERS].strip(), tokenizer)
    if not blanks.ids:
        raise LabInputError("sentence", config.text, "not_empty")
    ids = framed(list(blanks.ids[:MOST_TOKENS]), config.text)
    gaps = [place + OPENING for place in blanks.gaps if place < MOST_TOKENS]
    unknown = [place + OPENING for place in blanks.unknown if place < MOST_TOKENS]
    shares = fill_at_once(model, ids, gaps, tokenizer.mask_id).numpy() if gaps else _nothing()
    exact = exact_answers(ids, gaps)
    likely = likeliest(shares, exact)
    truth = np.array([ids[place] for place in gaps], dtype=int)
    known = np.array([place not in unknown for place in gaps], dtype=bool)
    rows = np.arange(len(gaps))
    filled, order = fill_one_by_one(model, ids, gaps, tokenizer.mask_id)
    once = list(ids)
    for place, row in zip(gaps, shares, strict=True):
        once[place] = int(row.argmax())
    whole = [filled[place] if place in unknown else token for place, token in enumerate(ids)]
    asked = list(range(OPENING, len(ids) - 1))
    return FillResult(
        labels=[tokenizer.label(token) for token in ids],
        gaps=gaps,
        unknown=unknown,
        candidates=[[tokenizer.label(token) for token in row] for row in likely.tolist()],
        model=np.take_along_axis(shares, likely, axis=1).astype(np.float32),
        exact=np.take_along_axis(exact, likely, axis=1).astype(np.float32),
        truth_model=np.where(known, shares[rows, truth], math.nan),
        truth_exact=np.where(known, exact[rows, truth], math.nan),
        entropy_model=entropy(shares),
        entropy_exact=entropy(exact),
        at_once=tokenizer.decode(once),
        at_once_told=is_told(once),
        one_by_one=tokenizer.decode(filled),
        one_by_one_told=is_told(filled),
        steps=[Step(place, tokenizer.label(filled[place]), prob) for place, prob in order],
        score=pseudo_log_likelihood(model, whole, asked, tokenizer.mask_id),
        dropped_tokens=max(0, len(blanks.ids) - MOST_TOKENS),
    )


def _nothing() -> np.ndarray:
    return np.zeros((0, world().tokenizer.vocab_size), np.float32)


def exact_answers(ids: list[int], gaps: list[int]) -> np.ndarray:
    """Of a passage that agrees with all that is shown, each blank.  (G, V), NaN if there is none."""
    unknown = np.full((len(gaps), world().tokenizer.vocab_size), math.nan)
    if not gaps or len(gaps) > MOST_EXACT:
        return unknown
    posterior = world("passages").masked_posterior(ids, gaps)
    return unknown if posterior is None else np.stack([posterior[place] for place in gaps])


def likeliest(*beliefs: np.ndarray) -> np.ndarray:
    """The tokens that any reader finds most probable.  each (G, V) -> (G, C)"""
    best = np.nan_to_num(np.stack(beliefs)).max(axis=0)
    return np.argsort(-best, axis=1, kind="stable")[:, :CANDIDATES]


def entropy(shares: np.ndarray) -> np.ndarray:
    """(G, V) -> (G,) nats; NaN stays NaN"""
    return -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)


def is_told(ids: list[int]) -> bool:
    """Could this be a passage of the micro-world?"""
    return world("passages").sequence_nats(ids) is not None
