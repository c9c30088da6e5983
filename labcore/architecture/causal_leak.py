"""A leak, proven: the same decoder with and without its causal mask, on text of exactly known entropy.

Without the mask a position can look at the very letter that it should predict. Its loss falls below the
floor, which no honest reader of the past can do. Then both models write: now there is nothing to the
right to look at.

Axes: N seeds, M looks at held-out text, T positions, B held-out rows.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text import syllables
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss, token_losses

LIMITS = {
    "num_layers": (1, 3), "length": (8, 48), "steps": (20, 600), "seeds": (1, 10), "seed": (0, 9999),
}  # fmt: skip
HELD_OUT_ROWS, HELD_OUT_SEED = 128, 1234
BATCH_ROWS, WIDTH, HEADS = 32, 32, 4
LEARNING_RATE = 5e-3
WRITTEN_ROWS, SAMPLES = 64, 6
LOOKS = 20  # at held-out text, in the course of a run
KINDS = ("masked", "open")  # with the causal mask, and without


@lab_config
class CausalLeakConfig:
    num_layers: int = 2
    length: int = 32  # letters that a row asks for
    steps: int = 150
    seeds: int = 1  # runs one after the other, from `seed` on
    seed: int = 0  # of the weights, the batches and the writing

    def __post_init__(self):
        check_limits(self, LIMITS)

    def training(self) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=BATCH_ROWS, learning_rate=LEARNING_RATE,
            eval_every=max(1, self.steps // LOOKS),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One event: so many updates of both models. Step 0 is before any."""

    seed: int
    step: int
    share: float  # of all runs done, 0 to 1
    nats: tuple[float, float] | None  # held-out loss of `KINDS`; None between two looks
    floor_nats: float


@dataclass(frozen=True, slots=True, eq=False)
class CausalLeakResult:
    """The axis of length 2 is `KINDS`."""

    steps: np.ndarray  # (M,) from 0
    nats: np.ndarray  # (N, 2, M) held-out loss
    by_position: np.ndarray  # (N, 2, T) all positions answered in one pass, as in training
    by_prefix: np.ndarray  # (N, 2, T) shown only what comes before, as in writing
    forbidden: np.ndarray  # (N, 2) share of written steps that the language forbids
    samples: list[list[str]]  # (2) what each of the first seed's models writes
    floor_nats: float  # of the held-out text itself
    floor_by_position: np.ndarray  # (T,)
    entropy_nats: float  # of the language
    uniform_nats: float  # of a guess that knows nothing
    seconds: float


def run(config: CausalLeakConfig) -> CausalLeakResult:
    return drain(prove_the_leak(config))


def prove_the_leak(config: CausalLeakConfig) -> Generator[Progress, None, CausalLeakResult]:
    """Train both models side by side on the same batches, seed by seed; then try them out."""
    started = time.perf_counter()
    text = held_out_text(config.length)
    looks, outcomes = [], []
    for number in range(config.seeds):
        models = [build(config, kind, config.seed + number) for kind in KINDS]
        for progress in train_both(config, models, number, text):
            looks.append(progress)
            yield progress
        outcomes.append(try_out(models, text, config.seed + number))
    seen = [look for look in looks if look.nats is not None]
    floor = syllables.surprise_nats(text)  # (B, T)
    by_position, by_prefix, forbidden, samples = zip(*outcomes, strict=True)
    return CausalLeakResult(
        steps=np.array([look.step for look in seen if look.seed == config.seed]),
        nats=np.array([look.nats for look in seen]).reshape(config.seeds, -1, 2).swapaxes(1, 2),
        by_position=np.stack(by_position),
        by_prefix=np.stack(by_prefix),
        forbidden=np.array(forbidden),
        samples=samples[0],
        floor_nats=float(floor.mean()),
        floor_by_position=floor.mean(dim=0).numpy(),
        entropy_nats=syllables.entropy_rate_nats(),
        uniform_nats=math.log(len(syllables.LETTERS)),
        seconds=time.perf_counter() - started,
    )


def train_both(
    config: CausalLeakConfig, models: list[Transformer], number: int, text: Tensor
) -> Iterator[Progress]:
    """One step of each in turn, until both have made all of theirs."""
    seed, floor = config.seed + number, float(syllables.surprise_nats(text).mean())
    held_out = as_batch(text)

    def look(model: Transformer) -> float:
        return held_out_loss(model, [held_out])

    yield Progress(seed, 0, number / config.seeds, tuple(map(look, models)), floor)
    runs = [
        train(model, batches(config, seed), config.training(), evaluate=look) for model in models
    ]
    for masked, leaking in zip(*runs, strict=True):
        nats = (masked.validation_nats, leaking.validation_nats)
        share = (number + masked.share) / config.seeds
        yield Progress(seed, masked.step, share, None if None in nats else nats, floor)


def build(config: CausalLeakConfig, kind: str, seed: int) -> Transformer:
    """The two models differ in one word; even their first weights are the same."""
    model = ModelConfig(
        vocab_size=len(syllables.LETTERS), hidden_size=WIDTH, num_heads=HEADS,
        num_layers=config.num_layers, causal=kind == "masked",
    )  # fmt: skip
    return Transformer(model, torch.Generator().manual_seed(seed))


def as_batch(text: Tensor) -> Batch:
    """Every letter but the first is asked for.  (B, T + 1) -> a batch of (B, T)"""
    return Batch(text[:, :-1], text[:, 1:], torch.ones_like(text[:, 1:], dtype=torch.bool))


def batches(config: CausalLeakConfig, seed: int) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield as_batch(syllables.rows(BATCH_ROWS, config.length + 1, generator))


def held_out_text(length: int) -> Tensor:
    """(B, T + 1); the same for every run"""
    generator = torch.Generator().manual_seed(HELD_OUT_SEED)
    return syllables.rows(HELD_OUT_ROWS, length + 1, generator)


@torch.no_grad()
def try_out(
    models: list[Transformer], text: Tensor, seed: int
) -> tuple[np.ndarray, np.ndarray, list[float], list[list[str]]]:
    """Both models by position, by prefix, and writing."""
    by_position, by_prefix, forbidden, samples = [], [], [], []
    for model in models:
        model.eval()
        by_position.append(token_losses(model, as_batch(text))[0].mean(dim=0).numpy())
        by_prefix.append(losses_by_prefix(model, text))
        written = write(model, text.shape[1], torch.Generator().manual_seed(seed))
        forbidden.append(float(syllables.surprise_nats(written).isinf().double().mean()))
        samples.append([syllables.text_of(row) for row in written[:SAMPLES]])
    return np.stack(by_position), np.stack(by_prefix), forbidden, samples


def losses_by_prefix(model: Transformer, text: Tensor) -> np.ndarray:
    """The loss when nothing to the right exists: one pass for each position.  (B, T + 1) -> (T,)

    With a causal mask this is what a single pass over the whole text gives.
    """
    losses = []
    for length in range(1, text.shape[1]):
        logits = model(text[:, :length]).logits[:, -1]
        losses.append(F.cross_entropy(logits, text[:, length]).item())
    return np.array(losses)


def write(model: Transformer, length: int, generator: torch.Generator) -> Tensor:
    """Texts that the model makes up, letter by letter, from a space on.  -> (rows, length)"""
    text = torch.zeros(WRITTEN_ROWS, 1, dtype=torch.int64)
    for _ in range(length - 1):
        p = model(text).logits[:, -1].softmax(dim=-1)
        text = torch.cat([text, torch.multinomial(p, 1, generator=generator)], dim=1)
    return text
