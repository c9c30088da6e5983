"""The ward of updates: from micro-batches to a gradient, from a gradient to new weights, update by update.

The patient is the inner part of a training loop. What it should do is known without training anything: add up
to the gradient of one big batch, follow the planned rate, and move weights as torch's own AdamW does.

Axes: K micro-batches, U updates, P parameters.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor, nn

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal, followed
from labcore.model.transformer import Transformer
from labcore.pretraining.mean_of_means import (
    PAD,
    BatchConfig,
    accumulate,
    build,
    gradient,
    micro_batches,
    token_weight,
)
from labcore.training import optimiser as optimisers
from labcore.training.loop import TrainConfig
from labcore.training.objectives import Batch, causal_batch, token_losses
from labcore.training.rules import State, adamw

PLAN = TrainConfig(steps=40, learning_rate=1e-3, warmup_steps=8)
UPDATES = 5  # that are compared with torch's
LOSS_UPDATES = 30
SEEDS = 3  # different runs: patients share them

# The parts, and what people wrote in their place.


def weight_per_token(batches: Sequence[Batch], number: int) -> float:
    """What the loss of one token of micro-batch `number` is multiplied by."""
    return 1 / sum(batch.num_targets for batch in batches)


def mean_of_means(batches: Sequence[Batch], number: int) -> float:
    return 1 / (len(batches) * batches[number].num_targets)


def cleared(optimiser: torch.optim.Optimizer) -> None:
    """Before an update's first micro-batch."""
    optimiser.zero_grad()


def never_cleared(optimiser: torch.optim.Optimizer) -> None:
    pass


def rate_of_the_update(plan: TrainConfig, update: int, micro: int) -> float:
    """`update` counts from 1; `micro` micro-batches have gone into each."""
    return plan.learning_rate_at(update)


def rate_of_the_micro_batch(plan: TrainConfig, update: int, micro: int) -> float:
    return plan.learning_rate_at(min(update * micro, plan.steps))


def adam_uncorrected(
    grad: Tensor, state: State, betas: tuple[float, float] = (0.9, 0.95), eps: float = 1e-8
) -> Tensor:
    beta1, beta2 = betas
    m = state.setdefault("mean", torch.zeros_like(grad)).lerp_(grad, 1 - beta1)
    v = state.setdefault("square", torch.zeros_like(grad)).lerp_(grad.square(), 1 - beta2)
    return m / (v.sqrt() + eps)


PARTS: Parts = {
    "weigh": weight_per_token,
    "clear": cleared,
    "rate": rate_of_the_update,
    "rule": adamw,
}

# The patient.


def one_update(
    parts: Parts, model: Transformer, batches: Sequence[Batch], optimiser: optimisers.Optimiser,
    update: int, plan: TrainConfig | None = PLAN,
) -> float:  # fmt: skip
    """Accumulate, and step unless there is no plan.  -> the loss as reported"""
    parts["clear"](optimiser)
    reported = 0.0
    for number, batch in enumerate(batches):
        loss = token_losses(model, batch)[0].sum() * parts["weigh"](batches, number)
        loss.backward()
        reported += loss.item()
    if plan is not None:
        optimisers.set_learning_rate(optimiser, parts["rate"](plan, update, len(batches)))
        optimiser.step()
    return reported


def optimiser_for(parts: Parts, model: nn.Module) -> optimisers.Optimiser:
    """The lab's own, with the part in place of its rule."""
    built = optimisers.build("adamw", model, PLAN.learning_rate, PLAN.weight_decay, PLAN.betas)
    for group in built.param_groups:
        group["rule"] = parts["rule"]
    return built


def prepared(seed: int) -> tuple[Transformer, list[Batch], Batch]:
    """A fresh model, K micro-batches of unequal length, and the same documents as one big batch."""
    config = BatchConfig(seed=seed)
    rng = torch.Generator().manual_seed(seed)
    model, rows = build(config, rng), micro_batches(config, rng)
    whole = causal_batch([row for one in rows for row in one], PAD)
    return model, [causal_batch(one, PAD) for one in rows], whole


# The tests.


