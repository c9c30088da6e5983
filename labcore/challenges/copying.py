"""Fewest parameters that still copy: the task of the induction lab, with the width set free.

A row of random tokens repeats after a period of its own; a model that looks up where the present token
stood before knows what comes next. The learner hands in an architecture and not a model: it is trained
here, so there is nothing to believe. Rows, vocabulary and exam are those of `labcore.architecture.induction`.
"""

from collections.abc import Generator
from dataclasses import dataclass

import torch

from labcore.architecture import induction
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train

PASS_SHARE = 0.9  # of the targets that a reader can know must be right
LOOKS = 20  # in the course of a run

CHOICES: dict[str, tuple] = {
    "num_layers": (1, 2, 3),
    "num_heads": (1, 2, 4),
    "hidden_size": (8, 16, 24, 32, 48, 64),
    "positions": ("rope", "alibi", "t5", "learned", "sinusoidal", "none"),
    "learning_rate": (0.001, 0.003, 0.01, 0.03),
}
LIMITS: dict[str, tuple[float, float]] = {"steps": (50, 1000), "seed": (0, 9999)}


@lab_config
class CopyingConfig:
    num_layers: int = 2
    num_heads: int = 1  # in each layer; they share the width
    hidden_size: int = 64
    positions: str = "rope"
    tied: bool = False  # one table for reading and for writing
    learning_rate: float = 3e-3  # constant
    steps: int = 500
    seed: int = 0

    def __post_init__(self):
        check_choices(self, CHOICES)
        check_limits(self, LIMITS)
        self.model()  # its own rules, told before the run starts

    @property
    def periods(self) -> range:
        return induction.PERIODS

    def model(self) -> ModelConfig:
        return ModelConfig(
            vocab_size=len(induction.VOCABULARY), hidden_size=self.hidden_size,
            num_layers=self.num_layers, num_heads=self.num_heads, positions=self.positions,
            max_positions=2 * induction.LENGTH, intermediate_size=0, tie_embeddings=self.tied,
        )  # fmt: skip

    def training(self) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=induction.BATCH_SIZE, learning_rate=self.learning_rate,
            schedule="constant", warmup_steps=0, eval_every=0,
            snapshot_every=max(5, self.steps // LOOKS), seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CopyingLook:
    """One event: the share of knowable targets that the model hits after `step` updates."""

    step: int
    share: float  # of the run done
    accuracy: float


@dataclass(frozen=True, slots=True)
class CopyingResult:
    parameters: int
    accuracy: float

    @property
    def passes(self) -> bool:
        return self.accuracy >= PASS_SHARE


def run(config: CopyingConfig) -> CopyingResult:
    return drain(learn_to_copy(config))


def learn_to_copy(config: CopyingConfig) -> Generator[CopyingLook, None, CopyingResult]:
    """Train what was handed in, and look at it on the way."""
    model = Transformer(config.model(), torch.Generator().manual_seed(config.seed))
    exam = induction.exam(config.periods)
    course = train(
        model, induction.batches(config), config.training(),
        snapshot=lambda model, step: accuracy(model, exam),
    )  # fmt: skip
    for made in course:
        if made.snapshot is not None:
            yield CopyingLook(made.step, made.step / config.steps, made.snapshot)
    return CopyingResult(sum(w.numel() for w in model.parameters()), accuracy(model, exam))


@torch.no_grad()
def accuracy(model: Transformer, exam: induction.Exam) -> float:
    """Share of the targets that a reader can know which the model's likeliest token hits."""
    model.eval()
    right = model(exam.tokens[:, :-1]).logits.argmax(dim=-1) == exam.tokens[:, 1:]
    return float(right[exam.known].double().mean())
