"""Three estimates of a divergence, held against the exact one: their values, and the gradients they give.

Two small distributions, so that every expectation is a sum and not a sample. An estimate can be right as a
number and wrong as a loss. Used in the *reward* it is a number that weighs ∇ln π; used in the *loss* it is
itself differentiated, through the probabilities of the tokens that were drawn.

Source: Schulman 2020 (joschu.net/blog/kl-approx.html); the gradients, Tang & Munos, arXiv:2506.09477.
Axes: V symbols, X distances, D = draws in one estimate, T estimates.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.tuning.policy_losses import ESTIMATORS, Estimator, exact_kl, kl_estimate

SYMBOLS = 12
DISTANCES = 25
FARTHEST = 3.0
ESTIMATES = 2000
USES = ("reward", "loss")


@lab_config
class EstimatorConfig:
    distance: float = 1.0  # spread of the logits' change, from the reference to the policy
    draws: int = 16  # tokens in one estimate
    seed: int = 0

    def __post_init__(self):
        if not 0.05 <= self.distance <= FARTHEST:
            raise LabInputError("distance", self.distance, "between", low=0.05, high=FARTHEST)
        if not 1 <= self.draws <= 256:
            raise LabInputError("draws", self.draws, "between", low=1, high=256)


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    exact_nats: float  # KL(π ‖ ref)
    forward_nats: float  # KL(ref ‖ π)
    policy: np.ndarray  # (V,) probabilities
    reference: np.ndarray  # (V,)
    sampled: dict[str, np.ndarray]  # (T,) by estimator: means of `draws` tokens
    means: dict[str, float]  # expectation of one
    spreads: dict[str, float]  # standard deviation of one token's estimate
    along: dict[
        str, float
    ]  # "loss-k3" …: cosine of the expected gradient and the true one, ∇KL(π ‖ ref)
    along_forward: dict[str, float]  # the same with ∇KL(ref ‖ π)
    size: dict[str, float]  # length of the expected gradient, the true one's being 1
    noise: dict[str, float]  # spread of one token's gradient around that, in the same unit
    distances: np.ndarray  # (X,)
    exact_curve: np.ndarray  # (X,) nats, KL(π ‖ ref) at each distance
    mean_curves: dict[str, np.ndarray]  # (X,) by estimator
    spread_curves: dict[str, np.ndarray]  # (X,)


def two_policies(distance: float, seed: int) -> tuple[Tensor, Tensor]:
    """Logits of a policy and of the reference it has come from.  -> (V,), (V,)"""
    reference, change = torch.randn(
        2, SYMBOLS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return reference + distance * change, reference


def moments(logits: Tensor, reference: Tensor, estimator: Estimator) -> tuple[float, float]:
    """Mean and standard deviation of the estimate from one token that π drew.  (V,), (V,) -> nats, nats"""
    logprobs, others = logits.log_softmax(0), reference.log_softmax(0)
    probs, values = logprobs.exp(), kl_estimate(logprobs, others, estimator)
    mean = float(probs @ values)
    return mean, float(probs @ (values - mean) ** 2) ** 0.5


def gradients(logits: Tensor, reference: Tensor, estimator: Estimator, use: str) -> Tensor:
    """For each token that might be drawn, the gradient in the logits that it gives.  -> (V, V)

    "loss": of the estimate itself. "reward": the estimate is a number, and the score function ∇ln π, times
    that number, is the policy gradient of paying it.
    """
    others = reference.log_softmax(0)

    def of_token(at: Tensor, token: int) -> Tensor:
        logprob = at.log_softmax(0)[token]
        paid = kl_estimate(logprob, others[token], estimator)
        return paid.detach() * logprob if use == "reward" else paid

    rows = []
    for token in range(len(logits)):
        at = logits.clone().requires_grad_(True)
        rows.append(torch.autograd.grad(of_token(at, token), at)[0])
    return torch.stack(rows)


def run(config: EstimatorConfig) -> Estimates:
    logits, reference = two_policies(config.distance, config.seed)
    probs, others = logits.softmax(0), reference.softmax(0)
    distances = np.linspace(0.0, FARTHEST, DISTANCES)
    curves = {name: [] for name in ESTIMATORS}
    exact = []
    for distance in distances:
        moved, _ = two_policies(float(distance), config.seed)
        exact.append(float(exact_kl(moved, reference)))
        for name in ESTIMATORS:
            curves[name].append(moments(moved, reference, name))
    here = {name: moments(logits, reference, name) for name in ESTIMATORS}
    slopes = slopes_held_against(logits, reference)
    return Estimates(
        exact_nats=float(exact_kl(logits, reference)),
        forward_nats=float(exact_kl(reference, logits)),
        policy=probs.numpy(),
        reference=others.numpy(),
        sampled=draw(logits, reference, config),
        means={name: mean for name, (mean, _) in here.items()},
        spreads={name: spread for name, (_, spread) in here.items()},
        distances=distances,
        exact_curve=np.array(exact),
        mean_curves={name: np.array(curve)[:, 0] for name, curve in curves.items()},
        spread_curves={name: np.array(curve)[:, 1] for name, curve in curves.items()},
        **slopes,
    )


def draw(logits: Tensor, reference: Tensor, config: EstimatorConfig) -> dict[str, np.ndarray]:
    """Many estimates, each the mean over `draws` tokens; the three share their tokens.  -> (T,) each"""
    generator = torch.Generator().manual_seed(config.seed + 1)
    size = (ESTIMATES, config.draws)
    logprobs, others = logits.log_softmax(0), reference.log_softmax(0)
    flat = torch.multinomial(logprobs.exp(), size[0] * size[1], True, generator=generator)
    return {
        name: kl_estimate(logprobs[flat], others[flat], name).reshape(size).mean(dim=1).numpy()
        for name in ESTIMATORS
    }


def slopes_held_against(logits: Tensor, reference: Tensor) -> dict[str, dict[str, float]]:
    """Expected gradients of every estimate in either use, against the two that they might be."""
    at = logits.clone().requires_grad_(True)
    (true,) = torch.autograd.grad(exact_kl(at, reference), at)
    (forward,) = torch.autograd.grad(exact_kl(reference, at), at)
    probs = logits.softmax(0)
    found: dict[str, dict[str, float]] = {"along": {}, "along_forward": {}, "size": {}, "noise": {}}
    for use in USES:
        for name in ESTIMATORS:
            each = gradients(logits, reference, name, use)  # (V, V)
            mean = probs @ each
            around = ((each - mean) ** 2).sum(dim=1)
            key = f"{use}-{name}"
            found["along"][key] = cosine(mean, true)
            found["along_forward"][key] = cosine(mean, forward)
            found["size"][key] = float(mean.norm() / true.norm())
            found["noise"][key] = float((probs @ around).sqrt() / true.norm())
    return found


def cosine(one: Tensor, other: Tensor) -> float:
    """0 where either has (nearly) no length and so no direction."""
    lengths = float(one.norm() * other.norm())
    return float(one @ other) / lengths if lengths > 1e-12 else 0.0
