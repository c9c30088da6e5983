"""The curve clinic: runs that differ from a healthy one in one thing, each beside its healthy twin.

Nine questions that people ask about their loss curves, each as a pair of runs: same weights to begin
with, same text where it is the text that both should read, one thing done wrong in one of them.

N steps, L blocks.
"""

import copy
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat, zip_longest

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining.corpus import WorldTextConfig
from labcore.pretraining.monitor_text import MonitorText, stories_at, text_of
from labcore.text.masking import IGNORE
from labcore.training import faults, optimiser, resume
from labcore.training.faults import Setup
from labcore.training.loop import Step, TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss
from labcore.training.signals import RunLog, Watch, run_log

STORIES = WorldTextConfig(told="stories")
LAYERS, WIDTH, HEADS, BATCH_ROWS = 2, 64, 4, 8
RATE, WARMUP_STEPS = 0.01, 20
LOOKS, FEWEST_STEPS_APART = 20, 8  # at held-out text; one costs as much as three steps
LIMITS = {"steps": (40, 400), "seed": (0, 9999)}
SET_BATCHES = 40  # of a text that is read again and again: half English, half Chinese
FEW_BATCHES = 8
SAVED_AT, BROKEN_AT = 0.5, 0.5625  # shares of a run that crashes a little after its last checkpoint
EMPTY_AT = 0.6


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run is made from; the defaults make a healthy one."""

    fault: str = "healthy"  # one of `labcore.training.faults`
    rate: float = RATE
    reads: str = "new"  # or "few", "in_order", "shuffled", "one_empty"
    holds_copy: bool = False  # the optimiser was given the weights of a copy of the model
    resumes: str = ""  # "weights" or "everything": from what it goes on after a crash half-way


RECIPES: dict[str, Recipe] = {
    "healthy": Recipe(),
    "copy": Recipe(holds_copy=True),
    "high": Recipe(fault="rate_too_high"),
    "poisoned": Recipe(fault="poisoned_batch"),
    "few": Recipe(reads="few"),
    "leak": Recipe(fault="leak"),
    "in_order": Recipe(reads="in_order"),
    "shuffled": Recipe(reads="shuffled"),
    "low": Recipe(rate=RATE / 1000),
    "empty": Recipe(reads="one_empty"),
    "weights_only": Recipe(resumes="weights"),
    "everything": Recipe(resumes="everything"),
}


@dataclass(frozen=True, slots=True)
class Case:
    fault: str  # what a diagnosis should say
    sick: str  # keys of RECIPES
    twin: str


CASES: dict[str, Case] = {
    "1": Case("rate_too_low", "low", "healthy"),
    "2": Case("poisoned_batch", "poisoned", "healthy"),
    "3": Case("duplicates", "few", "healthy"),
    "4": Case("rate_too_high", "high", "healthy"),
    "5": Case("stuck", "copy", "healthy"),
    "6": Case("leak", "leak", "healthy"),
    "7": Case("sawtooth", "in_order", "shuffled"),
    "8": Case("nan", "empty", "healthy"),
    "9": Case("resumed", "weights_only", "everything"),
}


@lab_config
class PairConfig:
    case: str = "1"
    steps: int = 160
    seed: int = 0  # of the weights and of the text

    def __post_init__(self):
        if self.case not in CASES:
            raise LabInputError("case", self.case, "known_choice", allowed=tuple(CASES))
        check_limits(self, LIMITS)


def moments(steps: int) -> dict[str, int]:
    """The steps of a run at which something is done to it, by name."""
    return {
        "poisoned": setup_of(RECIPES["poisoned"], steps, 2).poisoned_steps[0],
        "empty": round(EMPTY_AT * steps),
        "saved": round(SAVED_AT * steps),
        "broken": round(BROKEN_AT * steps),
    }


@dataclass(frozen=True, slots=True, eq=False)
class PairStep:
    """One event: one update of one of the two."""

    sick: bool
    step: Step
    share: float  # of both runs done, 0 to 1


@dataclass(frozen=True, slots=True, eq=False)
class PairResult:
    sick: RunLog
    twin: RunLog
    seconds: float


def run(config: PairConfig) -> PairResult:
    return drain(train_pair(config))


def train_pair(config: PairConfig) -> Generator[PairStep, None, PairResult]:
    """Both runs, step by step in turn, so that one can watch them part."""
    started, case = time.perf_counter(), CASES[config.case]
    running = [make(RECIPES[name], config.steps, config.seed) for name in (case.sick, case.twin)]
    made: tuple[list[Step], list[Step]] = ([], [])
    for both in zip_longest(*running):  # the sick one may end early, or be longer
        for steps, step in zip(made, both, strict=True):
            if step is not None:
                steps.append(step)
                share = sum(one[-1].share for one in made if one) / 2
                yield PairStep(steps is made[0], step, share)
    return PairResult(*map(log_of_steps, made), time.perf_counter() - started)


def log_of_steps(steps: list[Step]) -> RunLog:
    text = text_of(STORIES, BATCH_ROWS, 0)
    return run_log(steps, text.floor_nats, text.uniform_nats)


# One run.


def make(recipe: Recipe, steps: int, seed: int) -> Iterator[Step]:
    """Train one model as its recipe has it, and yield each step."""
    text = text_of(STORIES, BATCH_ROWS, seed)
    setup = setup_of(recipe, steps, text.tokenizer.vocab_size)
    if recipe.resumes:
        return crashed(recipe, setup, text, seed)
    model = faults.build(setup, seed)
    held = copy.deepcopy(model) if recipe.holds_copy else model
    return trained(model, adamw(held, setup), setup, text, reading(recipe, setup, text, seed))


def adamw(model: Transformer, setup: Setup) -> torch.optim.Optimizer:
    return optimiser.build("adamw", model, setup.training.learning_rate)


def trained(
    model: Transformer, moving: torch.optim.Optimizer, setup: Setup, text: MonitorText,
    batches: Iterator[Batch], made_before: int = 0,
) -> Iterator[Step]:  # fmt: skip
    return train(
        model, batches, setup.training, evaluate=lambda model: held_out_loss(model, [text.held_out]),
        optimiser=moving, watch=Watch(model), made_before=made_before,
    )  # fmt: skip


def crashed(recipe: Recipe, setup: Setup, text: MonitorText, seed: int) -> Iterator[Step]:
    """A run that dies a little after its last checkpoint and goes on from there: some steps come twice."""
    at = moments(setup.training.steps)
    model = faults.build(setup, seed)
    moving = adamw(model, setup)
    first = trained(model, moving, setup, text, reading(recipe, setup, text, seed))
    for step in islice(first, at["broken"]):
        yield step
        if step.step == at["saved"]:
            saved = resume.read(resume.save(model, moving, at["saved"], {}))
    model = faults.build(setup, seed)
    moving = adamw(model, setup)
    resume.restore(saved, model, moving)
    if recipe.resumes == "weights":
        moving.state.clear()
    rest = islice(reading(recipe, setup, text, seed), at["saved"], None)
    yield from trained(model, moving, setup, text, rest, at["saved"])


def setup_of(recipe: Recipe, steps: int, vocab_size: int) -> Setup:
    model = ModelConfig(
        vocab_size=vocab_size, hidden_size=WIDTH, num_heads=HEADS, num_layers=LAYERS
    )
    training = TrainConfig(
        steps=steps, batch_size=BATCH_ROWS, learning_rate=recipe.rate, warmup_steps=WARMUP_STEPS,
        eval_every=max(FEWEST_STEPS_APART, steps // LOOKS),
    )  # fmt: skip
    return faults.inject(Setup(model, training), recipe.fault)


# What it reads.


def reading(recipe: Recipe, setup: Setup, text: MonitorText, seed: int) -> Iterator[Batch]:
    """The batches of a run, in their order."""
    if recipe.reads in ("in_order", "shuffled"):
        return again_and_again(seed, recipe.reads == "shuffled")
    if recipe.reads == "few":
        setup = replace(setup, distinct_batches=FEW_BATCHES)
    batches = faults.batches(setup, text.batch_at, 1, seed)
    if recipe.reads == "one_empty":
        return without_targets(batches, moments(setup.training.steps)["empty"])
    return batches


def again_and_again(seed: int, shuffled: bool) -> Iterator[Batch]:
    """The same stories in each epoch: first all English ones, then all Chinese; or in a new order each."""
    halves = [
        [
            stories_at((language,), STORIES.told, BATCH_ROWS, seed, n)
            for n in range(SET_BATCHES // 2)
        ]
        for language in ("en", "zh")
    ]
    ordered = [*halves[0], *halves[1]]
    if not shuffled:
        return chain.from_iterable(repeat(ordered))
    tokens, targets = (
        torch.cat([getattr(batch, name) for batch in ordered]) for name in ("tokens", "targets")
    )
    rng = torch.Generator().manual_seed(seed)
    orders = (torch.randperm(len(tokens), generator=rng) for _ in repeat(None))
    return (
        Batch(tokens[rows], targets[rows], torch.ones_like(tokens[rows], dtype=torch.bool))
        for order in orders
        for rows in order.split(BATCH_ROWS)
    )


def without_targets(batches: Iterator[Batch], at: int) -> Iterator[Batch]:
    """One batch asks for nothing, as when an answer was cut off and only its question is left.

    The mean over its targets is then 0 / 0, unless somebody has thought of it.
    """
    for step, batch in enumerate(batches, start=1):
        if step == at:
            nothing = torch.full_like(batch.targets, IGNORE)
            batch = replace(batch, targets=nothing, plain_mean=True)
        yield batch
