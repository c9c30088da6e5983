"""What a one-hot label hides: at one place of a passage, all that might have come instead.

Four opinions of the next token: the world's own, exact; the teacher's at a temperature; and those of two
students, one taught by the teacher and one that saw nothing but the tokens that came.

Axes: T position, V vocabulary, K tokens shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world
from labcore.compression.distil_run import STUDENT
from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.model.transformer import Transformer
from labcore.tuning import teller

SHOWN_TOKENS = 8
PASSAGES, PLACES = 12, 9  # the first held-out ones; each has ten tokens or more
LIMITS = {"passage": (0, PASSAGES - 1), "place": (1, PLACES), "temperature": (0.5, 16.0)}


@lab_config
class DarkConfig:
    passage: int = 0
    place: int = 4  # the token that is asked for, counted from the opening tag, which is 0
    temperature: float = 1.0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class Dark:
    before: str  # the passage up to this place
    came: str  # the token that came
    came_row: int  # its place among the tokens shown
    tokens: list[str]  # (K,) likeliest in the world first
    shares: dict[str, np.ndarray]  # (K,) of "world", "teacher", "distilled", "alone"
    entropy_nats: dict[str, float]  # of the whole distributions
    divergence_nats: dict[str, float]  # KL(world ‖ ·) at temperature 1: teacher and students


def look(config: DarkConfig, students: Mapping[str, Mapping[str, np.ndarray]]) -> Dark:
    """Everybody's opinion at one place. `students` are weights, as `DistilResult` keeps them."""
    row, place = told_rows()[config.passage], config.place
    truth = exact(config.passage)[place - 1]  # (V,)
    logits = {"teacher": read(teller.load_teller(), row[:place])}
    for name, weights in students.items():
        full = {path: torch.from_numpy(weight).float() for path, weight in weights.items()}
        logits[name] = read(Transformer(STUDENT, weights=full), row[:place])
    shares = {"world": truth}
    for name, scores in logits.items():
        # The temperature is the teacher's: students are asked as they would be used.
        heat = config.temperature if name == "teacher" else 1.0
        shares[name] = softened(scores, heat)
    order = ranked(truth, shares["teacher"], row[place])
    names = teller.vocabulary()
    return Dark(
        teller.text_of(row[:place]), names.label(row[place]), order.tolist().index(row[place]),
        [names.label(token) for token in order],
        {name: share[order] for name, share in shares.items()},
        {name: float(-(share * np.log(share.clip(1e-30))).sum()) for name, share in shares.items()},
        {name: divergence(truth, softened(scores, 1.0)) for name, scores in logits.items()},
    )  # fmt: skip


def softened(logits: Tensor, temperature: float) -> np.ndarray:
    """softmax(z / T)  (V,) -> (V,)"""
    return (logits.double() / temperature).softmax(dim=-1).numpy()


def divergence(truth: np.ndarray, said: np.ndarray) -> float:
    """KL(truth ‖ said) in nats; what truth rules out costs nothing."""
    possible = truth > 0
    return float((truth[possible] * np.log(truth[possible] / said[possible].clip(1e-30))).sum())


def ranked(truth: np.ndarray, teacher: np.ndarray, came: int) -> np.ndarray:
    """(K,) likeliest in the world, then by the teacher; the one that came is among them."""
    order = np.lexsort((-teacher, -truth))[:SHOWN_TOKENS]
    if came not in order:
        order[-1] = came
    return order


@torch.no_grad()
def read(model: Transformer, row: list[int]) -> Tensor:
    """Logits of what comes after `row`.  -> (V,)"""
    return model.eval()(torch.tensor([row])).logits[0, -1]


@lru_cache(maxsize=1)
def told_rows() -> list[list[int]]:
    return teller.rows(teller.held_out_passages()[:PASSAGES])


@lru_cache(maxsize=PASSAGES)
def exact(passage: int) -> np.ndarray:
    """Row t: the world's distribution of token t + 1, in the teller's tokens.  -> (T, V)"""
    whole = world("passages")
    ids = whole.story_ids(teller.held_out_passages()[passage])
    # The world's sequence opens with <|bos|>, which the teller does without.
    return whole.next_token_distributions(ids)[1:, teller.vocabulary().tokens]
