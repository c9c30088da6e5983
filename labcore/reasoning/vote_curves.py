"""Accuracy against the number of chains, for every way of choosing among them.

From a pool of M chains for each of Q questions, n are taken at random, again and again; so all ways choose
among the same chains. pass@n, that one of the n is right, is what a perfect judge would make of them, and
on ten possible answers guessing alone makes it grow.

Axes: Q questions, M chains of each, K values of n, W written steps.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.reasoning.chains import draw_questions, running_sums
from labcore.reasoning.verifiers import step_labels
from labcore.reasoning.vote import WAYS, choose, score_all
from labcore.reasoning.writers import DIGITS, TASK, WRITERS, load_writer, write
from labcore.tuning.pass_at_k import pass_at_k

COUNTS = (1, 2, 3, 5, 8, 16, 32, 64)  # n
DRAWS = 8  # random choices of n from the pool
CHUNK = 50  # questions between two looks


@lab_config
class CurvesConfig:
    writer: str = "half"
    temperature: float = 1.0
    questions: int = 150  # Q
    samples: int = 64  # M
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"writer": WRITERS})
        check_limits(self, {"temperature": (0.1, 3.0), "questions": (1, 1000)})
        check_limits(self, {"samples": (1, 128), "seed": (0, 2**31)})


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    counts: np.ndarray  # (K,)
    accuracy: dict[str, np.ndarray]  # by way: (K,)
    passed: np.ndarray  # (K,) pass@n
    greedy: float  # accuracy of the likeliest chain
    right_share: np.ndarray  # (Q,) how many of a question's chains have the right answer
    wrong_share: np.ndarray  # (Q,) and how many the commonest wrong one
    valid_steps: float  # share of steps that follow from the one before
    lucky: float  # of the right answers, how many have a wrong step behind them


@dataclass(frozen=True, slots=True)
class Asked:
    share: float  # of the questions


def chances(answers: np.ndarray, truth: int) -> tuple[float, float]:
    """How common the right answer is among these, and the commonest wrong one.  (M,)"""
    shares = np.bincount(answers, minlength=10) / len(answers)
    return float(shares[truth]), float(np.delete(shares, truth).max())


def ask(config: CurvesConfig) -> Generator[Asked, None, Curves]:
    """Write the pool, then choose from it in every way."""
    writer = load_writer(config.writer)
    generator = torch.Generator().manual_seed(config.seed)
    questions = draw_questions(config.questions, DIGITS, TASK, generator)
    truth = running_sums(questions, TASK)[:, -1].numpy()
    pools, scores, valid = [], [], []
    for part in questions.split(CHUNK):
        asked = part.repeat_interleave(config.samples, dim=0)
        written = write(writer, asked, config.temperature, generator)
        pools.append(written[:, -1].reshape(len(part), -1).numpy())
        scores.append(score_all(writer, asked, written)[0])
        valid.append(step_labels(asked, written).reshape(len(part), config.samples, -1).numpy())
        yield Asked(sum(map(len, pools)) / config.questions)
    answers, valid = np.concatenate(pools), np.concatenate(valid)
    by_name = {
        name: np.concatenate([one[name] for one in scores]).reshape(answers.shape)
        for name in scores[0]
    }
    counts = np.array([n for n in COUNTS if n <= config.samples])
    right = answers == truth[:, None]
    greedy = write(writer, questions, 0.0, None)[:, -1].numpy()
    shares = np.array([chances(*pair) for pair in zip(answers, truth, strict=True)])
    hits = right.sum(axis=1)
    return Curves(
        counts, accuracies(answers, by_name, truth, counts, np.random.default_rng(config.seed)),
        np.array([np.mean([pass_at_k(config.samples, int(c), int(n)) for c in hits]) for n in counts]),
        float((greedy == truth).mean()), shares[:, 0], shares[:, 1], float(valid.mean()),
        float((right & ~valid.all(axis=2)).sum() / max(1, right.sum())),
    )  # fmt: skip


def accuracies(
    answers: np.ndarray, scores: dict[str, np.ndarray], truth: np.ndarray, counts: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:  # fmt: skip
    """How often each way takes the right answer from n chains of the M.  (Q, M) -> by way (K,)"""
    hits = {way: np.zeros(len(counts)) for way in WAYS}
    for _ in range(DRAWS):
        for row, right in enumerate(truth):
            order = rng.permutation(answers.shape[1])
            for place, count in enumerate(counts):
                drawn = order[:count]
                some = answers[row, drawn].tolist()
                known = {name: one[row, drawn] for name, one in scores.items()}
                for way in WAYS:
                    hits[way][place] += choose(way, some, known) == right
    return {way: hit / (DRAWS * len(truth)) for way, hit in hits.items()}
