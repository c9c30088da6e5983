"""One student, three upbringings: by a teacher, alone in as many steps, alone with as much computing.

The teacher knows English passages of the micro-world almost as well as they can be known. The student has a
tenth of its weights and reads few passages, so that what it could learn alone is soon learnt by heart.
All three students begin with the same weights and read the same passages in the same order.

Axes: B batch, T position, V vocabulary, D width of the teacher, d of the student, H heads.
"""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from labcore.compression.distillation import (
    DIRECTIONS,
    attention_loss,
    distillation_loss,
    hidden_loss,
    mixed_loss,
)
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.counting import flops_total
from labcore.model.transformer import Output, Transformer
from labcore.pretraining.small_world import PAD, endless_batches, floor_nats
from labcore.training.checkpoints import weights_of
from labcore.training.loop import TrainConfig
from labcore.training.objectives import IGNORE, Batch, causal_batch, held_out_loss
from labcore.training.optimiser import clip_gradients, set_learning_rate
from labcore.tuning import teller

MATCHES = ("logits", "hidden", "attention", "all")
STUDENTS = ("distilled", "alone", "compute")
KEPT = ("distilled", "alone")  # whose weights a result brings home
LIMITS = {
    "temperature": (0.5, 16.0), "weight": (0.0, 1.0), "passages": (50, teller.TOLD), "steps": (20, 600),
}  # fmt: skip
STUDENT = ModelConfig(
    vocab_size=teller.CONFIG.vocab_size, hidden_size=24, num_layers=1, num_heads=4,
    intermediate_size=64, norm="rmsnorm", activation="swiglu",
)  # fmt: skip
BATCH, RATE = 32, 1e-2
LENGTH = 15  # tokens of a typical passage, for counting
LOOKS = 12
HIDDEN_WEIGHT, ATTENTION_WEIGHT = 1.0, 1.0
STUDENT_ATTENTION, TEACHER_ATTENTION = (
    f"layers.{config.num_layers - 1}.attn.weights" for config in (STUDENT, teller.CONFIG)
)


@lab_config
class DistilConfig:
    temperature: float = 1.0
    weight: float = 1.0  # the teacher's share of the loss; the rest is the token that came
    direction: str = "forward"
    match: str = "logits"  # what is matched beside the logits
    passages: int = 500  # that the student reads, again and again
    steps: int = 300
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"direction": DIRECTIONS, "match": MATCHES})
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Look:
    """A student after `step` updates. Losses are nats per token."""

    student: str
    step: int
    share: float  # of the whole run done
    gflop: float  # spent so far, the teacher's forward passes included
    nats: float  # on held-out passages
    own_nats: float  # on the passages that it reads
    divergence_nats: float  # KL(teacher ‖ student) per held-out token
    agreement: float  # share of held-out places where both find the same token likeliest


@dataclass(frozen=True, slots=True, eq=False)
class DistilResult:
    looks: list[Look]
    teacher_nats: float
    floor_nats: float
    kept_gflop: float  # what the distilled student would cost if the teacher read each passage once
    weights: dict[str, dict[str, np.ndarray]]  # of "distilled" and "alone", in 16 bits
    seconds: float

    def of(self, student: str) -> list[Look]:
        return [look for look in self.looks if look.student == student]


def run(config: DistilConfig) -> DistilResult:
    return drain(distil(config))


def distil(
    config: DistilConfig, students: Sequence[str] = STUDENTS
) -> Generator[Look, None, DistilResult]:
    """The students, one after the other."""
    started = time.perf_counter()
    teacher = teller.load_teller().eval().requires_grad_(False)
    rows = teller.rows(teller.training_passages()[: config.passages])
    exam = Exam(teacher, rows[:200])
    lengths = {name: steps_of(name, config.steps) for name in students}
    looks, done, weights = [], 0, {}
    for name, steps in lengths.items():
        student = new_student(config.seed)
        taught_by = teacher if name == "distilled" else None
        for step in bring_up(config, student, taught_by, rows, steps):
            if step % math.ceil(steps / LOOKS) == 0 or step == steps:
                share = (done + step) / sum(lengths.values())
                spent = step * step_flops(taught_by is not None) / 1e9
                looks.append(Look(name, step, share, spent, *exam.marks(student)))
                yield looks[-1]
        done += steps
        if name in KEPT:
            kept = weights_of(student).items()
            weights[name] = {path: weight.half().numpy() for path, weight in kept}
    floor = floor_nats(teller.held_out_passages())
    return DistilResult(
        looks, exam.teacher_nats, floor, kept_flops(config) / 1e9, weights,
        time.perf_counter() - started,
    )  # fmt: skip


