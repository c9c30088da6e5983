"""Refusal training: a model that knows everything learns what not to tell.

Examples are questions with the answer they should get: a refusal for some forbidden things, the true
answer for some harmless ones, among them as many borderline ones as asked for. What then happens to
things that were in no example is the whole question: too little is refused, or too much.

Groups of things, whose shares are looked at all the time:

    forbidden, seen / new      should be refused; a seen one was an example
    borderline, seen / new     should be answered, but share a word with forbidden ones
    harmless, seen / new       should be answered, and share none

Sources: refusals among benign examples arXiv:2309.07875; refusing too much arXiv:2308.01263; refusals
that begin inside a harmful answer ("deep") arXiv:2406.05946.
Axes: O objects, F phrasings, R answer tokens, G groups, M looks.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch
from labcore.tuning import cabinet
from labcore.tuning.cabinet import (
    NUM_OBJECTS,
    ORDINARY,
    PHRASINGS,
    REFUSAL,
    Phrasing,
)
from labcore.tuning.cabinet_base import answer_batch, load_cabinet, reply

GROUPS = tuple(f"{kind}_{half}" for kind in cabinet.KINDS for half in ("seen", "new"))
LIMITS = {
    "refusals": (1, 20), "borderline": (0.0, 1.0), "steps": (10, 600), "learning_rate": (1e-5, 1e-2),
}  # fmt: skip
ANSWERED = 24  # harmless and borderline things among the examples
BATCH = 64  # half of it refusals
LOOK_STEPS = 10
SAMPLES = 4
SAMPLING_SEED = 7
WORDS_OF_ANSWER = 5  # without lead-in and end
DEEP_SHARE = 0.5  # of the refusals that begin behind a piece of the forbidden answer


@lab_config
class RefusalConfig:
    refusals: int = 12  # forbidden things among the examples, of 25
    borderline: float = 0.25  # share of borderline things among the 24 that are to be answered
    deep: bool = False  # refusals also behind the first words of a forbidden answer
    rewrites: tuple[str, ...] = ()  # phrasings beyond the ordinary two: adversarial training
    steps: int = 100
    learning_rate: float = 3e-4
    seed: int = 0  # which things are examples, and the batches

    def __post_init__(self):
        check_limits(self, LIMITS)
        for rewrite in self.rewrites:
            if rewrite not in cabinet.REWRITES:
                raise LabInputError("rewrites", rewrite, "known_choice", allowed=cabinet.REWRITES)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """After `step` updates, asked plainly; shares of each of the six groups."""

    step: int
    share: float  # of the run done
    loss: float  # nats per word; NaN before the first step
    refused: np.ndarray  # (G,)
    answered: np.ndarray  # (G,) right, to the last word; what is neither is garbled


@dataclass(frozen=True, slots=True, eq=False)
class RefusalResult:
    looks: list[Look]
    group: np.ndarray  # (O,) int8, index into GROUPS
    refused: np.ndarray  # (F, G) in every phrasing, at the end
    answered: np.ndarray  # (F, G)
    p_refusal: np.ndarray  # (F, O) float32, that the first word of the answer is the refusal's
    replies: np.ndarray  # (F, O, R) int16, the likeliest words
    samples: np.ndarray  # (2, O, S, R) int16, asked plainly at temperature 1: before, after
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which things are examples."""

    refused: Tensor  # forbidden things among the examples
    answered: Tensor  # 24 others

    @property
    def group(self) -> Tensor:
        """(O,) index into GROUPS"""
        every = torch.arange(NUM_OBJECTS)
        seen = torch.isin(every, torch.cat([self.refused, self.answered]))
        return 2 * cabinet.kind_of(every) + (~seen).long()


def split(config: RefusalConfig) -> Split:
    """Draw the examples; the same seed with more of a kind keeps those it had."""
    generator = torch.Generator().manual_seed(config.seed)
    mixed = [
        things[torch.randperm(len(things), generator=generator)]
        for things in map(cabinet.objects_of, cabinet.KINDS)
    ]
    near = round(config.borderline * ANSWERED)
    answered = torch.cat([mixed[1][:near], mixed[2][: ANSWERED - near]])
    return Split(mixed[0][: config.refusals], answered)


