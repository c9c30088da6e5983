"""Induction heads: watch a circuit form that copies whatever was said before.

A row of random tokens is told again and again, and no token stands in it twice. Whoever finds where the
present token stood before can say what comes next. One attention layer cannot: its keys know each
token, but not which one came before it. Two can: a head of the first layer writes down "what came
before me", a head of the second looks for the place that says "before me came what you are now", and
copies the token there (Elhage et al., transformer-circuits.pub/2021/framework; Olsson et al.,
arXiv:2209.11895).

The period differs from row to row. Were it fixed, "look back that far" would do, in one layer; the run
with a fixed period is the control that shows it.

Axes: N rows, M looks at the model, L layers, H heads, T query positions, S key positions, P periods.
"""

import math
import string
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.head_patterns import head_scores
from labcore.architecture.induction_surgery import Knockouts, knock_out
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text import repetition
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, token_losses

VOCABULARY = string.ascii_letters + string.digits + "+="  # 64 tokens, each a character on screen
LENGTH = 48  # tokens in a row
PERIODS = range(6, 21)  # a random period is one of these
TESTED = range(3, 25)  # periods that the trained model is asked about
HIDDEN_SIZE, BATCH_SIZE = 64, 32
EXAM_ROWS, SCORED_ROWS, TESTED_ROWS = 64, 12, 16
PROBE_PERIOD, PROBE_LENGTH = 12, 36  # the row in the maps: three times twelve tokens
LOOKS = 25  # in the course of a run

CHOICES: dict[str, tuple] = {
    "num_heads": (1, 2, 4, 8),
    "period": ("random", "fixed"),
    "positions": ("rope", "alibi", "t5", "learned", "sinusoidal", "none"),
}
LIMITS: dict[str, tuple[float, float]] = {
    "num_layers": (1, 3),
    "fixed_period": (PERIODS[0], PERIODS[-1]),
    "learning_rate": (1e-5, 1.0),
    "steps": (10, 2000),
}


