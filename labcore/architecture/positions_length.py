"""Six positional encodings trained on short texts and asked to read long ones.

The same model, the same stories, the same steps; only the encoding differs. Every model is trained on
windows of 64 letters. Then it continues the same 1,024 held-out letters with 64, 128, … 1,024 letters
before them: more context holds all that less context held, so a reader who can use it never does worse.

Axes: R seeds, E encodings, N context lengths, K steps, H heads, D width.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.positions_text import (
    Letters,
    letters,
    random_windows,
    windows,
    world_of_letters,
)
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.positions import t5_bucket
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import token_losses

ENCODINGS = ("rope", "alibi", "t5", "none", "sinusoidal", "learned")
TRAINED_LENGTH = 64
LENGTHS = (64, 96, 128, 256, 512, 1024)
JUDGED = 32  # the last letters of a window, which count
WINDOWS = 32  # at each length
AT_ONCE = 8  # windows in one pass: attention of 1,024 letters needs 4·1024² numbers each
TRAINING_SHARE = 0.8  # of the time for one encoding; the rest is judging
# T5 trains on 512 tokens with 32 buckets up to distance 128; here everything is smaller.
T5_BUCKETS, T5_MAX_DISTANCE = 16, 32
REACH = 96  # distances and places kept of the learned tables: half as far again as trained


@lab_config
class LengthConfig:
    """The defaults take some forty seconds of one core."""

    encodings: tuple[str, ...] = ("rope", "alibi", "learned")
    seeds: tuple[int, ...] = (0,)  # of the weights and of the windows' order
    steps: int = 250
    batch_size: int = 32  # windows per step
    hidden_size: int = 64
    learning_rate: float = 6e-3  # the highest of the schedule
    language: str = "en"
    scale_embeddings: bool = True  # beside sinusoids, times √D; False: as small as they are drawn

    def __post_init__(self):
        if not self.encodings:
            raise LabInputError("encodings", self.encodings, "choose_one")
        for name in self.encodings:
            if name not in ENCODINGS:
                raise LabInputError("encodings", name, "known_choice", allowed=ENCODINGS)
        if not self.seeds:
            raise LabInputError("seeds", self.seeds, "choose_one")
        if not 1 <= self.steps <= 2000:
            raise LabInputError("steps", self.steps, "between", low=1, high=2000)
        self.model("rope"), self.training(0)  # their own rules, told before the run starts

    def model(self, encoding: str) -> ModelConfig:
        """Learned positions get a row for every place asked for, so that they can be asked at all; the rows
        beyond the trained length stay as they were drawn."""
        return ModelConfig(
            vocab_size=world_of_letters().tokenizer.vocab_size,
            hidden_size=self.hidden_size,
            positions=encoding,
            max_positions=max(LENGTHS),
            embedding_scale=None if self.scale_embeddings else 1.0,
            t5_buckets=T5_BUCKETS,
            t5_max_distance=T5_MAX_DISTANCE,
        )

    def training(self, seed: int) -> TrainConfig:
        return TrainConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            eval_every=0,
            seed=seed,
        )


# What comes with the lab: everything, three times, so that luck can be told from the encoding.
RECORDED = LengthConfig(ENCODINGS, seeds=(0, 1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One event: a training step, or one length judged."""

    encoding: str
    seed: int
    step: int
    share: float  # of the whole run done, 0 to 1
    loss_nats: float  # of the step's own batch
    length: int | None = None  # judged just now
    nats: float | None = None  # at this length


@dataclass(frozen=True, slots=True, eq=False)
class LengthResult:
    encodings: list[str]
    seeds: list[int]
    lengths: np.ndarray  # (N,) letters of context
    nats: np.ndarray  # (R, E, N) float32, per letter
    floor_nats: float  # lowest possible on these letters, all of their story being known
    train_nats: np.ndarray  # (R, E, K) float32, of each step's batch; NaN after a divergence
    parameters: int  # of the model without positions
    t5_bias: np.ndarray | None  # (H, REACH) float32: the trained bias at distance 0, 1, …
    learned_rows: np.ndarray | None  # (REACH, D) float32; rows beyond 63 were never trained
    seconds: float


def run(config: LengthConfig) -> LengthResult:
    return drain(compare(config))


