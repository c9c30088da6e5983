"""One model of the sweep, trained once; and how low its loss would be, had it stopped earlier.

The trap: a loss read off the middle of a run is not the loss of a run of that length. The learning rate is
still high there, and steps that large keep the weights from settling. So at every moment that counts the
model is copied and the copy's rate is brought down to zero (warm-up, stable, decay; Hägele et al.,
arXiv:2405.18392). The trunk goes on at the full rate. A copy is exactly what a run of its own, of that
length, would have become.

What the trap would have given is measured as well: the trunk as it stands at that moment and, if asked
for, the model half-way down a long cosine.

Axes: B rows, T tokens of a row, P moments.
"""

import copy
import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.counting import count_parameters
from labcore.model.transformer import Transformer
from labcore.text import zipf
from labcore.training import optimiser as optimisers
from labcore.training import schedule
from labcore.training.loop import update
from labcore.training.objectives import Batch, held_out_loss

ROWS, ROW_TOKENS = 16, 64
STEP_TOKENS = ROWS * ROW_TOKENS
LAYERS, HEADS = 2, 2  # of every model: they differ in width alone
PEAK_RATE = 0.5  # over the width: near the best of four rates at each of six widths
WARMUP_STEPS = 10
FOR_EVER = 10**6  # the end of a trunk, which never slows down
WEIGHT_DECAY, BETAS, CLIP_NORM = 0.1, (0.9, 0.95), 1.0
HELD_OUT_ROWS, HELD_OUT_SEED = 256, 1234
TEXT_SEED = 10_000  # added to a run's seed: its text is drawn apart from its weights
NARROWEST, WIDEST, MOST_STEPS = 4, 192, 4000


@lab_config
class RunConfig:
    """The task that goes to one process, here or elsewhere."""

    width: int
    steps: tuple[int, ...]  # P moments, as updates made
    exponent: float = 1.1  # of the text's word frequencies
    seed: int = 0
    cosine: bool = False  # one long cosine instead, read as it goes by

    def __post_init__(self):
        if not NARROWEST <= self.width <= WIDEST or self.width % (2 * HEADS):
            raise LabInputError("width", self.width, "between", low=NARROWEST, high=WIDEST)
        if not self.steps:
            raise LabInputError("steps", self.steps, "not_empty")
        for steps in self.steps:
            if not 1 <= steps <= MOST_STEPS:
                raise LabInputError("steps", steps, "between", low=1, high=MOST_STEPS)

    @property
    def model(self) -> ModelConfig:
        return ModelConfig(
            vocab_size=zipf.VOCAB_SIZE, hidden_size=self.width, num_layers=LAYERS, num_heads=HEADS,
            max_positions=ROW_TOKENS,
        )  # fmt: skip

    @property
    def peak_rate(self) -> float:
        return PEAK_RATE / self.width


@dataclass(frozen=True, slots=True)
class Point:
    """One model after one amount of text: what scaling laws are fitted to."""

    width: int
    seed: int
    blocks: int  # parameters without the table of tokens
    table: int  # parameters of that table, which is the output matrix too
    tokens: int  # read in training
    annealed_nats: float  # held-out loss per token, the rate at zero; NaN along a cosine
    passing_nats: float  # the same, in passing: at full rate, or on the way down a cosine
    share: float = 0.0  # of the run done


def run(config: RunConfig) -> list[Point]:
    """All points of one model; this function is what Dask carries to a worker."""
    torch.set_num_threads(1)
    points: list[Point] = []
    drain(train(config), points.append)
    return points


def train(config: RunConfig) -> Generator[Point, None, float]:
    """Train one trunk, branch off at every moment, yield a point each; returns CPU seconds."""
    started = time.process_time()
    model = Transformer(config.model, torch.Generator().manual_seed(config.seed))
    optimiser = optimisers.adamw(model, config.peak_rate, WEIGHT_DECAY, BETAS)
    text = torch.Generator().manual_seed(TEXT_SEED + config.seed)
    moments, last = sorted(set(config.steps)), max(config.steps)
    held_out, blocks, table = held_out_text(config.exponent)[0], *sizes(config)
    annealed = {}
    for step in range(1, last + 1):
        for moment in moments:
            if not config.cosine and step == stable_steps(moment) + 1:
                annealed[moment] = decayed(config, model, optimiser, text, moment)
        end = last if config.cosine else FOR_EVER
        update(model, batch(config.exponent, text), optimiser, rate(config, step, end), CLIP_NORM)
        if step in moments:
            passing = held_out_loss(model, [held_out])
            over = step == last or not config.cosine  # too short a run to slow down is over as well
            finished = annealed.get(step, passing if over else float("nan"))
            tokens, share = step * STEP_TOKENS, step / last
            yield Point(config.width, config.seed, blocks, table, tokens, finished, passing, share)
    return time.process_time() - started


def decayed(
    config: RunConfig,
    model: Transformer,
    optimiser: torch.optim.Optimizer,
    text: torch.Generator,
    end: int,
) -> float:
    """Held-out loss of a copy whose rate goes down to zero at step `end`; the originals stay as they are."""
    # In one call: the copied optimiser must hold the copied model's weights.
    model, optimiser = copy.deepcopy((model, optimiser))
    text = torch.Generator().set_state(text.get_state())
    for step in range(stable_steps(end) + 1, end + 1):
        update(model, batch(config.exponent, text), optimiser, rate(config, step, end), CLIP_NORM)
    return held_out_loss(model, [held_out_text(config.exponent)[0]])


def rate(config: RunConfig, step: int, end: int) -> float:
    """The rate of update number `step` of a run that ends at `end`, where it is all but zero."""
    kind = "cosine" if config.cosine else "wsd"
    return schedule.learning_rate(step, config.peak_rate, kind, end + 1, WARMUP_STEPS)


def stable_steps(end: int) -> int:
    """How many steps a run that ends at `end` has in common with one that goes on.

    >>> stable_steps(100), stable_steps(5)
    (83, 5)
    """
    falling = round(schedule.DECAY_SHARE * (end + 1 - WARMUP_STEPS))
    return end + 1 - max(1, falling)


def sizes(config: RunConfig) -> tuple[int, int]:
    """Parameters without the table of tokens, and that table's.  The output matrix is the table (tied)."""
    table = zipf.VOCAB_SIZE * config.width
    return sum(part.parameters for part in count_parameters(config.model)) - table, table


def batch(exponent: float, rng: torch.Generator) -> Batch:
    return asked(zipf.language(exponent).rows(ROWS, ROW_TOKENS, rng)[0])


def asked(tokens: torch.Tensor) -> Batch:
    """Each token is the target of the one before it.  (B, T + 1) -> Batch of (B, T)"""
    inputs = tokens[:, :-1]
    return Batch(inputs, tokens[:, 1:], torch.ones_like(inputs, dtype=torch.bool))


@lru_cache(maxsize=4)
def held_out_text(exponent: float) -> tuple[Batch, float]:
    """The text on which every model is judged, and its floor: what it costs who knows the lexicon."""
    rng = torch.Generator().manual_seed(HELD_OUT_SEED)
    tokens, nats = zipf.language(exponent).rows(HELD_OUT_ROWS, ROW_TOKENS, rng)
    return asked(tokens), float(nats.mean())
