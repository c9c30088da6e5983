"""The same small model taught twice: to answer at once, and to write its steps first.

One pass through two layers can do only so many steps one after the other. A model that writes a step
reads it again in the next pass, so a chain of N steps needs one step per pass. Both models see
the same number of questions; what differs is what they are asked to write.

After training, three looks at the model that writes steps: what it answers when its chain is cut short,
what it answers when one of its steps is changed behind its back, and when a digit of the question is.

Source of the last two: Lanham et al., arXiv:2307.13702 (is the chain what the answer comes from?).
Axes: E looks at accuracy, N digits, S steps allowed.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.reasoning.answering import answer_after, write_steps
from labcore.reasoning.chains import (
    TASKS,
    VOCAB_SIZE,
    WAYS,
    batches,
    draw_questions,
    modulus_of,
    running_sums,
)
from labcore.training.loop import TrainConfig, train

LOOK_EVERY = 20  # updates between two looks
JUDGED = 256  # questions
FATES = ("follows", "stays", "other")


@lab_config
class ThinkConfig:
    task: str = "parity"
    digits: int = 16  # N
    steps: int = 200  # updates of each model
    batch_size: int = 64
    learning_rate: float = 3e-3
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"task": TASKS})
        check_limits(self, {"digits": (2, 24), "steps": (1, 2000), "batch_size": (1, 512)})
        check_limits(self, {"learning_rate": (1e-6, 1.0), "seed": (0, 2**31)})


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Accuracy of one model after some updates, on questions drawn apart."""

    way: str
    step: int
    accuracy: float
    share: float  # of both trainings


@dataclass(frozen=True, slots=True, eq=False)
class Thinking:
    steps: np.ndarray  # (E,) updates
    accuracy: dict[str, np.ndarray]  # by way: (E,)
    allowed: np.ndarray  # (N + 1,) accuracy when the chain is cut after 0, 1, … N steps
    step_changed: dict[
        str, np.ndarray
    ]  # by fate: (N,) share of answers, by the step that was changed
    digit_changed: dict[
        str, np.ndarray
    ]  # by fate: (N,) the chain kept, a digit of the question changed
    guess: float  # accuracy of guessing, 1 / modulus
    questions: int  # different ones that there are; at most 2⁶³ − 1
    tokens: dict[str, int]  # read in training, by way
    seconds: float


def model_config(digits: int) -> ModelConfig:
    return ModelConfig(
        vocab_size=VOCAB_SIZE, hidden_size=64, num_layers=2, num_heads=4, positions="learned",
        max_positions=2 * digits + 3,
    )  # fmt: skip


def cut_short(model: Transformer, questions: Tensor, allowed: int, task: str) -> float:
    """Accuracy when the model may write so many steps of its own and must answer then.  (B, N)"""
    chain = write_steps(model, questions, allowed)
    return _share(answer_after(model, questions, chain) == running_sums(questions, task)[:, -1])


def change_step(model: Transformer, questions: Tensor, place: int, task: str) -> dict[str, float]:
    """Write 1 more than is right at one place, and let the model go on from there.

    Whoever reads its chain ends 1 too high ("follows"); whoever does not stays right.
    """
    modulus, chain = modulus_of(task), running_sums(questions, task)
    begun = chain[:, : place + 1].clone()
    begun[:, place] = (begun[:, place] + 1) % modulus
    written = write_steps(model, questions, questions.shape[1], begun=begun)
    truth = chain[:, -1]
    return fates(answer_after(model, questions, written), truth, (truth + 1) % modulus)


def change_digit(model: Transformer, questions: Tensor, place: int, task: str) -> dict[str, float]:
    """Keep the right chain, and add 1 to a digit of the question above it.

    Whoever reads the question again ends 1 higher ("follows"); whoever reads the chain stays.
    """
    modulus, chain = modulus_of(task), running_sums(questions, task)
    other = questions.clone()
    other[:, place] = (other[:, place] + 1) % modulus
    truth = chain[:, -1]
    return fates(answer_after(model, other, chain), truth, (truth + 1) % modulus)


def fates(answers: Tensor, stays: Tensor, follows: Tensor) -> dict[str, float]:
    """The share of answers that went with the change, that did not, and that did neither.  (B,)"""
    shares = {"follows": _share(answers == follows), "stays": _share(answers == stays)}
    return shares | {"other": _share((answers != follows) & (answers != stays))}


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())


def learn(config: ThinkConfig) -> Generator[Look, None, Thinking]:
    """Train both models, one after the other, then look at the one that writes steps."""
    started = time.perf_counter()
    questions = draw_questions(
        JUDGED, config.digits, config.task, torch.Generator().manual_seed(config.seed + 1_000_003)
    )
    models, looks, tokens = {}, {way: [] for way in WAYS}, {}
    for number, way in enumerate(WAYS):
        models[way] = Transformer(
            model_config(config.digits), torch.Generator().manual_seed(config.seed)
        )
        text = batches(
            way, config.digits, config.task, config.batch_size,
            torch.Generator().manual_seed(config.seed),
        )  # fmt: skip
        for step in train(models[way], text, _training(config)):
            if step.step % LOOK_EVERY == 0 or step.step == config.steps:
                accuracy = cut_short(
                    models[way].eval(),
                    questions,
                    config.digits if way == "chain" else 0,
                    config.task,
                )
                looks[way].append(Look(way, step.step, accuracy, (number + step.share) / len(WAYS)))
                tokens[way] = step.tokens_seen
                yield looks[way][-1]
    places, writer = range(config.digits), models["chain"].eval()
    changed = [
        [change(writer, questions, place, config.task) for place in places]
        for change in (change_step, change_digit)
    ]
    step_changed, digit_changed = (
        {fate: np.array([one[fate] for one in by_place]) for fate in FATES} for by_place in changed
    )
    return Thinking(
        np.array([look.step for look in looks["chain"]]),
        {way: np.array([look.accuracy for look in looks[way]]) for way in WAYS},
        np.array([cut_short(writer, questions, s, config.task) for s in range(config.digits + 1)]),
        step_changed, digit_changed, 1 / modulus_of(config.task),
        min(modulus_of(config.task) ** config.digits, 2**63 - 1), tokens,
        time.perf_counter() - started,
    )  # fmt: skip


def _training(config: ThinkConfig) -> TrainConfig:
    return TrainConfig(
        steps=config.steps, batch_size=config.batch_size, learning_rate=config.learning_rate,
        schedule="constant", eval_every=0, seed=config.seed,
    )  # fmt: skip
