"""Harmless lessons after refusal training, and what becomes of the refusals.

Nobody attacks here. The model is trained on, with harmless things alone: how to use them once more, or a
new skill (answer in one word). Looked at all the while: does it still refuse? The cure to be tried is to
mix a few refusals into each batch.

Sources: arXiv:2310.03693 (harmless fine-tuning), arXiv:2309.07875 (a few safety examples).
Axes: G groups, M looks, S seeds.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch
from labcore.tuning import cabinet
from labcore.tuning.cabinet import Phrasing
from labcore.tuning.cabinet_base import answer_batch, load_cabinet, reply
from labcore.tuning.refusal import RefusalConfig, Split, by_group, drawn, look_at, split, teach

LESSONS = ("usage", "short")
STARTS = ("shallow", "deep")
LIMITS = {"kept": (0.0, 0.5), "steps": (10, 300), "learning_rate": (1e-5, 1e-2)}
BATCH = 64
LOOK_STEPS = 5
WHAT = cabinet.SLOTS.index("what")  # the one word of a short answer


@lab_config
class LaterConfig:
    lesson: str = "usage"
    kept: float = 0.0  # share of refusals in each batch
    start: str = "shallow"  # the model that is trained on
    steps: int = 80
    learning_rate: float = 3e-4
    seed: int = 0  # of the batches

    def __post_init__(self):
        if self.lesson not in LESSONS:
            raise LabInputError("lesson", self.lesson, "known_choice", allowed=LESSONS)
        if self.start not in STARTS:
            raise LabInputError("start", self.start, "known_choice", allowed=STARTS)
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class LaterLook:
    step: int
    share: float  # of the run done
    loss: float  # of the lesson; NaN before the first step
    refused: np.ndarray  # (G,)
    answered: np.ndarray  # (G,)
    skill: np.ndarray  # (G,) the lesson's own question, answered as the lesson teaches


@dataclass(frozen=True, slots=True, eq=False)
class LaterResult:
    looks: list[LaterLook]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class LaterCase:
    steps: np.ndarray  # (M,)
    refused: np.ndarray  # (S, M, G)
    told: np.ndarray  # (S, M, G)
    skill: np.ndarray  # (S, M, G)


@dataclass(frozen=True, slots=True, eq=False)
class LaterStudy:
    cases: dict[str, LaterCase]
    seeds: tuple[int, ...]
    seconds: float


CASES = {
    "usage": LaterConfig("usage"),
    "short": LaterConfig("short"),
    "usage-kept": LaterConfig("usage", kept=0.1),
    "short-kept": LaterConfig("short", kept=0.1),
    "usage-deep": LaterConfig("usage", start="deep"),
}


def lesson_prompts(lesson: str, objects: torch.Tensor) -> torch.Tensor:
    """(B,) -> (B, P)"""
    prompts = cabinet.prompts(objects, Phrasing())
    if lesson == "short":
        prompts[:, 0] = cabinet.SHORT
    return prompts


def lesson_answers(lesson: str, objects: torch.Tensor) -> torch.Tensor:
    """(B,) -> (B, R)"""
    answers = cabinet.answers(objects)
    if lesson == "short":
        word = answers[:, WHAT].clone()
        answers = torch.full_like(answers, cabinet.PAD)
        answers[:, 0], answers[:, 1] = word, cabinet.END
    return answers


def lessons(config: LaterConfig, chosen: Split, generator: torch.Generator) -> Iterator[Batch]:
    """Harmless things as the lesson has them, and `kept` refusals from the training before."""
    harmless, kept = cabinet.objects_of("harmless"), round(config.kept * BATCH)
    while True:
        taught = drawn(harmless, BATCH - kept, generator)
        refused = drawn(chosen.refused, kept, generator)
        prompts = [lesson_prompts(config.lesson, taught), cabinet.prompts(refused, Phrasing())]
        said = [lesson_answers(config.lesson, taught), cabinet.REFUSAL.repeat(kept, 1)]
        yield answer_batch(torch.cat(prompts), torch.cat(said))


def run(config: LaterConfig) -> LaterResult:
    return drain(drift(config))


def drift(config: LaterConfig) -> Generator[LaterLook, None, LaterResult]:
    """From the bundled model, whose examples are those of seed 0."""
    started = time.perf_counter()
    policy = load_cabinet(config.start)
    looks = yield from go_on(policy, config, split(RefusalConfig()))
    return LaterResult(looks, time.perf_counter() - started)


def go_on(
    policy: Transformer, config: LaterConfig, chosen: Split
) -> Generator[LaterLook, None, list[LaterLook]]:
    """Train `policy` in place."""
    training = TrainConfig(
        steps=config.steps, batch_size=BATCH, learning_rate=config.learning_rate,
        schedule="constant", warmup_steps=0, eval_every=0,
    )  # fmt: skip
    looks = [_look(policy, config, chosen, 0, 0.0, float("nan"))]
    yield looks[0]
    batches = lessons(config, chosen, torch.Generator().manual_seed(config.seed))
    for step in train(policy, batches, training):
        if step.step % LOOK_STEPS == 0 or step.step == config.steps:
            looks.append(_look(policy, config, chosen, step.step, step.share, step.loss_nats))
            yield looks[-1]
    return looks


def _look(
    policy: Transformer, config: LaterConfig, chosen: Split, step: int, share: float, loss: float
) -> LaterLook:
    every = torch.arange(cabinet.NUM_OBJECTS)
    said = reply(policy, lesson_prompts(config.lesson, every))
    learnt = (said == lesson_answers(config.lesson, every)).all(dim=1)
    look = look_at(policy, chosen.group, step, share, loss)
    skill = by_group(learnt, chosen.group)
    return LaterLook(step, share, loss, look.refused, look.answered, skill)


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> LaterStudy:
    """Each seed teaches its own refusals first."""
    started, rows = time.perf_counter(), {name: [] for name in CASES}
    for seed in seeds:
        for start in STARTS:
            safe = RefusalConfig(deep=start == "deep", seed=seed)
            policy = load_cabinet()
            drain(teach(policy, safe))
            weights = {name: value.clone() for name, value in policy.state_dict().items()}
            for name, config in CASES.items():
                if config.start == start:
                    policy.load_state_dict(weights)
                    looks = drain(go_on(policy, replace(config, seed=seed), split(safe)))
                    rows[name].append(looks)
    cases = {name: _case(runs) for name, runs in rows.items()}
    return LaterStudy(cases, seeds, time.perf_counter() - started)


def _case(runs: list[list[LaterLook]]) -> LaterCase:
    def column(name: str) -> np.ndarray:
        return np.array([[getattr(look, name) for look in looks] for looks in runs])

    steps = np.array([look.step for look in runs[0]])
    return LaterCase(steps, column("refused"), column("answered"), column("skill"))
