"""Contrastive training: of all captions in a batch, which one belongs to this picture?

Nothing tells the towers what red or left is. They only learn that pairs belong together, and that what else
is in the batch does not: they learn to tell apart what a batch makes them tell apart. A batch of scenes by
chance hardly ever holds the same words in another order; hard negatives put them there.

Sources: Radford et al., arXiv:2103.00020 (CLIP); Yuksekgonul et al., arXiv:2210.01936 (hard negatives).
Axes: B pairs, H hard negatives, R looks, S pictures of a matrix.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.frontier.contrastive import contrastive_loss, similarity
from labcore.training import optimiser as optimisers
from labcore.training.loop import TrainConfig
from labcore.vision.captions import LANGUAGES, caption, join
from labcore.vision.pair_exam import Exam, Marks, cosines, exam, mark, matrix_set
from labcore.vision.pair_model import READERS, Pair, as_tensor, caption_rows
from labcore.vision.pictures import (
    ALONE,
    SINGLES,
    Scenes,
    all_scenes,
    foil,
    paint,
    stacked,
)

NEGATIVES = ("random", "hard")
LOOK_EVERY = 50
TEST_SEED = 1_000_003  # of the exams: the same for every run


@lab_config
class PairConfig:
    reader: str = "transformer"  # or "bag": the words without their order
    negatives: str = "random"  # "hard": beside each caption, its words in two wrong orders
    batch_size: int = 64
    temperature: float = 0.07  # where it begins, or where it stays
    learned: bool = True  # whether the temperature is trained
    steps: int = 700
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"reader": READERS, "negatives": NEGATIVES})
        check_limits(self, {"batch_size": (4, 128), "temperature": (0.01, 2.0), "steps": (1, 5000)})
        check_limits(self, {"learning_rate": (1e-6, 1.0), "seed": (0, 2**31)})


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    step: int
    loss: float
    temperature: float
    seen: Marks
    held_out: Marks
    matrices: np.ndarray  # (2, S, S) cosines: of seen combinations, of others
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    steps: np.ndarray  # (R,)
    losses: np.ndarray  # (N,) of every update
    temperatures: np.ndarray  # (R,)
    found: np.ndarray  # (2, R, 2) seen, others; captions by picture, pictures by caption
    won: np.ndarray  # (2, R, 3) by FOILS
    tied: np.ndarray  # (2, R, 3)
    matrices: np.ndarray  # (R, 2, S, S)
    pictures: np.ndarray  # (2, S, P, P, 3) uint8, of the matrices
    captions: dict[str, list[list[str]]]  # by language: of both matrices
    seconds: float


def with_hard_negatives(cosines: Tensor, temperature: float | Tensor) -> Tensor:
    """CLIP's loss with more captions than pictures: the first B belong to them, the others to nobody.

    (B, B + H) -> (). A picture chooses among all captions, a caption among the pictures.
    """
    logits = cosines / temperature
    right = torch.arange(len(logits))
    own = logits[:, : len(logits)]
    return (F.cross_entropy(logits, right) + F.cross_entropy(own.T, right)) / 2


def draw_batch(pool: Scenes, size: int, rng: np.random.Generator) -> Scenes:
    """Different scenes by chance: no caption of a batch is true of two of its pictures."""
    alone = pool.relations == ALONE
    weight = np.where(alone, SINGLES / alone.sum(), (1 - SINGLES) / (~alone).sum())
    return pool[rng.choice(len(pool), size, replace=False, p=weight)]


def batch_loss(pair: Pair, scenes: Scenes, hard: bool, rng: np.random.Generator) -> Tensor:
    """One batch: pictures painted afresh, each caption in one of the languages."""
    spoken = [LANGUAGES[one] for one in rng.integers(0, len(LANGUAGES), len(scenes))]
    seen = pair.see(as_tensor(paint(scenes, rng)))
    if not hard:
        read = pair.read(caption_rows(scenes, spoken))
        return contrastive_loss(similarity(seen, read), pair.temperature)
    twos = np.flatnonzero(scenes.relations != ALONE)  # of one thing there is no other order
    false = [foil(scenes[twos], kind) for kind in ("order", "binding")]
    told = stacked(scenes, stacked(*false))
    words = [*spoken, *(spoken[at] for at in (*twos, *twos))]
    read = pair.read(caption_rows(told, words))
    return with_hard_negatives(similarity(seen, read), pair.temperature)


def learn(config: PairConfig) -> Generator[Look, None, Trained]:
    """Train both towers, and look every now and then."""
    pair = Pair(
        config.reader, config.temperature, config.learned,
        torch.Generator().manual_seed(config.seed),
    )  # fmt: skip
    return (yield from train(pair, config))


def train(
    pair: Pair, config: PairConfig, every: int = LOOK_EVERY
) -> Generator[Look, None, Trained]:
    started = time.perf_counter()
    rng = np.random.default_rng(config.seed)
    pool, hard = all_scenes(held_out=False), config.negatives == "hard"
    exams = [exam(held_out, TEST_SEED) for held_out in (False, True)]
    shown = [matrix_set(held_out, TEST_SEED) for held_out in (False, True)]
    schedule = TrainConfig(config.steps, learning_rate=config.learning_rate, final_share=0.05)
    optimiser = optimisers.adamw(pair, config.learning_rate, 0.05, (0.9, 0.95))
    losses, looks = [], []
    for step in range(1, config.steps + 1):
        loss = batch_loss(pair, draw_batch(pool, config.batch_size, rng), hard, rng)
        optimiser.zero_grad()
        loss.backward()
        optimisers.set_learning_rate(optimiser, schedule.learning_rate_at(step))
        optimisers.clip_gradients(pair, 1.0)
        optimiser.step()
        losses.append(loss.item())
        if step == 1 or step % every == 0 or step == config.steps:
            looks.append(look(pair.eval(), step, losses[-1], exams, shown, step / config.steps))
            pair.train()
            yield looks[-1]
    return result(looks, losses, shown, time.perf_counter() - started)


def look(
    pair: Pair, step: int, loss: float, exams: list[Exam], shown: list[Exam], share: float
) -> Look:
    matrices = np.stack([cosines(pair, one, "en").numpy() for one in shown])
    return Look(
        step,
        loss,
        pair.temperature.item(),
        mark(pair, exams[0]),
        mark(pair, exams[1]),
        matrices,
        share,
    )


def result(looks: list[Look], losses: list[float], shown: list[Exam], seconds: float) -> Trained:
    def course(name: str) -> np.ndarray:
        return np.array(
            [[getattr(getattr(one, part), name) for one in looks] for part in ("seen", "held_out")]
        )

    return Trained(
        np.array([one.step for one in looks]), np.array(losses),
        np.array([one.temperature for one in looks]),
        course("found"), course("won"), course("tied"),
        np.stack([one.matrices for one in looks]),
        np.stack([(255 * one.pictures).round().astype(np.uint8) for one in shown]),
        {
            language: [
                [join(caption(one.scenes, at, language), language) for at in range(len(one.scenes))]
                for one in shown
            ]
            for language in LANGUAGES
        },
        seconds,
    )  # fmt: skip
