"""Teaching the language model to read pictures, and the exam that says whether it looks.

Two controls stand beside every mark. A blank sheet instead of the picture: what is then right was guessed
from the words alone. Another picture of the same exam: what is then right was said of any picture.

Axes: M pictures of an exam, R looks.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.training import optimiser as optimisers
from labcore.training.loop import TrainConfig
from labcore.vision.captions import LANGUAGES
from labcore.vision.looking import bundled_pair
from labcore.vision.pair_model import as_tensor
from labcore.vision.picture_reader import MODES, PictureReader, answered, reading_loss, rows_of
from labcore.vision.pictures import ALONE, SIDE, draw_scenes, paint
from labcore.vision.tellable import TASKS, draw_told, told

EXAM_SIZE = 100
CONTROLS = ("picture", "blank", "other")
LOOK_EVERY = 50
TEST_SEED = 1_000_003
RATES = {"frozen": 4e-3, "lora": 4e-3, "full": 2e-3}


@lab_config
class ReaderConfig:
    mode: str = "full"  # what of the language model is trained beside the projector
    steps: int = 150
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"mode": MODES})
        check_limits(self, {"steps": (1, 5000), "batch_size": (1, 64), "seed": (0, 2**31)})


@dataclass(frozen=True, slots=True, eq=False)
class ReaderLook:
    step: int
    loss_nats: float
    right: np.ndarray  # (2, 3): seen or not, by TASKS
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class ReaderTrained:
    mode: str
    steps: np.ndarray  # (R,)
    losses: np.ndarray  # (N,) of every update, nats
    right: np.ndarray  # (R, 2, 3)
    controls: np.ndarray  # (2, 3, 3) at the end: seen or not, by CONTROLS, by TASKS
    trained: int  # weights that were trained
    seconds: float


class ReaderExam:
    """Pictures of combinations seen and not seen, asked for everything, in both languages by turns."""

    def __init__(self, reader: PictureReader, size: int = EXAM_SIZE, seed: int = TEST_SEED):
        rng = np.random.default_rng(seed)
        self.parts = []
        for held_out in (False, True):
            scenes = draw_scenes(size, rng, held_out)
            pictures = as_tensor(paint(scenes, rng))
            which = rng.integers(0, 2, size) * (scenes.relations != ALONE)
            rows = [
                rows_of(
                    reader.tokenizer,
                    [
                        told(scenes, at, LANGUAGES[at % 2], task, int(which[at]))
                        for at in range(size)
                    ],
                )
                for task in TASKS
            ]
            self.parts.append((pictures, rows))

    @torch.no_grad()
    def mark(self, reader: PictureReader, control: str = "picture") -> np.ndarray:
        """-> (2, 3) shares of right answers: seen or not, by task"""
        marks = np.zeros((2, len(TASKS)))
        for part, (pictures, rows) in enumerate(self.parts):
            if control == "blank":
                pictures = torch.full((1, SIDE, SIDE, 3), 0.93)
            soft = reader.soft_words(pictures)
            if control == "other":
                soft = soft.roll(1, dims=0)
            for task in range(len(TASKS)):
                marks[part, task] = float(answered(reader, rows[task], soft).double().mean())
        return marks


def learn(config: ReaderConfig) -> Generator[ReaderLook, None, ReaderTrained]:
    generator = torch.Generator().manual_seed(config.seed)
    reader = PictureReader(bundled_pair().eye, config.mode, generator)
    return (yield from train(reader, config))


def train(
    reader: PictureReader, config: ReaderConfig, every: int = LOOK_EVERY
) -> Generator[ReaderLook, None, ReaderTrained]:
    started = time.perf_counter()
    rng, exam = np.random.default_rng(config.seed), ReaderExam(reader)
    rate = RATES[config.mode]
    schedule = TrainConfig(config.steps, learning_rate=rate, warmup_steps=40, final_share=0.05)
    optimiser = optimisers.adamw(reader, rate, 0.05, (0.9, 0.95))
    losses, looks = [], []
    for step in range(1, config.steps + 1):
        scenes = draw_scenes(config.batch_size, rng)
        soft = reader.soft_words(as_tensor(paint(scenes, rng)))
        loss = reading_loss(reader, rows_of(reader.tokenizer, draw_told(scenes, rng)), soft)
        optimiser.zero_grad()
        loss.backward()
        optimisers.set_learning_rate(optimiser, schedule.learning_rate_at(step))
        optimisers.clip_gradients(reader, 1.0)
        optimiser.step()
        losses.append(loss.item())
        if step == 1 or step % every == 0 or step == config.steps:
            looks.append(ReaderLook(step, losses[-1], exam.mark(reader), step / config.steps))
            yield looks[-1]
    return ReaderTrained(
        config.mode, np.array([one.step for one in looks]), np.array(losses),
        np.stack([one.right for one in looks]),
        np.stack([exam.mark(reader, control) for control in CONTROLS], axis=1),
        sum(weight.numel() for weight in reader.trained().values()),
        time.perf_counter() - started,
    )  # fmt: skip