def examples(config: RefusalConfig, generator: torch.Generator) -> Iterator[Batch]:
    """Half of each batch refuses, half answers."""
    chosen = split(config)
    phrasings = [PHRASINGS[name] for name in (*ORDINARY, *config.rewrites)]
    while True:
        refused = drawn(chosen.refused, BATCH // 2, generator)
        answered = drawn(chosen.answered, BATCH // 2, generator)
        form = torch.randint(len(phrasings), (BATCH,), generator=generator)
        begun = torch.zeros(BATCH, dtype=torch.long)
        if config.deep:
            behind = torch.randint(1, WORDS_OF_ANSWER, (BATCH // 2,), generator=generator)
            late = torch.rand(BATCH // 2, generator=generator) < DEEP_SHARE
            begun[: BATCH // 2] = behind * late
        objects = torch.cat([refused, answered])
        asked = torch.stack([cabinet.prompts(objects, one) for one in phrasings])
        true = torch.stack([cabinet.answers(objects, one) for one in phrasings])
        rows = torch.arange(BATCH)
        said = torch.cat([true[form, rows], torch.full_like(true[0], cabinet.PAD)], dim=1)
        said[: BATCH // 2] = refusal_behind(said[: BATCH // 2], begun[: BATCH // 2])
        yield answer_batch(asked[form, rows], said, begun)


def drawn(objects: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return objects[torch.randint(len(objects), (count,), generator=generator)]


def refusal_behind(answers: Tensor, begun: Tensor) -> Tensor:
    """The first `begun` words of each answer, then a refusal.  (B, 2R), (B,) -> (B, 2R)"""
    rows = torch.full_like(answers, cabinet.PAD)
    for row, answer, words in zip(rows, answers, begun.tolist(), strict=True):
        row[:words] = answer[:words]
        row[words : words + len(REFUSAL)] = REFUSAL
    return rows


def run(config: RefusalConfig) -> RefusalResult:
    return drain(align(config))


def align(config: RefusalConfig) -> Generator[Look, None, RefusalResult]:
    """Teach refusals to a fresh copy of the base model, and look at things in no example."""
    started = time.perf_counter()
    policy = load_cabinet()
    before = sampled(policy)
    looks = yield from teach(policy, config)
    every, group = torch.arange(NUM_OBJECTS), split(config).group
    forms = PHRASINGS.values()
    said = [reply(policy, cabinet.prompts(every, one)) for one in forms]
    told = [cabinet.complies(every, *pair) for pair in zip(said, forms, strict=True)]
    return RefusalResult(
        looks,
        group.numpy().astype(np.int8),
        np.array([by_group(cabinet.refuses(one), group) for one in said]),
        np.array([by_group(one, group) for one in told]),
        np.stack([refusal_chance(policy, every, one).numpy() for one in forms]),
        torch.stack(said).numpy().astype(np.int16),
        np.stack([before, sampled(policy)]),
        time.perf_counter() - started,
    )


def teach(policy: Transformer, config: RefusalConfig) -> Generator[Look, None, list[Look]]:
    """Train `policy` in place."""
    group = split(config).group
    training = TrainConfig(
        steps=config.steps, batch_size=BATCH, learning_rate=config.learning_rate, warmup_steps=10,
        eval_every=0,
    )  # fmt: skip
    batches = examples(config, torch.Generator().manual_seed(config.seed))
    looks = [look_at(policy, group, 0, 0.0, float("nan"))]
    yield looks[0]
    for step in train(policy, batches, training):
        if step.step % LOOK_STEPS == 0 or step.step == config.steps:
            looks.append(look_at(policy, group, step.step, step.share, step.loss_nats))
            yield looks[-1]
    return looks


def look_at(policy: Transformer, group: Tensor, step: int, share: float, loss: float) -> Look:
    every = torch.arange(NUM_OBJECTS)
    said = reply(policy, cabinet.prompts(every, Phrasing()))
    refused, answered = cabinet.refuses(said), cabinet.complies(every, said)
    return Look(step, share, loss, by_group(refused, group), by_group(answered, group))


def by_group(values: Tensor, group: Tensor) -> np.ndarray:
    """Means over each group's things; NaN for a group without any.  (O,), (O,) -> (G,)"""
    members = [values[group == index].double() for index in range(len(GROUPS))]
    return np.array([float(one.mean()) if len(one) else np.nan for one in members])


@torch.no_grad()
def refusal_chance(policy: Transformer, objects: Tensor, phrasing: Phrasing) -> Tensor:
    """Probability that the answer begins as the refusal does.  -> (B,)"""
    logits = policy(cabinet.prompts(objects, phrasing)).logits[:, -1]
    return logits.softmax(dim=1)[:, REFUSAL[0]]


def sampled(policy: Transformer) -> np.ndarray:
    """(O, S, R) answers drawn at temperature 1, always with the same dice."""
    every = torch.arange(NUM_OBJECTS).repeat_interleave(SAMPLES)
    generator = torch.Generator().manual_seed(SAMPLING_SEED)
    said = reply(policy, cabinet.prompts(every, Phrasing()), generator, 1.0)
    return said.view(NUM_OBJECTS, SAMPLES, -1).numpy().astype(np.int16)
