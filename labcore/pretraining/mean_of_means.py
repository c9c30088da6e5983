"""Gradient accumulation: when the sum of many small batches is one big batch, and when it is not.

A big batch of K micro-batches, of which number k asks for n_k tokens, N in all, has the loss

    token-normalised   Σ_k (sum of micro-batch k) / N           every token weighs 1/N
    mean of means      1/K Σ_k (sum of micro-batch k) / n_k     a token of micro-batch k weighs 1/(K n_k)

The two agree only where all n_k are equal. The texts are documents of a language of syllables, half of them
short and half long, and otherwise alike: nothing but its end tells a short one from a long one.

Axes: K micro-batches, B rows, P parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text import syllables
from labcore.training.objectives import Batch, causal_batch, token_losses

RULES = ("tokens", "means")
MIXES = ("sorted", "mixed")
END = len(syllables.LETTERS)  # the token that ends a document
VOCAB_SIZE = END + 1
PAD = 0  # any token will do: nothing is asked where it stands
SHORTEST, LONGEST = 4, 96  # letters of a document
MOST_MICRO_BATCHES, MOST_ROWS = 16, 8
WIDTH, LAYERS = 32, 2


@lab_config
class BatchConfig:
    """What a big batch is made of."""

    short: int = 8  # letters of a short document
    long: int = 64
    micro_batches: int = 4  # K
    rows: int = 4  # B, documents of a micro-batch
    mix: str = "sorted"  # a micro-batch holds one length; "mixed": each row by the toss of a coin
    seed: int = 0

    def __post_init__(self):
        if not SHORTEST <= self.short <= LONGEST:
            raise LabInputError("short", self.short, "between", low=SHORTEST, high=LONGEST)
        for name, low, high in (
            ("long", self.short, LONGEST),
            ("micro_batches", 2, MOST_MICRO_BATCHES),
            ("rows", 1, MOST_ROWS),
        ):
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)
        if self.mix not in MIXES:
            raise LabInputError("mix", self.mix, "known_choice", allowed=MIXES)
        if self.micro_batches % 2:
            raise LabInputError("micro_batches", self.micro_batches, "even")


@dataclass(frozen=True, slots=True, eq=False)
class GradientResult:
    targets: np.ndarray  # (K,) n_k
    weights: dict[str, np.ndarray]  # rule: (K,) what one token of each micro-batch weighs, times N
    errors: dict[str, float]  # rule, or "bf16": ‖g − g_big‖ / ‖g_big‖
    cosines: dict[str, float]  # the same: how much the direction is right


def documents(count: int, length: int, rng: torch.Generator) -> list[list[int]]:
    """A space to open with, `length` letters, the end: `length` + 1 tokens are asked for."""
    return [[*row, END] for row in syllables.rows(count, length + 1, rng).tolist()]


def micro_batches(config: BatchConfig, rng: torch.Generator) -> list[list[list[int]]]:
    """The documents of the K micro-batches of one big batch."""
    drawn = []
    for number in range(config.micro_batches):
        shorts = config.rows * (number % 2 == 0)
        if config.mix == "mixed":
            shorts = int(torch.randint(2, (config.rows,), generator=rng).sum())
        drawn.append(
            documents(shorts, config.short, rng) + documents(config.rows - shorts, config.long, rng)
        )
    return drawn


def token_weight(rule: str, batches: Sequence[Batch], number: int) -> float:
    """What the loss of a single token of micro-batch `number` is multiplied by."""
    if rule == "tokens":
        return 1 / sum(batch.num_targets for batch in batches)
    return 1 / (len(batches) * batches[number].num_targets)


def accumulate(model: Transformer, batches: Sequence[Batch], rule: str) -> float:
    """Backward through one micro-batch after the other; gradients add up.  -> the loss as reported"""
    model.zero_grad()
    reported = 0.0
    for number, batch in enumerate(batches):
        loss = token_losses(model, batch)[0].sum() * token_weight(rule, batches, number)
        loss.backward()
        reported += loss.item()
    return reported


def run(config: BatchConfig) -> GradientResult:
    """Both rules against one big batch, on a fresh model."""
    rng = torch.Generator().manual_seed(config.seed)
    model = build(config, rng)
    rows = micro_batches(config, rng)
    batches = [causal_batch(one, PAD) for one in rows]
    targets = np.array([batch.num_targets for batch in batches])
    big = causal_batch([row for one in rows for row in one], PAD)
    accumulate(model, [big], "tokens")
    wanted, found = gradient(model), {}
    for rule in RULES:
        accumulate(model, batches, rule)
        found[rule] = gradient(model)
    found["bf16"] = summed_in_bf16(model, batches)
    return GradientResult(
        targets,
        {
            rule: np.array([token_weight(rule, batches, k) for k in range(len(batches))])
            * targets.sum()
            for rule in RULES
        },
        {name: float((one - wanted).norm() / wanted.norm()) for name, one in found.items()},
        {name: float(torch.cosine_similarity(one, wanted, dim=0)) for name, one in found.items()},
    )


def build(config: BatchConfig, rng: torch.Generator) -> Transformer:
    """Learned positions, so that it can know how far it has read."""
    design = ModelConfig(
        vocab_size=VOCAB_SIZE, hidden_size=WIDTH, num_layers=LAYERS, positions="learned",
        max_positions=config.long + 2,
    )  # fmt: skip
    return Transformer(design, rng)


def gradient(model: Transformer) -> Tensor:
    """All of it as one vector.  (P,) float64"""
    return torch.cat([weight.grad.flatten() for weight in model.parameters()]).double()


def summed_in_bf16(model: Transformer, batches: Sequence[Batch]) -> Tensor:
    """The right weights, but the running sum of gradients is kept in bf16."""
    total = None
    for number, batch in enumerate(batches):
        model.zero_grad()
        (token_losses(model, batch)[0].sum() * token_weight("tokens", batches, number)).backward()
        short = gradient(model).bfloat16()
        total = short if total is None else total + short
    return total.double()


def end_probability(config: BatchConfig, rule: str) -> float:
    """P(end | as many letters as a short document has) of a perfect learner: what the rule teaches.

    There, and only there, short and long documents part: each short one says "end", each long one goes on. So
    the share is that of the short documents' weight. Both are equally many; token-normalised it is one half.
    With means a micro-batch with j short ones among its B weighs all its tokens 1/n(j), n(j) = j (s + 1) +
    (B − j)(l + 1). Sorted, j is 0 or B; mixed, it is binomial.
    """
    if rule == "tokens":
        return 0.5
    rows, asked = config.rows, (config.short + 1, config.long + 1)
    chances = [comb(rows, j) / 2**rows for j in range(rows + 1)]
    if config.mix == "sorted":
        chances = [0.5, *[0.0] * (rows - 1), 0.5]
    n = [j * asked[0] + (rows - j) * asked[1] for j in range(rows + 1)]
    short, every = (
        sum(p * count / tokens for p, count, tokens in zip(chances, counts, n, strict=True))
        for counts in (range(rows + 1), [rows] * (rows + 1))
    )
    return short / every