def gradient_error(parts: Parts, seed: int, rounds: int) -> Reading:
    """After `rounds` of accumulating at the same weights: ‖g − g of one big batch‖ / its length."""
    model, batches, whole = prepared(seed)
    accumulate(model, [whole], "tokens")
    wanted = gradient(model)
    model.zero_grad()
    optimiser = optimiser_for(parts, model)
    for _ in range(rounds):
        one_update(parts, model, batches, optimiser, 1, plan=None)
    return equal(float((gradient(model) - wanted).norm() / wanted.norm()), 1e-4)


def first_gradient(parts: Parts, seed: int) -> Reading:
    return gradient_error(parts, seed, rounds=1)


def second_gradient(parts: Parts, seed: int) -> Reading:
    return gradient_error(parts, seed, rounds=2)


def rates(parts: Parts, seed: int) -> Reading:
    """The rate of every update against the plan, in thousandths of the peak."""
    updates = np.arange(1, PLAN.steps + 1)
    micro = BatchConfig(seed=seed).micro_batches
    used = [1e3 * parts["rate"](PLAN, int(u), micro) / PLAN.learning_rate for u in updates]
    planned = [1e3 * PLAN.learning_rate_at(int(u)) / PLAN.learning_rate for u in updates]
    return followed(updates, used, planned, 1e-6)


def against_torch(parts: Parts, seed: int) -> Reading:
    """The weights after five updates with the same gradients, in units of one rate."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(6, 5, generator=generator)
    pushes = torch.randn(UPDATES, 6, 5, generator=generator)
    ends = []
    makers: tuple[Callable, ...] = (partial(optimiser_for, parts), torch_adamw)
    for make in makers:
        layer = nn.Linear(5, 6, bias=False)
        layer.weight = nn.Parameter(start.clone())
        optimiser = make(layer)
        for push in pushes:
            layer.weight.grad = push.clone()
            optimiser.step()
        ends.append(layer.weight.detach())
    return equal(float((ends[0] - ends[1]).abs().max()) / PLAN.learning_rate, 1e-3)


def torch_adamw(layer: nn.Module) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        layer.parameters(), lr=PLAN.learning_rate, weight_decay=PLAN.weight_decay, betas=PLAN.betas
    )


def losses(parts: Parts, seed: int) -> list[float]:
    """Nats per token of the big batch after each update."""
    return list(_losses(tuple(parts.items()), seed % SEEDS))


@lru_cache(maxsize=16)
def _losses(parts: tuple[tuple[str, Callable], ...], seed: int) -> tuple[float, ...]:
    parts = dict(parts)
    model, batches, whole = prepared(seed)
    optimiser, seen = optimiser_for(parts, model), []
    for update in range(1, LOSS_UPDATES + 1):
        one_update(parts, model, batches, optimiser, update)
        with torch.no_grad():
            seen.append(float(token_losses(model, whole)[0].sum() / whole.num_targets))
    return tuple(seen)


def loss_curve(parts: Parts, seed: int) -> Reading:
    """Nats per token of the big batch, update by update, against the healthy loop's own run.

    What one would look at first, and what tells least: only a gap of a quarter of a nat counts.
    """
    return followed(np.arange(1, LOSS_UPDATES + 1), losses(parts, seed), losses(PARTS, seed), 0.25)


WARD = Ward(
    "updates", "pretraining", PARTS,
    (
        Test("gradient", "equality", first_gradient),
        Test("gradient_again", "equality", second_gradient),
        Test("torch_adamw", "equality", against_torch),
        Test("rates", "curve", rates),
        Test("loss_curve", "curve", loss_curve),
    ),
    (
        Bug("mean_of_means", "weigh", mean_of_means,
            ("huggingface/transformers#34191", "huggingface/blog#2414"), "traps", "gradient",
            shown=token_weight),
        Bug("gradient_kept", "clear", never_cleared,
            ("meta-pytorch/torchforge#71", "tenstorrent/tt-blacksmith#711"), "monitor",
            "gradient_again"),
        Bug("rate_per_micro_batch", "rate", rate_of_the_micro_batch,
            ("huggingface/accelerate#963", "Lightning-AI/pytorch-lightning#1476"), "monitor",
            "rates"),
        Bug("no_bias_correction", "rule", adam_uncorrected,
            ("google-research/bert#153", "dmlc/gluon-nlp#1468"), "monitor", "torch_adamw"),
    ),
)  # fmt: skip
