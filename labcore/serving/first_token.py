"""One guess on a small vocabulary, exactly: what is guessed, what is kept, what comes out.

Axes: V words.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.serving.speculative import (
    RULES,
    instead,
    keep_chance,
    kept_share,
    written_distribution,
)

# A target that has its favourites, and a draft that likes others.
TARGET_PROBS = (0.40, 0.25, 0.15, 0.10, 0.06, 0.04)
OTHER_PROBS = (0.05, 0.10, 0.10, 0.15, 0.25, 0.35)


@lab_config
class FirstTokenConfig:
    unlike: float = 0.5  # 0: the draft is the target; 1: it likes quite other words
    rule: str = "exact"

    def __post_init__(self):
        if not 0 <= self.unlike <= 1:
            raise LabInputError("unlike", self.unlike, "between", low=0, high=1)
        if self.rule not in RULES:
            raise LabInputError("rule", self.rule, "known_choice", allowed=RULES)


@dataclass(frozen=True, slots=True, eq=False)
class FirstToken:
    p: np.ndarray  # (V,) target
    q: np.ndarray  # (V,) draft
    kept: np.ndarray  # (V,) guessed and kept
    replaced: np.ndarray  # (V,) drawn after a refusal
    kept_share: float  # of all guesses, by the exact rule: Σ min(p, q)
    distance: float  # total variation between what comes out and p

    @property
    def written(self) -> np.ndarray:
        """(V,) what comes out"""
        return self.kept + self.replaced


def run(config: FirstTokenConfig) -> FirstToken:
    p, other = (torch.tensor(probs, dtype=torch.float64) for probs in (TARGET_PROBS, OTHER_PROBS))
    q = (1 - config.unlike) * p + config.unlike * other
    kept = q * keep_chance(p, q, config.rule)
    replaced = (1 - kept.sum()) * instead(p, q, config.rule)
    off = float((written_distribution(p, q, config.rule) - p).abs().sum() / 2)
    return FirstToken(
        p.numpy(), q.numpy(), kept.numpy(), replaced.numpy(), float(kept_share(p, q)), off
    )
