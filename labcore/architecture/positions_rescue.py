"""RoPE read beyond its training: the angles stretched, and then a little more training.

A pair of channels that turned slowly has shown only a part of its circle in training; further out come
angles that no weight has met. Three remedies change the frequencies and no weight: linear interpolation
(arXiv:2306.15595), the NTK-aware base, and YaRN (arXiv:2309.00071).

Axes: R seeds, C cures ("none" is the control), N context lengths, P pairs.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.positions_length import (
    LENGTHS,
    TRAINED_LENGTH,
    LengthConfig,
    build,
    floor,
    loss_at,
)
from labcore.architecture.positions_text import Letters, letters, random_windows
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import RopeScaling
from labcore.model.positions import scaled_frequencies
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train

CURES = ("none", "linear", "ntk", "yarn")
LONG_LENGTH = 256  # of the extra training: four times as long as before
LONG_BATCH = 8  # windows per step, so that a step sees as many letters as before
LONG_RATE = 1e-3
SECONDS = {"train": 10.0, "tune": 0.055, "judge": 2.0}  # about; they divide the progress bar alone


@lab_config
class RescueConfig:
    seeds: tuple[int, ...] = (0,)
    steps: int = 250  # on short windows, as in the comparison of all encodings
    extra_steps: int = 50  # on long ones, for each cure; 0: none
    language: str = "en"

    def __post_init__(self):
        if not 0 <= self.extra_steps <= 500:
            raise LabInputError("extra_steps", self.extra_steps, "between", low=0, high=500)
        self.short()

    def short(self) -> LengthConfig:
        """The training on 64 letters."""
        return LengthConfig(("rope",), self.seeds, self.steps, language=self.language)

    def long(self, seed: int) -> TrainConfig:
        return TrainConfig(
            steps=self.extra_steps,
            batch_size=LONG_BATCH,
            learning_rate=LONG_RATE,
            warmup_steps=5,
            eval_every=0,
            seed=seed,
        )


RECORDED = RescueConfig(seeds=(0, 1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One event: some steps of training, or one cure judged at all lengths."""

    stage: str  # "train", "judge", "tune"
    cure: str
    share: float  # of the whole run done, 0 to 1
    nats: np.ndarray | None = None  # (N,)
    tuned: bool = False  # after extra training


@dataclass(frozen=True, slots=True, eq=False)
class RescueResult:
    cures: list[str]
    seeds: list[int]
    lengths: np.ndarray  # (N,)
    nats: np.ndarray  # (R, C, N) float32, per letter: the same weights, other angles
    tuned_nats: np.ndarray | None  # (R, C, N) float32, after extra training at 256
    floor_nats: float
    seconds: float


def run(config: RescueConfig) -> RescueResult:
    return drain(rescue(config))


def rescue(config: RescueConfig) -> Generator[Progress, None, RescueResult]:
    """Train RoPE on short windows; judge it with each cure, as it is and after some long windows."""
    started, text, meter = time.perf_counter(), letters(config.language), Meter(config)
    plain, tuned = [], []
    for seed in config.seeds:
        short = config.short()
        model = build(short, "rope", seed)
        batches = random_windows(text.train, TRAINED_LENGTH, short.batch_size, seed)
        for _ in train(model, batches, short.training(seed)):
            yield Progress("train", "none", meter.add("train", 1 / config.steps))
        weights = model.state_dict()
        for cure in CURES:
            plain.append(judged(model, text, cure))
            yield Progress("judge", cure, meter.add("judge"), plain[-1])
        for cure in CURES if config.extra_steps else ():
            longer = with_cure(weights, model, cure, LONG_LENGTH, copy=True)
            batches = random_windows(text.train, LONG_LENGTH, LONG_BATCH, seed)
            for _ in train(longer, batches, config.long(seed)):
                yield Progress("tune", cure, meter.add("tune"))
            tuned.append(np.array([loss_at(longer, text, length) for length in LENGTHS]))
            yield Progress("judge", cure, meter.add("judge"), tuned[-1], tuned=True)
    shape = (len(config.seeds), len(CURES), len(LENGTHS))
    return RescueResult(
        cures=list(CURES),
        seeds=list(config.seeds),
        lengths=np.array(LENGTHS),
        nats=np.array(plain, np.float32).reshape(shape),
        tuned_nats=np.array(tuned, np.float32).reshape(shape) if tuned else None,
        floor_nats=floor(text),
        seconds=time.perf_counter() - started,
    )


def stretched(cure: str, length: int) -> RopeScaling | None:
    """The scaling for a text of `length`: its angles end about where those of 64 letters ended.

    "dynamic" looks at the text's length itself, so its own factor stays 1.
    """
    if cure == "none" or length <= TRAINED_LENGTH:
        return None
    if cure == "ntk":
        return RopeScaling("dynamic", 1.0, TRAINED_LENGTH)
    return RopeScaling(cure, length / TRAINED_LENGTH, TRAINED_LENGTH)


def with_cure(
    weights: dict[str, torch.Tensor], model: Transformer, cure: str, length: int, copy: bool = False
) -> Transformer:
    """The same weights under stretched angles; a copy may be trained further."""
    config = model.config.with_(rope_scaling=stretched(cure, length))
    if not copy:
        return Transformer(config, weights=weights)
    own = {name: weight.detach().clone() for name, weight in weights.items()}
    return Transformer(config, weights=own).requires_grad_(True)


def judged(model: Transformer, text: Letters, cure: str) -> np.ndarray:
    """Loss at each length, the angles stretched anew for each.  -> (N,)"""
    weights = model.state_dict()
    return np.array(
        [loss_at(with_cure(weights, model, cure, length), text, length) for length in LENGTHS]
    )


def turns(theta: float, width: int, length: int) -> dict[str, np.ndarray]:
    """How often each pair of channels goes round over `length` tokens, under each cure.  {cure: (P,)}"""
    found = {}
    for cure in CURES:
        frequencies, _ = scaled_frequencies(width, theta, stretched(cure, length), length)
        found[cure] = (length * frequencies / (2 * torch.pi)).numpy()
    return found


class Meter:
    """How much of the run is done, from what each part of it takes."""

    def __init__(self, config: RescueConfig):
        judged = len(CURES) * (2 if config.extra_steps else 1)
        tuned = len(CURES) * config.extra_steps
        once = SECONDS["train"] + judged * SECONDS["judge"] + tuned * SECONDS["tune"]
        self.whole, self.done = once * len(config.seeds), 0.0

    def add(self, part: str, times: float = 1.0) -> float:
        self.done += times * SECONDS[part]
        return min(1.0, self.done / self.whole)
