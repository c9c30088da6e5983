"""One question, many chains: how they vote, and what each way of choosing makes of them.

Axes: M chains, N = 12 digits, W = N + 1 written steps, the answer being the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.frontier.voting import majority, weighted_majority
from labcore.model.transformer import Transformer
from labcore.reasoning.answering import answer_logits, step_logits
from labcore.reasoning.chains import running_sums
from labcore.reasoning.verifiers import chain_scores, judged, load_verifier, step_labels
from labcore.reasoning.writers import DIGITS, TASK, WRITERS, load_writer, write

# One chain drawn; the likeliest one; the commonest answer; the chain that the writer itself finds
# likeliest; the one that a verifier finds best; votes weighted by the verifier's score.
WAYS = ("one", "majority", "own", "outcome", "process", "weighted")
SCORES = ("own", "outcome", "process")  # by which a chain may be chosen


@lab_config
class VoteConfig:
    question: str = "473918265074"  # twelve digits
    writer: str = "half"
    temperature: float = 1.0
    samples: int = 32  # M
    seed: int = 0

    def __post_init__(self):
        read_question(self.question)
        check_choices(self, {"writer": WRITERS})
        check_limits(self, {"temperature": (0.1, 3.0), "samples": (1, 256), "seed": (0, 2**31)})


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    question: np.ndarray  # (N,)
    truth: int
    written: np.ndarray  # (M, W)
    valid: np.ndarray  # (M, W) bool, whether a step follows from the one before
    believed: dict[str, np.ndarray]  # by verifier: (M, W) the chance it gives each step
    scores: dict[str, np.ndarray]  # by name in SCORES: (M,) nats
    chosen: dict[str, int]  # by way, and "greedy": its answer

    @property
    def answers(self) -> np.ndarray:
        """(M,)"""
        return self.written[:, -1]

    @property
    def counts(self) -> np.ndarray:
        """How many chains end in 0, 1, … 9; one that ends in a sign counts for none.  (10,)"""
        return np.bincount(self.answers[self.answers < 10], minlength=10)


def read_question(text: str) -> Tensor:
    """Twelve digits, and nothing else but spaces.  -> (1, N)"""
    digits = "".join(text.split())
    if not (len(digits) == DIGITS and digits.isascii() and digits.isdigit()):
        raise LabInputError("question", text, "digits_exactly", limit=DIGITS)
    return torch.tensor([[int(digit) for digit in digits]])


def choose(way: str, answers: Sequence[int], scores: dict[str, np.ndarray]) -> int:
    """The answer that a way of choosing takes from these chains; of equals the first."""
    if not answers:
        raise LabInputError("answers", 0, "at_least", limit=1)
    if way not in WAYS:
        raise LabInputError("way", way, "known_choice", allowed=WAYS)
    if way == "one":
        return answers[0]
    if way == "majority":
        return majority(answers)
    if way == "weighted":
        return weighted_majority(answers, np.exp(scores["process"]).tolist())
    return answers[int(np.argmax(scores[way]))]


@torch.no_grad()
def score_all(
    writer: Transformer, questions: Tensor, written: Tensor
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(B, N), (B, W) -> scores (B,) of every chain by name, chances (B, W) of every step by verifier"""
    scores = {"own": own_logprobs(writer, questions, written).sum(dim=1).numpy()}
    believed = {}
    for kind in ("outcome", "process"):
        logits = judged(verifier(kind), questions, written)
        scores[kind], believed[kind] = chain_scores(logits).numpy(), logits.sigmoid().numpy()
    return scores, believed


def own_logprobs(writer: Transformer, questions: Tensor, written: Tensor) -> Tensor:
    """ln of the writer's own probability of each step, at temperature 1.  -> (B, W) nats"""
    chain, answer = written[:, :-1], written[:, -1:]
    steps = step_logits(writer, questions, chain)
    last = answer_logits(writer, questions, chain)[:, None]
    said = torch.cat([steps, last], dim=1).log_softmax(dim=2)
    return said.gather(2, torch.cat([chain, answer], dim=1)[:, :, None])[:, :, 0]


@cache
def verifier(kind: str) -> Transformer:
    return load_verifier(kind)


def run(config: VoteConfig) -> Votes:
    question, writer = read_question(config.question), load_writer(config.writer)
    asked = question.expand(config.samples, -1)
    generator = torch.Generator().manual_seed(config.seed)
    written = write(writer, asked, config.temperature, generator)
    scores, believed = score_all(writer, asked, written)
    answers = written[:, -1].tolist()
    chosen = {way: choose(way, answers, scores) for way in WAYS}
    chosen["greedy"] = int(write(writer, question, 0.0, None)[0, -1])
    return Votes(
        question[0].numpy(), int(running_sums(question, TASK)[0, -1]), written.numpy(),
        step_labels(asked, written).numpy(), believed, scores, chosen,
    )  # fmt: skip
