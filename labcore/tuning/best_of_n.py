"""Best of n: no training at all. Ask n times, keep the answer that scores highest.

The baseline that every reinforcement learning has to beat: it needs a reward and nothing else, and its
distance from the policy is known beforehand. With more and more answers to choose from it, too, finds what
the reward likes and the truth does not.

Sources: Stiennon et al., arXiv:2009.01325; the divergence, Gao et al., arXiv:2210.10760, and as an upper
bound where answers repeat, Beirami et al., arXiv:2401.01879.
Axes: J sums, N answers to each, K values of n.
"""

import time
from dataclasses import dataclass
from math import comb, log

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.tuning import sums
from labcore.tuning.base_policy import answer, load_policy
from labcore.tuning.rlhf import judge_named

COUNTS = (1, 2, 4, 8, 16, 32, 64)  # n
JUDGED_SUMS = 300


@lab_config
class BestConfig:
    reward: str = "shallow"
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BestOfN:
    counts: np.ndarray  # (K,)
    divergence_nats: np.ndarray  # (K,) ln n − (n − 1)/n
    proxy: np.ndarray  # (K,) expected score of the chosen answer
    right: np.ndarray  # (K,) how often it is right
    marks: np.ndarray  # (K,) its exclamation marks
    seconds: float


def divergence(count: int) -> float:
    """KL(best of n ‖ policy), if no two answers score alike.

    The chosen one of n lies at quantile u with density n uⁿ⁻¹; ∫ n uⁿ⁻¹ ln(n uⁿ⁻¹) du = ln n − (n − 1)/n.

    >>> round(divergence(4), 3)
    0.636
    """
    return log(count) - (count - 1) / count


def chosen_weights(answers: int, count: int) -> np.ndarray:
    """How likely the i-th of N answers, from the lowest score up, is to be the best of n drawn from them.

    Of the C(N, n) choices, C(i, n − 1) have the i-th (from 0) on top.  -> (N,), sums to 1

    >>> chosen_weights(4, 2).tolist()
    [0.0, 0.16666666666666666, 0.3333333333333333, 0.5]
    """
    if not 1 <= count <= answers:
        raise LabInputError("count", count, "between", low=1, high=answers)
    return np.array([comb(i, count - 1) for i in range(answers)]) / comb(answers, count)


def run(config: BestConfig) -> BestOfN:
    """64 answers to each of 300 held-out sums; for each n the mean over all choices of n of them."""
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(config.seed)
    asked = sums.draw_sums(JUDGED_SUMS, torch.Generator().manual_seed(2), held_out=True)
    asked, most = asked.repeated(COUNTS[-1]), COUNTS[-1]
    responses = answer(load_policy(), asked, generator)
    scores = judge_named(config.reward)(asked, responses)
    # The answers stand in random order, and a stable sort leaves equal ones so: ties fall by lot.
    order = scores.reshape(JUDGED_SUMS, most).sort(dim=1, stable=True).indices
    ranked = [
        values.double().reshape(JUDGED_SUMS, most).gather(1, order).mean(dim=0).numpy()  # (N,)
        for values in (scores, sums.is_right(asked, responses), sums.count_marks(responses))
    ]
    weights = np.stack([chosen_weights(most, count) for count in COUNTS])  # (K, N)
    return BestOfN(
        np.array(COUNTS), np.array([divergence(count) for count in COUNTS]),
        *(weights @ values for values in ranked), time.perf_counter() - started,
    )  # fmt: skip