def new_student(seed: int) -> Transformer:
    return Transformer(STUDENT, torch.Generator().manual_seed(seed))


# The idea.


def lesson(
    config: DistilConfig, student: Output, teacher: Output, batch: Batch, projection: nn.Linear
) -> Tensor:
    """What a taught student minimises.  -> ()"""
    asked = batch.targets != IGNORE  # (B, T)
    loss = mixed_loss(
        student.logits[asked], teacher.logits[asked], batch.targets[asked],
        config.weight, config.temperature, config.direction,
    )  # fmt: skip
    if config.match in ("hidden", "all"):
        loss = loss + HIDDEN_WEIGHT * hidden_loss(
            student.hidden[asked], teacher.hidden[asked], projection
        )
    if config.match in ("attention", "all"):
        loss = loss + ATTENTION_WEIGHT * attention_loss(
            student.trace[STUDENT_ATTENTION], teacher.trace[TEACHER_ATTENTION]
        )
    return loss


def bring_up(
    config: DistilConfig, student: Transformer, teacher: Transformer | None,
    rows: Sequence[Sequence[int]], steps: int,
) -> Iterator[int]:  # fmt: skip
    """Train `student` in place; gives the number of each update made. Without a teacher: plain training."""
    generator = torch.Generator().manual_seed(config.seed)
    projection = new_projection(config.seed)
    weights = [*student.parameters(), *(projection.parameters() if teacher else ())]
    optimiser = torch.optim.AdamW(weights, weight_decay=0.05, betas=(0.9, 0.95))
    plan = TrainConfig(steps=steps, learning_rate=RATE, warmup_steps=20, final_share=0.02)
    traced = teacher is not None and config.match in ("attention", "all")
    batches = endless_batches(rows, BATCH, generator)
    for step in range(1, steps + 1):
        batch = next(batches)
        said = student(batch.tokens, trace=traced)
        if teacher is None:
            loss = nn.functional.cross_entropy(
                said.logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORE
            )
        else:
            with torch.no_grad():
                told = teacher(batch.tokens, trace=traced)
            loss = lesson(config, said, told, batch, projection)
        optimiser.zero_grad()
        loss.backward()
        clip_gradients(student, 1.0)
        set_learning_rate(optimiser, plan.learning_rate_at(step))
        optimiser.step()
        yield step


def new_projection(seed: int) -> nn.Linear:
    """d -> D, drawn from a generator of its own."""
    projection = nn.Linear(
        STUDENT.hidden_size, teller.CONFIG.hidden_size, bias=False, device="meta"
    )
    projection.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    nn.init.normal_(projection.weight, std=STUDENT.hidden_size**-0.5, generator=generator)
    return projection


# What it costs: a backward pass is two forward passes; the teacher goes forward only.


def forward_flops(config: ModelConfig) -> int:
    """Of one batch."""
    return BATCH * flops_total(config, LENGTH)


def step_flops(taught: bool) -> int:
    return 3 * forward_flops(STUDENT) + (forward_flops(teller.CONFIG) if taught else 0)


def steps_of(student: str, steps: int) -> int:
    """As many steps, or as many as the taught student's computing would pay for."""
    return steps if student != "compute" else round(steps * step_flops(True) / step_flops(False))


def kept_flops(config: DistilConfig) -> float:
    """The taught student's, if the teacher's logits were kept after the first reading."""
    read = min(config.passages, config.steps * BATCH)
    return config.steps * step_flops(False) + read * flops_total(teller.CONFIG, LENGTH)


# Judging.


class Exam:
    """Held-out passages, and the teacher's opinion of them."""

    def __init__(self, teacher: Transformer, own: Sequence[Sequence[int]]):
        self.asked = causal_batch(teller.rows(teller.held_out_passages()), PAD)
        self.own = causal_batch(own, PAD)
        self.places = self.asked.targets != IGNORE
        self.told = self.logits(teacher)  # (N, V)
        self.teacher_nats = held_out_loss(teacher, [self.asked])

    @torch.no_grad()
    def logits(self, model: Transformer) -> Tensor:
        return model(self.asked.tokens).logits[self.places]

    def marks(self, student: Transformer) -> tuple[float, float, float, float]:
        """Held-out loss, loss on its own passages, divergence, agreement."""
        said = self.logits(student)
        loss = nn.functional.cross_entropy(said, self.asked.targets[self.places])
        same = said.argmax(dim=-1) == self.told.argmax(dim=-1)
        return (
            float(loss),
            held_out_loss(student, [self.own]),
            float(distillation_loss(said, self.told)),
            float(same.double().mean()),
        )
