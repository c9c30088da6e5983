"""Several seeds of many runs: prices of leaving, places of the penalty, ways to give credit.

Axes: C cases, S seeds, M looks, J sums, K values of n or k.
"""

import time
from dataclasses import dataclass, fields, replace

import numpy as np

from labcore.tuning import best_of_n
from labcore.tuning.rlhf import run
from labcore.tuning.rlhf_config import REWARDS, RLHFConfig
from labcore.tuning.rlhf_exam import Look, pass_curve

BETAS = {"shallow": (0.0, 0.03, 0.1, 0.3), "informed": (0.0, 0.1)}
MODELS = tuple(BETAS)
# Beside "reward-k1", which the prices have. "plain": without GRPO's division by the group's spread, which
# magnifies the score and not the penalty in the loss.
PENALTIES = ("loss-k1", "loss-k2", "plain-k2", "plain-k3")
PENALTY_BETA = 0.1


def price_case(reward: str, beta: float) -> str:
    """
    >>> price_case("shallow", 0.1)
    'shallow-0.1'
    """
    return f"{reward}-{beta:g}"


HACKING_CASES = {
    price_case(reward, beta): RLHFConfig(reward=reward, beta=beta)
    for reward in MODELS
    for beta in BETAS[reward]
} | {
    penalty: RLHFConfig(
        beta=PENALTY_BETA,
        kl_place="loss",
        estimator=penalty[-2:],
        divide_by_spread=penalty.startswith("loss"),
    )
    for penalty in PENALTIES
}
ABILITY_CASES = {
    "grpo": RLHFConfig(reward="verifier"),
    "rloo": RLHFConfig("rloo", "verifier"),
    "ppo": RLHFConfig("ppo", "verifier"),
    "reinforce": RLHFConfig("reinforce", "verifier"),
    "fast": RLHFConfig(reward="verifier", learning_rate=3e-3),
    "weak": RLHFConfig(reward="verifier", start="weak"),
}
MEASURES = tuple(
    field.name for field in fields(Look) if field.name not in ("step", "share", "answers")
)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Every measure of a `Look` by its name, and pass@k before and after."""

    steps: np.ndarray  # (M,)
    measures: dict[str, np.ndarray]  # (S, M) each
    pass_before: np.ndarray  # (K,) the same start for every seed
    pass_after: np.ndarray  # (S, K)
    never_before: np.ndarray  # (S,) sums that none of 32 answers solved, before
    newly_solved: np.ndarray  # (S,) of them, how many one of 32 answers solved afterwards
    lost: np.ndarray  # (S,) sums solved before and by none of 32 answers afterwards

    def last(self, measure: str) -> np.ndarray:
        """(S,) at the end of the run"""
        return self.measures[measure][:, -1]


@dataclass(frozen=True, slots=True, eq=False)
class HackingStudy:
    cases: dict[str, Case]
    best_of_n: dict[str, best_of_n.BestOfN]  # by reward, the same sums
    seeds: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class AbilityStudy:
    cases: dict[str, Case]
    seeds: tuple[int, ...]
    seconds: float


def hacking(seeds: tuple[int, ...] = (0, 1, 2)) -> HackingStudy:
    """Two reward models at several prices; the penalty in the loss; best of n."""
    started = time.perf_counter()
    cases = {name: case(config, seeds) for name, config in HACKING_CASES.items()}
    best = {reward: best_of_n.run(best_of_n.BestConfig(reward)) for reward in REWARDS}
    return HackingStudy(cases, best, seeds, time.perf_counter() - started)


def ability(seeds: tuple[int, ...] = (0, 1, 2)) -> AbilityStudy:
    """The verifier as the reward: ways to give credit, and two runs that come to nothing."""
    started = time.perf_counter()
    cases = {name: case(config, seeds) for name, config in ABILITY_CASES.items()}
    return AbilityStudy(cases, seeds, time.perf_counter() - started)


def case(config: RLHFConfig, seeds: tuple[int, ...]) -> Case:
    results = [run(replace(config, seed=seed)) for seed in seeds]
    steps = np.array([look.step for look in results[0].looks])
    measures = {
        name: np.array([[getattr(look, name) for look in result.looks] for result in results])
        for name in MEASURES
    }
    before = np.stack([result.right_before for result in results])  # (S, J)
    after = np.stack([result.right_after for result in results])
    return Case(
        steps=steps,
        measures=measures,
        pass_before=pass_curve(before[0]),
        pass_after=np.stack([pass_curve(counts) for counts in after]),
        never_before=(before == 0).sum(axis=1),
        newly_solved=((before == 0) & (after > 0)).sum(axis=1),
        lost=((before > 0) & (after == 0)).sum(axis=1),
    )
