"""How much to hide, how to disguise it, how much of it to ask: rules compared over several seeds.

All runs train the same encoder on the same text for the same steps; only the rule differs. All are
examined on the same held-out gaps, so that a rule is never judged by its own questions.

Axes: C rules, R seeds, M looks, E shares of the held-out tokens that are hidden.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from labcore.configs import lab_config
from labcore.pretraining import corpus
from labcore.pretraining.corpus import WorldTextConfig
from labcore.pretraining.masked_exam import exam
from labcore.pretraining.masked_rule import ALL_HIDDEN, Rule
from labcore.pretraining.masked_train import (
    MaskedConfig,
    MaskedResult,
    Progress,
    pretrain,
    train_model,
)
from labcore.training.objectives import held_out_loss

STEPS = 400  # half of a run in part 3: enough to tell the rules apart
RATES = (0.05, 0.15, 0.3, 0.4, 0.6, 0.8)
EXAM_SHARES = (0.05, 0.15, 0.4, 0.6)  # with more hidden, the exact floor takes minutes


def rates() -> dict[str, Rule]:
    """How much is hidden: everything chosen goes behind [MASK], and all of it is asked."""
    return {f"rate-{round(100 * rate)}": replace(ALL_HIDDEN, rate=rate) for rate in RATES}


# Hiding more does two things at once: less is seen, and more is asked. Here only one of them changes.
ASKED = {
    "hide40-ask15": replace(ALL_HIDDEN, rate=0.4, asked_share=0.15 / 0.4),
    "hide80-ask15": replace(ALL_HIDDEN, rate=0.8, asked_share=0.15 / 0.8),
}
# What becomes of the chosen 15 %: hidden, swapped, kept.
SHARES = {
    "80-10-10": Rule(),
    "80-20-0": Rule(random_share=0.2),
    "80-0-20": Rule(random_share=0.0),
    "0-0-100": Rule(mask_share=0.0, random_share=0.0),
}
RULES: dict[str, Rule] = {**rates(), **ASKED, **SHARES}
BASE = "rate-15"  # 100-0-0: in all three comparisons


@lab_config
class StudyConfig:
    """What is recorded; a test asks for less of it."""

    rules: tuple[str, ...] = tuple(RULES)
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS
    held_out_rows: int = WorldTextConfig().held_out_rows
    exam_shares: tuple[float, ...] = EXAM_SHARES


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    rules: list[str]  # C, keys of RULES
    seeds: list[int]  # R
    steps: int
    look_steps: np.ndarray  # (M,)
    gap_nats: np.ndarray  # (C, R, M) float32, 15 % of the held-out tokens hidden
    plain_nats: np.ndarray  # (C, R, M)
    swapped_nats: np.ndarray  # (C, R, M)
    spotted: np.ndarray  # (C, R, M)
    questions: np.ndarray  # (C,) per step
    per_sequence: np.ndarray  # (C,) questions per text
    exam_shares: list[float]  # E
    exam_nats: np.ndarray  # (C, R, E) at the end, with other shares hidden
    exam_floors: np.ndarray  # (E,) the lowest possible
    floor_nats: float
    constant_nats: float
    seconds: float


def run(config: StudyConfig) -> Study:
    """Some six minutes on a core for what is recorded."""
    started = time.perf_counter()
    source = WorldTextConfig(held_out_rows=config.held_out_rows)
    text = corpus.pretraining_text(source)
    exams = [exam(text, share).gaps for share in config.exam_shares]
    results: list[list[MaskedResult]] = []
    finals = np.zeros((len(config.rules), len(config.seeds), len(exams)), np.float32)
    for row, name in enumerate(config.rules):
        results.append([])
        for column, seed in enumerate(config.seeds):
            model, result = train_model(
                MaskedConfig(source, RULES[name], steps=config.steps, seed=seed)
            )
            results[-1].append(result)
            finals[row, column] = [held_out_loss(model, gaps) for gaps in exams]
    first = results[0][0]

    def collected(name: str) -> np.ndarray:
        return np.array([[getattr(one, name) for one in row] for row in results], np.float32)

    return Study(
        rules=list(config.rules),
        seeds=list(config.seeds),
        steps=config.steps,
        look_steps=first.look_steps,
        gap_nats=collected("gap_nats"),
        plain_nats=collected("plain_nats"),
        swapped_nats=collected("swapped_nats"),
        spotted=collected("spotted"),
        questions=np.array([row[0].questions.mean() for row in results]),
        per_sequence=np.array([row[0].questions.sum() / row[0].sequences.sum() for row in results]),
        exam_shares=list(config.exam_shares),
        exam_nats=finals,
        exam_floors=np.array([corpus.masked_floor(text, gaps) for gaps in exams]),
        floor_nats=first.floor_nats,
        constant_nats=first.constant_nats,
        seconds=time.perf_counter() - started,
    )


# A run of the learner's own, to be laid beside the recorded ones.


@lab_config
class RateConfig:
    rate: float = 0.25
    seed: int = 0

    def run(self) -> MaskedConfig:
        rule = replace(ALL_HIDDEN, rate=self.rate)
        return MaskedConfig(rule=rule, steps=STEPS, seed=self.seed)


def one_rate(config: RateConfig) -> Generator[Progress, None, MaskedResult]:
    """Everything as in the study but for the rate and the seed."""
    return (yield from pretrain(config.run()))


def gap_at(study: Study, name: str) -> np.ndarray:
    """How a rule's runs ended.  (R,)"""
    return study.gap_nats[study.rules.index(name), :, -1]
