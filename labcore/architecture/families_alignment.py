"""An encoder-decoder learns to translate; its cross-attention learns where to look.

The run trains a small translator on passages of the micro-world and looks, every few steps, at held-out
pairs: the loss against its exact floor, and how much cross-attention lies on the true source words.
The control is the same run with every source swapped for that of another pair: it can learn Chinese,
but not what to say, so its loss cannot fall below the floor of the Chinese text alone.

Axes: M looks, N steps, R runs (seeds), L layers, H heads, T target positions, S source positions.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import repeat

import numpy as np
import torch

from labcore.architecture.build_train_corpus import (
    POOL_BATCHES,
    asking,
    batches,
    draw_pair,
    world,
)
from labcore.architecture.cross_alignment import (
    PROBE,
    Alignment,
    PairReading,
    align,
    cross_maps,
    held_out,
    read_pair,
)
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss

SOURCES = ("own", "shuffled")
LIMITS: dict[str, tuple[float, float]] = {
    "num_layers": (1, 2),
    "num_heads": (1, 8),
    "hidden_size": (32, 96),
    "learning_rate": (1e-4, 3e-2),
    "steps": (20, 3000),
    "batch_size": (4, 64),
    "look_every": (10, 500),
}


@lab_config
class AlignmentConfig:
    """The defaults make a translator with one layer in each stack; its first steps are those of the
    recorded runs, since the learning rate stays as it is.
    """

    sources: str = "own"  # "shuffled": each translation stands beside another pair's source
    num_layers: int = 1  # of each stack
    num_heads: int = 4
    hidden_size: int = 64
    learning_rate: float = 5e-3
    steps: int = 700
    batch_size: int = 32  # pairs per step
    look_every: int = 50  # steps between two looks at held-out pairs
    seed: int = 0

    def __post_init__(self):
        if self.sources not in SOURCES:
            raise LabInputError("sources", self.sources, "known_choice", allowed=SOURCES)
        check_limits(self, LIMITS)
        self.model(vocab_size=2)  # its own rules, told before the run starts

    def model(self, vocab_size: int) -> ModelConfig:
        return ModelConfig(
            kind="encoder_decoder", vocab_size=vocab_size, hidden_size=self.hidden_size,
            num_layers=self.num_layers, num_heads=self.num_heads,
        )  # fmt: skip

    def training(self) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate,
            schedule="constant", warmup_steps=20, eval_every=self.look_every,
            snapshot_every=self.look_every, seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The model after `step` updates."""

    step: int
    validation_nats: float  # per target token of held-out pairs, sources as in training
    alignment: Alignment  # on held-out pairs with their own sources
    cross: np.ndarray  # (L, H, T, S) uint8: the pair PROBE


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One event; step 0 is the untrained model."""

    step: int
    share: float  # of the run done, 0 to 1
    loss_nats: float | None  # per target token, on the step's own batch
    look: Look | None
    diverged: bool = False


@dataclass(frozen=True, slots=True)
class Floors:
    """The lowest possible losses on the held-out pairs, nats per target token."""

    own: float  # with the source before one's eyes
    alone: float  # knowing nothing but the Chinese text so far


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentResult:
    parameters: int
    loss_nats: np.ndarray  # (N,)
    looks: list[Look]  # (M,) from step 0
    floors: Floors
    chance: float  # share of attention on true sources if it were even
    reading: PairReading  # the pair PROBE at the end
    seconds: float
    diverged: bool


def run(config: AlignmentConfig) -> AlignmentResult:
    return drain(learn_to_translate(config))


def learn_to_translate(config: AlignmentConfig) -> Generator[Progress, None, AlignmentResult]:
    """Train, and keep what was seen on the way."""
    started = time.perf_counter()
    vocabulary = world().tokenizer.vocab_size
    model = Transformer(config.model(vocabulary), torch.Generator().manual_seed(config.seed))
    judged = judged_on(config.sources)

    def look(model: Transformer, step: int) -> Look:
        nats = held_out_loss(model, [judged])
        return Look(step, nats, align(model), cross_maps(model, held_out().pairs[PROBE]))

    looks = [look(model, 0)]
    yield Progress(0, 0.0, None, looks[0])
    steps = train(model, told(config), config.training(), snapshot=look)
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            trained = stop.value
            break
        if step.snapshot is not None:
            looks.append(step.snapshot)
        yield Progress(step.step, step.share, step.loss_nats, step.snapshot, step.diverged)
    return AlignmentResult(
        parameters=sum(weight.numel() for weight in model.parameters()),
        loss_nats=trained.loss_nats,
        looks=looks,
        floors=floors(),
        chance=held_out().chance,
        reading=read_pair(model, PROBE),
        seconds=time.perf_counter() - started,
        diverged=trained.diverged,
    )


# ----- what is read, and how low its loss can be


def told(config: AlignmentConfig) -> Iterator[Batch]:
    """Fresh pairs without end; in the control, two draws give one pair."""
    rng = torch.Generator().manual_seed(config.seed)

    def draw() -> tuple[list[int], list[int]]:
        source, target = draw_pair("train", rng)
        if config.sources == "shuffled":
            source, _ = draw_pair("train", rng)
        return source, target

    size = config.batch_size * POOL_BATCHES
    pools = ([draw() for _ in range(size)] for _ in repeat(None))
    ask = asking("encoder_decoder", world().tokenizer, rng)
    return batches(pools, config.batch_size, ask, rng)


def judged_on(sources: str) -> Batch:
    """The held-out pairs; in the control each translation with the next pair's source."""
    batch = held_out().batch
    if sources == "own":
        return batch
    return replace(
        batch,
        context=batch.context.roll(1, dims=0),
        context_padding_mask=batch.context_padding_mask.roll(1, dims=0),
    )