@lab_config
class InductionConfig:
    """The defaults make two layers of attention and nothing else, about 41,000 parameters."""

    num_layers: int = 2
    num_heads: int = 4  # in each layer; they share a width of 64
    period: str = "random"  # or "fixed": the same in every row
    fixed_period: int = 12  # tokens, for a fixed period
    positions: str = "rope"
    learning_rate: float = 3e-3  # constant
    steps: int = 500
    seed: int = 0

    def __post_init__(self):
        check_choices(self, CHOICES)
        check_limits(self, LIMITS)

    @property
    def periods(self) -> Sequence[int]:
        """The periods that training draws from."""
        return PERIODS if self.period == "random" else (self.fixed_period,)

    def model(self) -> ModelConfig:
        return ModelConfig(
            vocab_size=len(VOCABULARY), hidden_size=HIDDEN_SIZE, num_layers=self.num_layers,
            num_heads=self.num_heads, positions=self.positions, max_positions=2 * LENGTH,
            intermediate_size=0, tie_embeddings=False,
        )  # fmt: skip

    def training(self) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=BATCH_SIZE, learning_rate=self.learning_rate,
            schedule="constant", warmup_steps=0, eval_every=0,
            snapshot_every=max(5, self.steps // LOOKS), seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """Rows that the model is never trained on, and what the best reader would pay on them."""

    tokens: torch.Tensor  # (N, T) int64
    known: torch.Tensor  # (N, T - 1) bool: targets that a reader can know, see `known_targets`
    floor_new_nats: float  # lowest possible loss on the other targets; on the known ones it is 0


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """How a model does in an exam."""

    accuracy: float  # share of the known targets that its likeliest token hits
    nats_known: float  # loss per known target
    nats_new: float  # loss per other target
    previous: np.ndarray  # (L, H) previous-token score of each head
    induction: np.ndarray  # (L, H) induction score


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One event: the model after `step` updates, in two exams."""

    step: int
    share: float  # of the run done, 0 to 1
    own: Marks  # rows of the kind it is trained on
    hard: Marks  # rows of random period; for a run with random periods the same
    floor_new_nats: float  # what the best reader would pay in the first, see `Exam`
    maps: np.ndarray  # (L, H, T, T) uint8, weight · 255, on the probe


@dataclass(frozen=True, slots=True, eq=False)
class InductionResult:
    looks: list[Look]  # (M,) from step 0
    probe: list[str]  # (T,) labels of the row in the maps
    tested_periods: np.ndarray  # (P,)
    by_period: np.ndarray  # (P,) accuracy on rows of that period
    knockouts: Knockouts  # surgery on the trained model, on rows of random period
    parameters: int
    seconds: float
    diverged: bool  # not finite, or what can be known costs more than an even guess


def run(config: InductionConfig) -> InductionResult:
    return drain(form(config))


def form(config: InductionConfig) -> Generator[Look, None, InductionResult]:
    """Train on rows that repeat, and look at the heads on the way."""
    started = time.perf_counter()
    model = Transformer(config.model(), torch.Generator().manual_seed(config.seed))
    hard = exam(PERIODS)
    own = hard if config.period == "random" else exam(config.periods)
    looks = [look(model, own, hard, step=0, share=0.0)]
    yield looks[0]
    course = train(
        model, batches(config), config.training(),
        snapshot=lambda model, step: look(model, own, hard, step, step / config.steps),
    )  # fmt: skip
    diverged = False
    for made in course:
        diverged = made.diverged
        if made.snapshot is not None:
            looks.append(made.snapshot)
            yield made.snapshot
    return InductionResult(
        looks=looks,
        probe=[VOCABULARY[token] for token in probe()[0].tolist()],
        tested_periods=np.array(TESTED),
        by_period=np.array([accuracy_on(model, period) for period in TESTED]),
        knockouts=knock_out(model, hard.tokens[:, :-1], hard.tokens[:, 1:], hard.known),
        parameters=sum(weight.numel() for weight in model.parameters()),
        seconds=time.perf_counter() - started,
        diverged=diverged or not looks[-1].own.nats_known <= math.log(len(VOCABULARY)),
    )


# What is read.


def batches(config: InductionConfig) -> Iterator[Batch]:
    """Fresh rows for every step: there is nothing to learn by heart."""
    generator = torch.Generator().manual_seed(config.seed)
    while True:
        tokens, _ = repetition.distinct_rows(
            len(VOCABULARY), BATCH_SIZE, generator, LENGTH, config.periods
        )
        yield as_batch(tokens)


def as_batch(tokens: torch.Tensor) -> Batch:
    """Each token is the target of the one before it.  (N, T) -> T - 1 targets a row"""
    return Batch(tokens[:, :-1], tokens[:, 1:], torch.ones_like(tokens[:, 1:], dtype=torch.bool))


def exam(periods: Sequence[int], rows: int = EXAM_ROWS) -> Exam:
    """The same rows for every run: their seed is not the run's."""
    generator = torch.Generator().manual_seed(20_000)
    tokens, period = repetition.distinct_rows(len(VOCABULARY), rows, generator, LENGTH, periods)
    known = known_targets(period, LENGTH)
    nats = [
        repetition.distinct_row_nats(p, LENGTH, len(VOCABULARY), periods) for p in period.tolist()
    ]
    return Exam(tokens, known, float(torch.tensor(nats)[:, 1:][~known].mean()))


def known_targets(period: torch.Tensor, length: int) -> torch.Tensor:
    """Which targets a reader can know.  (N,) -> (N, T - 1) bool

    Not the first token that returns: until it does, nobody knows that the period is over. Target t
    stands at place t + 1 of the row.
    """
    return torch.arange(1, length) > period[:, None]


def probe() -> torch.Tensor:
    """The row whose maps are kept.  -> (1, T)"""
    generator = torch.Generator().manual_seed(20_001)
    return repetition.distinct_rows(
        len(VOCABULARY), 1, generator, PROBE_LENGTH, (PROBE_PERIOD,)
    )[0]  # fmt: skip


# What is measured.


@torch.no_grad()
def look(model: Transformer, own: Exam, hard: Exam, step: int, share: float) -> Look:
    model.eval()
    marks = mark(model, own)
    maps = (attention(model, probe())[0] * 255).round().astype(np.uint8)
    hard_marks = marks if hard is own else mark(model, hard)
    return Look(step, share, marks, hard_marks, own.floor_new_nats, maps)


@torch.no_grad()
def mark(model: Transformer, exam: Exam) -> Marks:
    """Accuracy and loss where copying helps and where nothing does, and what each head looks for."""
    batch = as_batch(exam.tokens)
    right = model(batch.tokens).logits.argmax(dim=-1) == batch.targets
    nats, _ = token_losses(model, batch)
    scored = exam.tokens[:SCORED_ROWS]
    by_row = [
        head_scores(maps, row)
        for maps, row in zip(attention(model, scored), scored.tolist(), strict=True)
    ]
    return Marks(
        float(right[exam.known].double().mean()),
        float(nats[exam.known].double().mean()),
        float(nats[~exam.known].double().mean()),
        *(np.mean([s[name] for s in by_row], axis=0) for name in ("previous_token", "induction")),
    )


def attention(model: Transformer, tokens: torch.Tensor) -> np.ndarray:
    """Every head's map on every row.  (N, T) -> (N, L, H, T, T)"""
    trace = model(tokens, trace=True).trace
    layers = range(model.config.num_layers)
    return torch.stack([trace[f"layers.{i}.attn.weights"] for i in layers], dim=1).numpy()


@torch.no_grad()
def accuracy_on(model: Transformer, period: int) -> float:
    """Accuracy on rows of one period, perhaps one never trained on."""
    test = exam((period,), TESTED_ROWS)
    right = model(test.tokens[:, :-1]).logits.argmax(dim=-1) == test.tokens[:, 1:]
    return float(right[test.known].double().mean())


def half_way(looks: Sequence[Look]) -> int | None:
    """The first step at which more than half of what can be known is right; None if there is none."""
    return next((look.step for look in looks if look.own.accuracy > 0.5), None)


def growth(looks: Sequence[Look]) -> str:
    """How accuracy on what can be known went up, in a word.

    "never": not to three quarters. "jump": from one to three within 3/10 of the run. Else "steady".
    """
    if max(look.own.accuracy for look in looks) < 0.75:
        return "never"
    start, end = (
        next(look.step for look in looks if look.own.accuracy >= share) for share in (0.25, 0.75)
    )
    return "jump" if end - start <= 0.3 * looks[-1].step else "steady"
