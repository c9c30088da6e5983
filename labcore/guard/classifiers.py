"""Three guards that score a text: a list of phrases, a logistic regression on n-grams, a small Transformer.

All give a number per text, higher meaning worse; where to draw the line is another question (`rates`).

Axes: N texts, F features, T signs of a text.
"""

import zlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import optimize, sparse, special
from torch import Tensor, nn

from labcore.errors import LabInputError
from labcore.guard.undo import readings
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training.optimiser import clip_gradients

GUARDS = ("keywords", "ngrams", "transformer")
# What somebody who has read the training sentences would put on a list.
PHRASES = (
    "open the", "unseal", "unlock the", "break open", "force open", "secret word", "password",
    "phone number", "address of", "guest book", "ignore", "forget all", "no rules", "pretend",
    "打开", "解封", "开启", "撬开", "暗号", "口令", "电话号码", "住址", "访客簿",
    "忽略", "忘掉", "没有规则", "假装", "别管",
)  # fmt: skip
FEATURES = 1 << 14
LONGEST = 4  # signs in an n-gram
PENALTY = 1e-4  # on the squared weights
MOST_SIGNS = 96  # that the Transformer reads; of a longer text the end


def keyword_score(text: str, phrases: Sequence[str] = PHRASES) -> float:
    """How many phrases of the list occur. Some score the same; a tie is no order."""
    lower = text.lower()
    return float(sum(phrase in lower for phrase in phrases))


def ngram_features(texts: Sequence[str]) -> sparse.csr_matrix:
    """Which runs of one to four signs a text holds, hashed to F columns, rows of length 1.  -> (N, F)"""
    columns, starts, values = [], [0], []
    for text in texts:
        padded = f" {text.lower()} "
        runs = {
            padded[i : i + n] for n in range(1, LONGEST + 1) for i in range(len(padded) - n + 1)
        }
        found = sorted({zlib.crc32(run.encode("utf-8", "replace")) % FEATURES for run in runs})
        columns += found
        values += [len(found) ** -0.5] * len(found)
        starts.append(len(columns))
    return sparse.csr_matrix((values, columns, starts), shape=(len(texts), FEATURES))


def fit_logistic(features: sparse.csr_matrix, harmful: np.ndarray) -> np.ndarray:
    """Weights and, last, a bias that minimise mean cross-entropy + penalty · |w|².  -> (F + 1,)

    The loss is convex: whatever the start, L-BFGS ends in the same place.
    """
    sign = np.where(harmful, 1.0, -1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (features @ weights[:-1] + weights[-1])
        slope = -sign * special.expit(-margin) / len(sign)
        gradient = np.append(features.T @ slope + 2 * PENALTY * weights[:-1], slope.sum())
        value = np.logaddexp(0, -margin).mean() + PENALTY * (weights[:-1] ** 2).sum()
        return value, gradient

    start = np.zeros(features.shape[1] + 1)
    return optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x


def logistic_scores(texts: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Log-odds of harm.  -> (N,)"""
    return ngram_features(texts) @ weights[:-1] + weights[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """The signs that training text held; every other one is the same unknown."""

    known: dict[str, int]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Signs":
        return cls({sign: 2 + n for n, sign in enumerate(sorted(set("".join(texts).lower())))})

    def ids(self, texts: Sequence[str]) -> Tensor:
        """0 pads, 1 is unknown.  -> (N, T)"""
        rows = [[self.known.get(s, 1) for s in text.lower()[-MOST_SIGNS:]] or [1] for text in texts]
        width = max(map(len, rows), default=1)
        return torch.tensor([row + [0] * (width - len(row)) for row in rows])


class CharGuard(nn.Module):
    """A Transformer over signs; the mean of what it holds goes through one line."""

    def __init__(self, signs: Signs, generator: torch.Generator):
        super().__init__()
        self.signs = signs
        self.body = Transformer(
            ModelConfig(
                kind="encoder", vocab_size=2 + len(signs.known), hidden_size=48, num_layers=2,
                num_heads=4, positions="rope", max_positions=MOST_SIGNS, head="none",
            ), generator,
        )  # fmt: skip
        self.line = nn.Linear(48, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """Log-odds of harm.  (N, T) -> (N,)"""
        real = ids != 0
        hidden = self.body(ids, padding_mask=real).hidden
        mean = (hidden * real[:, :, None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
        return self.line(mean)[:, 0]

    @torch.no_grad()
    def scores(self, texts: Sequence[str]) -> np.ndarray:
        parts = [texts[i : i + 256] for i in range(0, len(texts), 256)]
        return np.concatenate(
            [self(self.signs.ids(part)).numpy() for part in parts] or [np.zeros(0)]
        )


def fit_transformer(
    texts: Sequence[str], harmful: np.ndarray, steps: int, seed: int, batch: int = 32
) -> Generator[float, None, CharGuard]:
    """Train from nothing; yields the loss of each step in nats."""
    if steps < 1:
        raise LabInputError("steps", steps, "at_least", limit=1)
    generator = torch.Generator().manual_seed(seed)
    guard = CharGuard(Signs.of(texts), generator)
    label = torch.from_numpy(np.asarray(harmful, np.float32))
    optimiser = torch.optim.AdamW(guard.parameters(), lr=2e-3, weight_decay=0.01)
    for _ in range(steps):
        rows = torch.randint(len(texts), (batch,), generator=generator)
        loss = F.binary_cross_entropy_with_logits(
            guard(guard.signs.ids([texts[row] for row in rows.tolist()])), label[rows]
        )
        optimiser.zero_grad()
        loss.backward()
        clip_gradients(guard, 1.0)
        optimiser.step()
        yield loss.item()
    return guard.eval()


def worst_reading(texts: Sequence[str], scores_of, undo: bool) -> np.ndarray:
    """Scores of texts as they stand, or the highest over all their readings.  -> (N,)"""
    if not undo:
        return np.asarray(scores_of(texts), float)
    ways = [readings(text) or [text] for text in texts]
    flat = np.asarray(scores_of([one for some in ways for one in some]), float)
    ends = np.cumsum([len(some) for some in ways])
    return np.array([part.max() for part in np.split(flat, ends)[: len(ways)]])
