"""A reward model trained on a rater's choices, and what it has really learnt.

A half-trained policy answers sums twice; a rater of known taste picks one of the two; a reward model is
fitted to the picks alone. As the taste is known, everything that the model pays for can be held against
what was planted.

Axes: N pairs, M looks, C = 3 causes of worth (right, marks, digits).
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.tuning.base_policy import load_policy
from labcore.tuning.preferences import (
    Pairs,
    Rater,
    causes_of,
    collect_pairs,
    fitted_worths,
    preference_chance,
)
from labcore.tuning.reward_exam import Exam, examine, held_out_loss
from labcore.tuning.reward_model import KINDS, RewardModel, new_reward_model
from labcore.tuning.reward_training import (
    fit,
    found_worths,
    pair_accuracy,
    rewards_of,
    steps_of,
)

LIMITS = {"pairs": (64, 16_000), "epochs": (1, 10), "fans": (0.0, 0.5)}
LOOKS = 8
WATCHED_PAIRS, HELD_OUT_PAIRS = 400, 2000
# Looks at the exclamation marks and at nothing else.
FAN = Rater(right=0.0, marks=2.0)


@lab_config
class RewardConfig:
    kind: str = (
        "shallow"  # or "informed": also told what a better language model makes of the answer
    )
    right: float = 4.0  # the rater's worths
    marks: float = 0.5
    digits: float = 0.0
    slips: float = 0.0  # share of labels turned around
    fans: float = 0.0  # share of labels that come from a second rater, who counts marks only
    pairs: int = 4000
    epochs: int = 3
    seed: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise LabInputError("kind", self.kind, "known_choice", allowed=KINDS)
        check_limits(self, LIMITS)
        _ = self.rater  # refuses worths out of range

    @property
    def rater(self) -> Rater:
        return Rater(self.right, self.marks, self.digits, self.slips)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    step: int
    share: float  # of the run done
    loss: float  # on the pairs trained on, mean since the last look; NaN at step 0
    held_out_loss: float  # of 400 pairs
    accuracy: float  # of the same
    found: list[float]  # (C,)


@dataclass(frozen=True, slots=True, eq=False)
class RewardResult:
    looks: list[Look]  # (M,)
    planted: np.ndarray  # (C,)
    fitted: np.ndarray  # (C,) Bradley–Terry on the known causes, from the very same pairs
    exam: Exam
    seconds: float


def run(config: RewardConfig) -> RewardResult:
    return drain(train(config))


def train(config: RewardConfig) -> Generator[Look, None, RewardResult]:
    """Collect pairs, fit a reward model to them, and ask what it found."""
    started = time.perf_counter()
    generator, policy = torch.Generator().manual_seed(config.seed), load_policy()
    pairs = labelled(policy, config, config.pairs, generator)
    # The examination is the same for every seed.
    held_out = labelled(policy, config, HELD_OUT_PAIRS, torch.Generator().manual_seed(1), True)
    watched = held_out[torch.arange(WATCHED_PAIRS)]
    model = new_reward_model(config.kind)
    steps = steps_of(config.pairs, config.epochs)
    due = {round(steps * (number + 1) / LOOKS) for number in range(LOOKS)}
    looks, recent = [look(model, watched, 0, 0.0, float("nan"))], []
    yield looks[0]
    for step, loss in enumerate(fit(model, pairs, config.epochs, generator), start=1):
        recent.append(loss)
        if step in due:
            looks.append(look(model, watched, step, step / steps, float(np.mean(recent))))
            recent = []
            yield looks[-1]
    causes = torch.stack([causes_of(pairs.asked, pairs.responses[:, at]) for at in (0, 1)], dim=1)
    fitted = fitted_worths(causes.numpy(), pairs.first_preferred.numpy())
    exam = examine(model, held_out)
    planted = config.rater.worths.numpy()
    return RewardResult(looks, planted, fitted, exam, time.perf_counter() - started)


def labelled(
    policy: Transformer,
    config: RewardConfig,
    size: int,
    generator: torch.Generator,
    held_out: bool = False,
) -> Pairs:
    """Pairs chosen by the rater, some of them by the fan of exclamation marks in his place."""
    pairs = collect_pairs(policy, config.rater, size, generator, held_out)
    if config.fans == 0:
        return pairs
    by_fan = preference_chance(FAN, pairs.asked, pairs.responses)
    chance = (1 - config.fans) * pairs.chance + config.fans * by_fan
    drawn = torch.rand(size, generator=generator, dtype=torch.float64)
    return replace(pairs, first_preferred=drawn < chance, chance=chance)


def look(model: RewardModel, pairs: Pairs, step: int, share: float, loss: float) -> Look:
    rewards = rewards_of(model, pairs)
    found = found_worths(rewards, pairs).tolist()
    return Look(
        step, share, loss, held_out_loss(rewards, pairs), pair_accuracy(rewards, pairs), found
    )


def flattened(worth: float, slips: float) -> float:
    """The difference in worth that a rater seems to see whose hand slips: ln p / (1 − p) of

    p = (1 − slips) σ(worth) + slips (1 − σ(worth)), which never exceeds ln (1 − slips) / slips.

    Worked by hand: worth 4, one slip in ten: p = 0.9 · 0.9820 + 0.1 · 0.0180 = 0.8856; ln (0.8856 / 0.1144)
    = 2.047.
    """
    chance = 1 / (1 + np.exp(-worth))
    seen = (1 - slips) * chance + slips * (1 - chance)
    return float(np.log(seen / (1 - seen)))