@lru_cache(maxsize=1)
def floors() -> Floors:
    """Both floors on the held-out pairs. A translation begins with `<|bos|> <|zh|>`, which costs nothing."""
    pairs = held_out().pairs
    own = world().translation_floor((pair.source, pair.target) for pair in pairs)
    alone = [world("passages").sequence_nats(pair.target)[1:] for pair in pairs]
    return Floors(own.nats_per_token, sum(map(sum, alone)) / own.tokens)


# ----- several seeds, with the control: what is recorded


@lab_config
class StudyConfig:
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 1500
    look_every: int = 50

    def __post_init__(self):
        if not self.seeds:
            raise LabInputError("seeds", self.seeds, "not_empty")


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Equal runs that differ in their seed, with their own sources and with shuffled ones."""

    steps: np.ndarray  # (M,)
    validation_nats: dict[str, np.ndarray]  # {"own": (R, M), "shuffled": (R, M)}
    mass: dict[
        str, np.ndarray
    ]  # (R, M) attention on true sources, mean over the last layer's heads
    hits: dict[str, np.ndarray]  # (R, M) words found by the mean of the last layer's heads
    first: AlignmentResult  # the first seed with its own sources, to walk back through
    seconds: float  # of all runs


def study(config: StudyConfig) -> Study:
    runs = {
        sources: [
            run(AlignmentConfig(sources, steps=config.steps, look_every=config.look_every, seed=s))
            for s in config.seeds
        ]
        for sources in SOURCES
    }

    def over_runs(measure) -> dict[str, np.ndarray]:
        return {
            sources: np.array(
                [[measure(look) for look in result.looks] for result in results], np.float32
            )
            for sources, results in runs.items()
        }

    return Study(
        steps=np.array([look.step for look in runs["own"][0].looks]),
        validation_nats=over_runs(lambda look: look.validation_nats),
        mass=over_runs(lambda look: look.alignment.mass[-1].mean()),
        hits=over_runs(lambda look: look.alignment.joint_hits[-1]),
        first=runs["own"][0],
        seconds=sum(result.seconds for results in runs.values() for result in results),
    )
