"""The same small model taught twice: to answer a product itself, and to write a call that we carry out.

    47*386=18142.            it answers
    47*386=(47*386)>         it calls; we work out what stands in the brackets and write 18142.

Multiplying takes many steps of carrying, which two layers cannot do in the pass or two that a digit gets.
Copying two numbers into brackets is one look back. What the model writes is read by the calculator's
parser and never run.
Axes: B questions, E looks.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.events import drain
from labcore.frontier.calculator import calculate
from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch

SYMBOLS = "0123456789+*=(>).·"
PAD, STOP, CALLED = SYMBOLS.index("·"), SYMBOLS.index("."), SYMBOLS.index(">")
WAYS = ("direct", "call")
SIGNS = {"product": "*", "sum": "+"}
LONGEST = 26  # tokens of a question with its answer
JUDGED, LOOK_EVERY = 200, 25


@lab_config
class LearnConfig:
    task: str = "product"
    digits: int = 3  # at most, of each number; at least two
    steps: int = 250  # updates of each model
    batch_size: int = 64
    learning_rate: float = 3e-3
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"task": tuple(SIGNS)})
        check_limits(self, {"digits": (2, 4), "steps": (1, 2000), "batch_size": (1, 256)})
        check_limits(self, {"learning_rate": (1e-6, 1.0), "seed": (0, 2**31)})


@dataclass(frozen=True, slots=True)
class Look:
    way: str
    step: int
    right: float  # share of answers
    well_formed: float  # numbers, or calls that the parser can read
    share: float  # of both trainings


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    steps: np.ndarray  # (E,)
    right: dict[str, np.ndarray]  # by way: (E,)
    well_formed: dict[str, np.ndarray]
    samples: list[
        tuple[str, str, str]
    ]  # question, what the direct model said, what the other one wrote
    seconds: float


def run_call(text: str) -> str:
    """What stands in the brackets, worked out; "" if it cannot be read.

    >>> run_call("(47*386)"), run_call("(47*)")
    ('18142', '')
    """
    try:
        return str(calculate(text))
    except LabInputError:
        return ""


def draw(config: LearnConfig, size: int, rng: torch.Generator) -> list[str]:
    """Questions such as "47*386=", each number of two digits or more.  -> B texts"""
    lengths = torch.randint(2, config.digits + 1, (size, 2), generator=rng)
    low, high = 10 ** (lengths - 1), 10**lengths
    numbers = low + (torch.rand(size, 2, generator=rng) * (high - low)).long()
    return [f"{a}{SIGNS[config.task]}{b}=" for a, b in numbers.tolist()]


def answer_to(question: str) -> str:
    return str(calculate(question[:-1]))


def response(question: str, way: str) -> str:
    """What the model is to write behind the question."""
    return f"{answer_to(question)}." if way == "direct" else f"({question[:-1]})>"


def ids(text: str) -> list[int]:
    return [SYMBOLS.index(c) for c in text]


def batches(config: LearnConfig, way: str, rng: torch.Generator) -> Iterator[Batch]:
    """Fresh questions without end; asked for is only what stands behind the "="."""
    while True:
        questions = draw(config, config.batch_size, rng)
        rows = torch.full((len(questions), LONGEST), PAD)
        targets = torch.full((len(questions), LONGEST), IGNORE)
        for row, question in enumerate(questions):
            text = ids(question + response(question, way))
            rows[row, : len(text)] = torch.tensor(text)
            targets[row, len(question) - 1 : len(text) - 1] = torch.tensor(text[len(question) :])
        yield Batch(rows, targets, rows != PAD)


def write(model: Transformer, question: str, end: int) -> str:
    """The likeliest tokens up to `end` or the longest that there is."""
    likeliest = SamplingConfig(temperature=0, max_new_tokens=LONGEST - len(question))
    tokens = [one.token for one in generate(model, ids(question), likeliest, {end})]
    return "".join(SYMBOLS[token] for token in tokens if token != end)


def judge(model: Transformer, questions: list[str], way: str) -> tuple[float, float]:
    """Shares of right answers and of well-formed writing."""
    right = formed = 0
    for question in questions:
        text = write(model, question, STOP if way == "direct" else CALLED)
        said = text if way == "direct" else run_call(text)
        formed += said.isdigit()
        right += said == answer_to(question)
    return right / len(questions), formed / len(questions)


def learn(config: LearnConfig) -> Generator[Look, None, Learnt]:
    started = time.perf_counter()
    questions = draw(config, JUDGED, torch.Generator().manual_seed(config.seed + 1_000_003))
    models, looks = {}, {way: [] for way in WAYS}
    for number, way in enumerate(WAYS):
        model = Transformer(_model_config(), torch.Generator().manual_seed(config.seed))
        text = batches(config, way, torch.Generator().manual_seed(config.seed))
        for step in train(model, text, _training(config)):
            if step.step % LOOK_EVERY == 0 or step.step == config.steps:
                right, formed = judge(model.eval(), questions, way)
                model.train()
                share = (number + step.share) / len(WAYS)
                looks[way].append(Look(way, step.step, right, formed, share))
                yield looks[way][-1]
        models[way] = model.eval()
    samples = [
        (q, write(models["direct"], q, STOP), write(models["call"], q, CALLED))
        for q in questions[:8]
    ]
    return Learnt(
        np.array([look.step for look in looks["call"]]),
        {way: np.array([look.right for look in looks[way]]) for way in WAYS},
        {way: np.array([look.well_formed for look in looks[way]]) for way in WAYS},
        samples, time.perf_counter() - started,
    )  # fmt: skip


def _model_config() -> ModelConfig:
    return ModelConfig(
        vocab_size=len(SYMBOLS), hidden_size=64, num_layers=2, num_heads=4, positions="learned",
        max_positions=LONGEST,
    )  # fmt: skip


def _training(config: LearnConfig) -> TrainConfig:
    return TrainConfig(
        steps=config.steps, batch_size=config.batch_size, learning_rate=config.learning_rate,
        schedule="constant", eval_every=0, seed=config.seed,
    )  # fmt: skip


# Recorded: three seeds of the default, and of sums as the control.


@dataclass(frozen=True, slots=True, eq=False)
class LearnStudy:
    steps: np.ndarray  # (E,)
    right: dict[str, dict[str, np.ndarray]]  # by task, by way: (S, E)
    seeds: tuple[int, ...]


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> LearnStudy:
    right: dict[str, dict[str, list[np.ndarray]]] = {
        task: {way: [] for way in WAYS} for task in SIGNS
    }
    for task in SIGNS:
        for seed in seeds:
            found = drain(learn(LearnConfig(task, seed=seed)))
            for way in WAYS:
                right[task][way].append(found.right[way])
    stacked = {
        task: {way: np.stack(rows) for way, rows in by_way.items()}
        for task, by_way in right.items()
    }
    return LearnStudy(found.steps, stacked, seeds)
