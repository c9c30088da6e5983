"""Where the gradients of a trained model lie, and what is left of them in a format of few bits.

One real batch, one backward pass in fp32 through the bundled decoder; then only the powers of two matter.
A loss that is divided by N tokens and multiplied by a scale of 2^k moves every gradient's exponent by k −
log2 N, and the picture by as many bins: nothing has to be computed again.

Source: Micikevicius et al., arXiv:1710.03740, whose figure of activation gradients this repeats.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore import zoo
from labcore.architecture.build_train_corpus import held_out_of
from labcore.configs import lab_config
from labcore.pretraining.number_formats import Format
from labcore.text.masking import IGNORE

MODEL = "world-decoder"
TEXTS = 8
LOW, HIGH = -80, 40  # powers of two that have a bin
KINDS = ("weights", "stream")


@lab_config
class RangeConfig:
    model: str = MODEL  # only the bundled decoder is small enough to be read at once


@dataclass(frozen=True, slots=True, eq=False)
class RangeResult:
    """How many gradients have |g| in [2^e, 2^(e+1)), of a loss that is the sum over all targets."""

    exponents: np.ndarray  # (E,) e
    counts: dict[str, np.ndarray]  # kind: (E,)
    zeros: dict[str, int]  # kind: gradients that are exactly 0 already (rows of padding)
    targets: int  # tokens that the loss is a sum over


@dataclass(frozen=True, slots=True)
class Fate:
    """Shares of all gradients that are not 0 from the start; they sum to 1."""

    zero: float  # rounded to 0
    subnormal: float  # kept with fewer digits
    normal: float
    overflow: float


def run(config: RangeConfig) -> RangeResult:
    found = gradients(config.model)
    bins = {kind: exponents_of(values) for kind, values in found[0].items()}
    edges = np.arange(LOW, HIGH + 1)
    counts = {
        kind: np.histogram(powers, np.append(edges, HIGH + 1))[0] for kind, powers in bins.items()
    }
    zeros = {kind: int((values == 0).sum()) for kind, values in found[0].items()}
    return RangeResult(edges, counts, zeros, found[1])


def gradients(name: str) -> tuple[dict[str, Tensor], int]:
    """Of the summed loss of a few held-out stories, by all weights and by the stream after each layer."""
    model = copy.deepcopy(zoo.load(name).model).requires_grad_(True)
    batch = held_out_of("decoder", ("en", "zh"))[0]
    tokens, targets, real = (x[:TEXTS] for x in (batch.tokens, batch.targets, batch.padding_mask))
    stream: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        x.retain_grad()
        stream.append(x)
        return x

    layers = range(model.config.num_layers)
    watch = {f"layers.{layer}.resid_post": keep for layer in layers}
    logits = model(tokens, padding_mask=real, interventions=watch).logits
    F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum"
    ).backward()
    return {
        "weights": torch.cat([weight.grad.flatten() for weight in model.parameters()]),
        "stream": torch.cat([x.grad.flatten() for x in stream]),
    }, int((targets != IGNORE).sum())


def exponents_of(values: Tensor) -> np.ndarray:
    """e with |g| in [2^e, 2^(e+1)), of all that is not 0."""
    values = values[values != 0].double().numpy()
    return np.clip(np.frexp(values)[1] - 1, LOW, HIGH)


def fate(result: RangeResult, kind: str, shift: int, format: Format) -> Fate:
    """What becomes of the gradients, times 2^shift, in a format.

    Below half of the smallest number all is 0; from there to the smallest normal number digits are lost.
    """
    power, counts = result.exponents + shift, result.counts[kind]
    lowest = format.lowest_exponent - format.mantissa_bits - 1
    top = int(np.frexp(format.largest)[1]) - 1
    zero, over = power < lowest, power > top
    subnormal = ~zero & (power < format.lowest_exponent)
    shares = [counts[where].sum() / counts.sum() for where in (zero, subnormal, over)]
    return Fate(*map(float, (*shares[:2], 1 - sum(shares), shares[2])))