def compare(config: LengthConfig) -> Generator[Progress, None, LengthResult]:
    """Train a model per encoding and seed on short windows, then let it read long ones."""
    started = time.perf_counter()
    text = letters(config.language)
    runs = [(seed, encoding) for seed in config.seeds for encoding in config.encodings]
    curves, losses, tables = [], [], {}
    for number, (seed, encoding) in enumerate(runs):
        model = build(config, encoding, seed)
        batches = random_windows(text.train, TRAINED_LENGTH, config.batch_size, seed)
        made = []
        for step in train(model, batches, config.training(seed)):
            made.append(step.loss_nats)
            share = (number + TRAINING_SHARE * step.share) / len(runs)
            yield Progress(encoding, seed, step.step, share, step.loss_nats)
        curve = []
        for place, length in enumerate(LENGTHS, start=1):
            curve.append(loss_at(model, text, length))
            judged = TRAINING_SHARE + (1 - TRAINING_SHARE) * place / len(LENGTHS)
            share = (number + judged) / len(runs)
            yield Progress(encoding, seed, len(made), share, made[-1], length, curve[-1])
        curves.append(curve)
        losses.append(made + [np.nan] * (config.steps - len(made)))
        tables.setdefault(encoding, model)
    shape = (len(config.seeds), len(config.encodings), -1)
    return LengthResult(
        encodings=list(config.encodings),
        seeds=list(config.seeds),
        lengths=np.array(LENGTHS),
        nats=np.array(curves, np.float32).reshape(shape),
        floor_nats=floor(text),
        train_nats=np.array(losses, np.float32).reshape(shape),
        parameters=sum(w.numel() for w in build(config, "none", 0).parameters()),
        t5_bias=trained_bias(tables["t5"]) if "t5" in tables else None,
        learned_rows=trained_rows(tables["learned"]) if "learned" in tables else None,
        seconds=time.perf_counter() - started,
    )


def build(config: LengthConfig, encoding: str, seed: int) -> Transformer:
    """The untrained model; the seed alone decides its weights."""
    return Transformer(config.model(encoding), torch.Generator().manual_seed(seed))


@torch.no_grad()
def loss_at(model: Transformer, text: Letters, length: int) -> float:
    """Nats per letter on the last letters of held-out windows of this length.

    subtle: windows of every length end at the same places, so that all lengths are judged on the very same
    letters; otherwise the difference between easy and hard letters would be in the curve.
    """
    model.eval()
    total = 0.0
    for some in ends(text).split(AT_ONCE):
        losses, _ = token_losses(model, windows(text.held_out, some, length))  # (B, T)
        total += float(losses[:, -JUDGED:].double().sum())
    return total / (WINDOWS * JUDGED)


def ends(text: Letters) -> torch.Tensor:
    """Where the judged windows end: spread evenly, the first with room for the longest window.  (WINDOWS,)"""
    return torch.linspace(max(LENGTHS), len(text.held_out) - 1, WINDOWS).long()


def floor(text: Letters) -> float:
    """What the judged letters cost on average a reader who knows the rules and the story so far.

    It holds at every length: a window that begins in the middle of a story tells less, never more.
    """
    judged = ends(text)[:, None] - torch.arange(JUDGED)
    return float(text.held_out_nats[judged.numpy()].mean())


def trained_bias(model: Transformer) -> np.ndarray:
    """What T5's table adds to a score at distance 0, 1, …  -> (H, REACH)"""
    config, distance = model.config, torch.arange(REACH)
    bucket = t5_bucket(-distance, config.t5_buckets, config.t5_max_distance, bidirectional=False)
    return model.stack.relative_bias(bucket).T.detach().numpy().astype(np.float32)


def trained_rows(model: Transformer) -> np.ndarray:
    """The learned table, trained rows and some that no window ever reached.  -> (REACH, D)"""
    return model.stack.position_embedding.weight[:REACH].detach().numpy().astype(np.float32)


def similarity(rows: np.ndarray) -> np.ndarray:
    """Cosine of every two rows.  (N, D) -> (N, N), from -1 to 1"""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit.T


def ranking(result: LengthResult, length: int) -> Sequence[str]:
    """The encodings, lowest mean loss at this length first."""
    mean = result.nats[:, :, list(result.lengths).index(length)].mean(axis=0)  # (E,)
    return [result.encodings[place] for place in np.argsort(mean)]
