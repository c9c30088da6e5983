"""An encoder learns to fill gaps: the rule makes the questions, the exam says what has been learnt.

One layer that looks both ways, with learned positions as in BERT, on passages of the micro-world or on the
dataset that the learner kept. Whatever rule a model is trained by, it is judged by the same held-out gaps.

Axes: N steps, M looks, G gaps of the probe.
"""

import math
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining import corpus
from labcore.pretraining.corpus import PretrainingText, Source, WorldText, WorldTextConfig
from labcore.pretraining.masked_exam import Exam, Marks, constant_nats, exam, mark
from labcore.pretraining.masked_rule import ALL_HIDDEN, Rule, questions
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch

STEP_TOKENS = 512  # about as many in every step, whatever the length of a row
LIMITS: dict[str, tuple[float, float]] = {"steps": (20, 2000), "learning_rate": (1e-4, 1e-1)}
LOOKS = 10  # at the held-out text, spread over the run
WIDTH, HEADS, LAYERS = 64, 4, 1
COUNTED = ("questions", "tokens", "sequences")  # of each step
PROBES = 2  # held-out texts whose gaps are filled at every look
PROBE_TOKENS = 40
PROBE_SHARE = 0.2


@lab_config
class MaskedConfig:
    source: Source = field(default_factory=WorldTextConfig)
    rule: Rule = field(default_factory=Rule)
    steps: int = 800
    learning_rate: float = 3e-3  # the highest of the schedule
    seed: int = 0  # of the weights, the text and the dice

    def __post_init__(self) -> None:
        check_limits(self, LIMITS)

    def training(self) -> TrainConfig:
        every = math.ceil(self.steps / LOOKS)
        return TrainConfig(
            steps=self.steps,
            batch_size=1,  # rows come in batches already, see `step_rows`
            learning_rate=self.learning_rate,
            eval_every=0,
            snapshot_every=every,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The model after `step` updates."""

    step: int
    marks: Marks
    guesses: list[str]  # (G,) its first choice for each gap of the probe
    probs: np.ndarray  # (G,) what it gives the true token


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    step: int  # from 1
    share: float  # of the run done, 0 to 1
    loss_nats: float  # per question of this step, under the rule it is trained by
    rate: float  # of the rule
    questions: int  # so far
    floor_nats: float | None  # of the held-out gaps
    look: Look | None
    diverged: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MaskedResult:
    rate: float  # of the rule
    loss_nats: np.ndarray  # (N,)
    questions: np.ndarray  # (N,) asked in each step
    tokens: np.ndarray  # (N,) read in each step, padding not counted
    sequences: np.ndarray  # (N,) rows in each step
    look_steps: np.ndarray  # (M,)
    gap_nats: np.ndarray  # (M,)
    plain_nats: np.ndarray  # (M,)
    swapped_nats: np.ndarray  # (M,)
    spotted: np.ndarray  # (M,)
    floor_nats: float | None  # lowest possible gap_nats
    constant_nats: float  # of one guess for every gap
    uniform_nats: float  # ln V
    probe: list[list[str]]  # texts of the probe, token by token
    probe_gaps: list[list[int]]  # where each has its gaps
    guesses: list[list[str]]  # (M, G) over all gaps in turn
    probs: np.ndarray  # (M, G)
    parameters: int
    seconds: float
    diverged: bool


def run(config: MaskedConfig) -> MaskedResult:
    return drain(pretrain(config))


def train_model(config: MaskedConfig) -> tuple[Transformer, MaskedResult]:
    return drain(_pretrain(config))


def pretrain(config: MaskedConfig) -> Generator[Progress, None, MaskedResult]:
    """Train, look ten times at held-out text, and keep what was seen."""
    _, result = yield from _pretrain(config)
    return result


def _pretrain(
    config: MaskedConfig,
) -> Generator[Progress, None, tuple[Transformer, MaskedResult]]:
    started = time.perf_counter()
    text = corpus.pretraining_text(config.source)
    asked, probe = exam(text), probe_of(text)
    floor = corpus.masked_floor(text, asked.gaps)
    model = build(text, config)
    counts: list[tuple[int, int, int]] = []
    looks, made = [], []
    steps = train(
        model,
        counted(batches(text, config), counts),
        config.training(),
        snapshot=lambda model, step: look(model, asked, probe, text, step),
    )
    for step in steps:
        if step.snapshot is not None:
            looks.append(step.snapshot)
        made.append(step.loss_nats)
        so_far = sum(count[0] for count in counts)
        yield Progress(
            step.step, step.share, step.loss_nats, config.rule.rate, so_far, floor, step.snapshot,
            step.diverged,
        )  # fmt: skip
    parameters = sum(weight.numel() for weight in model.parameters())
    return model, MaskedResult(
        rate=config.rule.rate,
        loss_nats=np.array(made, np.float32),
        **columns(counts, looks),
        floor_nats=floor,
        constant_nats=constant_nats(asked),
        uniform_nats=math.log(text.tokenizer.vocab_size),
        probe=probe.labels,
        probe_gaps=probe.gaps,
        guesses=[one.guesses for one in looks],
        probs=np.stack([one.probs for one in looks]),
        parameters=parameters,
        seconds=time.perf_counter() - started,
        diverged=step.diverged,
    )


def columns(counts: list[tuple[int, int, int]], looks: list[Look]) -> dict[str, np.ndarray]:
    """What was counted in each step and seen in each look, by its name in the result."""
    counted = dict(zip(COUNTED, np.array(counts, np.int32).T, strict=True))
    seen = {
        field.name: np.array([getattr(one.marks, field.name) for one in looks])
        for field in fields(Marks)
    }
    return counted | seen | {"look_steps": np.array([one.step for one in looks], np.int32)}


def build(text: PretrainingText, config: MaskedConfig) -> Transformer:
    """The encoder before its first step; the seed alone decides its weights."""
    longest = max(batch.tokens.shape[1] for batch in corpus.shown_held_out(text))
    return Transformer(
        ModelConfig(
            kind="encoder", vocab_size=text.tokenizer.vocab_size, hidden_size=WIDTH,
            num_layers=LAYERS, num_heads=HEADS, positions="learned",
            max_positions=max(128, longest), head="mlm",
        ),
        torch.Generator().manual_seed(config.seed),
    )  # fmt: skip


def batches(text: PretrainingText, config: MaskedConfig) -> Iterator[Batch]:
    """Training text without end, turned into questions by the rule."""
    rng = torch.Generator().manual_seed(config.seed)
    fixed = corpus.special_ids(text.tokenizer)
    for shown in corpus.shown_batches(text, step_rows(text), rng):
        yield questions(shown, text.tokenizer, fixed, config.rule, rng)[0]


def step_rows(text: PretrainingText) -> int:
    """Rows of one step: as many as hold about STEP_TOKENS."""
    held_out = corpus.shown_held_out(text)
    rows = sum(len(batch.tokens) for batch in held_out)
    tokens = sum(int(batch.padding_mask.sum()) for batch in held_out)
    return max(1, round(STEP_TOKENS * rows / tokens))


def counted(drawn: Iterable[Batch], counts: list[tuple[int, int, int]]) -> Iterator[Batch]:
    """The same batches, their questions, tokens and rows noted."""
    for batch in drawn:
        counts.append((batch.num_targets, int(batch.padding_mask.sum()), len(batch.tokens)))
        yield batch


# The probe: a few texts whose gaps one can watch being filled.


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    batch: Batch
    labels: list[list[str]]  # the true tokens, text by text
    gaps: list[list[int]]


def probe_of(text: PretrainingText) -> Probe:
    """The first held-out texts; of the micro-world's as many in each language."""
    shown = corpus.shown_held_out(text)[0]
    rows = list(range(min(PROBES, len(shown.tokens))))
    if isinstance(text, WorldText):
        tags = shown.tokens[:, 1].tolist()
        rows = [
            row
            for tag in dict.fromkeys(tags)
            for row in [at for at, one in enumerate(tags) if one == tag][:PROBES]
        ]
    batch = cut(shown, rows)
    fixed, rng = corpus.special_ids(text.tokenizer), torch.Generator().manual_seed(7)
    rule = replace(ALL_HIDDEN, rate=PROBE_SHARE)
    asked, _ = questions(batch, text.tokenizer, fixed, rule, rng)
    label = text.tokenizer.label
    return Probe(
        asked,
        [
            [label(token) for token in row[real].tolist()]
            for row, real in zip(batch.tokens, batch.padding_mask, strict=True)
        ],
        [(row != IGNORE).nonzero().flatten().tolist() for row in asked.targets],
    )


def cut(shown: Batch, rows: list[int]) -> Batch:
    """A few rows of a batch, at most PROBE_TOKENS of each."""
    parts = {
        name: getattr(shown, name)[rows, :PROBE_TOKENS]
        for name in ("tokens", "targets", "padding_mask", "documents", "positions")
        if getattr(shown, name) is not None
    }
    return Batch(**parts)


@torch.no_grad()
def look(model: Transformer, asked: Exam, probe: Probe, text: PretrainingText, step: int) -> Look:
    marks = mark(model, asked)
    batch = probe.batch
    packed = {}
    if batch.documents is not None:
        packed = {"documents": batch.documents, "positions": batch.positions}
    logits = model(batch.tokens, padding_mask=batch.padding_mask, **packed).logits
    gaps = batch.targets != IGNORE
    shares = logits[gaps].softmax(dim=-1)  # (G, V)
    truth = shares[torch.arange(len(shares)), batch.targets[gaps]]
    return Look(
        step,
        marks,
        [text.tokenizer.label(token) for token in shares.argmax(dim=-1).tolist()],
        truth.numpy(),
    )
