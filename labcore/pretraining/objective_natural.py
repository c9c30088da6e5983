"""Causal against masked on natural text, at equal compute: same rows, same steps, models of equal size.

A causal model answers 47 questions for each row of 48 tokens, a masked one 7. Both then do what neither was
trained for alone: fill a gap, tell a true sentence from a spoilt one, write on (`objective_exam`).

Axes: R seeds, M looks; the two models are always in the order of `KINDS`.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.pretraining import objective_exam as exams
from labcore.pretraining.objective_kinds import Objective, model_config
from labcore.pretraining.pipeline import ContaminationConfig, NearConfig, PipelineConfig
from labcore.pretraining.sources import SourceConfig
from labcore.pretraining.training_text import TrainingText, TrainingTextConfig, training_text
from labcore.text.bpe import BPETokenizer
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss

KINDS = ("causal", "masked")
KILOBYTES = 400
ROW_TOKENS = 48
VOCAB_SIZE = {
    "english": 512,
    "chinese": 1024,
}  # Chinese has more characters than English has letters
BATCH_ROWS = 16
LOOK_EVERY = 50  # steps
JUDGED_BATCHES = 6  # of 16 rows, for the loss
MOST_STEPS = 2000
TRAINING_SHARE = 0.85  # of a run's time; the rest is the tasks


def natural(language: str) -> TrainingTextConfig:
    """English: the reference topics of Python's help. Chinese: reviews of books and hotels."""
    source = SourceConfig(language, KILOBYTES, planted=False)
    pipeline = PipelineConfig(
        source, near=NearConfig(bands=0), contamination=ContaminationConfig("none")
    )
    return TrainingTextConfig(pipeline, VOCAB_SIZE[language], ROW_TOKENS, "cut")


def of_dataset(recipe: TrainingTextConfig) -> TrainingTextConfig:
    """A kept dataset in this lab's rows: the same documents, so that a run takes as long as the others."""
    size = min(recipe.vocab_size, VOCAB_SIZE["chinese"])
    return replace(recipe, vocab_size=size, row_tokens=ROW_TOKENS, method="cut")


@lab_config
class NaturalConfig:
    """The defaults take some twenty seconds of one core."""

    text: TrainingTextConfig = field(default_factory=lambda: natural("english"))
    share: float = 0.15  # hidden from the masked model
    seeds: tuple[int, ...] = (0,)  # of the weights and of the rows' order
    steps: int = 300
    learning_rate: float = 3e-3
    gaps: int = 48  # that are filled in every way at the end; on the way four times as many
    texts: int = 64  # spoilt, and written on

    def __post_init__(self) -> None:
        if not self.seeds:
            raise LabInputError("seeds", self.seeds, "choose_one")
        for name, high in (("steps", MOST_STEPS), ("gaps", 256), ("texts", 256)):
            if not 1 <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=1, high=high)
        self.objective("masked"), self.training(0)

    def objective(self, kind: str) -> Objective:
        return Objective(kind, self.share)

    def training(self, seed: int) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=BATCH_ROWS, learning_rate=self.learning_rate,
            eval_every=0, snapshot_every=LOOK_EVERY, seed=seed,
        )  # fmt: skip


def recorded(language: str) -> NaturalConfig:
    """What comes with the lab: three seeds, more steps, more gaps."""
    return NaturalConfig(natural(language), seeds=(0, 1, 2), steps=800, gaps=96, texts=128)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    kind: str
    seed: int
    step: int
    share: float  # of the whole run done, 0 to 1
    own_nats: float  # per target of its own question, held-out text
    right: float  # share of gaps filled with the true token
    targets: int  # questions answered in one step


@dataclass(frozen=True, slots=True, eq=False)
class NaturalResult:
    seeds: list[int]
    looks: np.ndarray  # (M,) steps made at each look
    own_nats: np.ndarray  # (R, 2, M) float32
    right: np.ndarray  # (R, 2, M) float32
    targets: np.ndarray  # (2,) questions answered per step, mean
    tokens: int  # read per step, by either
    parameters: np.ndarray  # (2,)
    outcomes: list[exams.Outcome]  # (R,) what they can do in the end
    merges: np.ndarray  # (n, 2) uint16: the vocabulary
    weights: list[dict[str, np.ndarray]]  # (2,) the first seed's models, float16
    seconds: float

    def tokenizer(self) -> BPETokenizer:
        return BPETokenizer(tuple((left, right) for left, right in self.merges.tolist()))

    def model(self, kind: str) -> Transformer:
        """The first seed's model of this kind, as it was at the end."""
        number = KINDS.index(kind)
        weights = {name: torch.from_numpy(w).float() for name, w in self.weights[number].items()}
        return Transformer(
            architecture(Objective(kind), self.tokenizer().vocab_size), weights=weights
        ).eval()


def run(config: NaturalConfig) -> NaturalResult:
    return drain(train_on_text(config))


def train_on_text(config: NaturalConfig) -> Generator[Progress, None, NaturalResult]:
    """Train both models with every seed, then let both do the same tasks."""
    started = time.perf_counter()
    text = training_text(config.text)
    exam = exams.prepare(text, config.gaps, config.texts)
    plan = [(seed, kind) for seed in config.seeds for kind in KINDS]
    asked = {kind: next(batches(text, config.objective(kind), 0)) for kind in KINDS}
    curves, outcomes, kept, models = [], [], {}, {}
    for done, (seed, kind) in enumerate(plan):
        objective = config.objective(kind)
        model = build(objective, text.tokenizer.vocab_size, seed)
        judged, made, targets = held_out(text, objective), [], asked[kind].num_targets

        def look(model: Transformer, _: int, kind=kind, judged=judged) -> tuple[float, float]:
            return held_out_loss(model, judged), exams.share_filled(model, kind, exam)

        for step in train(
            model, batches(text, objective, seed), config.training(seed), snapshot=look
        ):
            if step.snapshot is not None:
                made.append((step.step, *step.snapshot))
                share = (done + TRAINING_SHARE * step.share) / len(plan)
                yield Progress(kind, seed, step.step, share, *step.snapshot, targets)
        curves.append(made)
        models[kind] = model
        if kind == KINDS[-1]:
            outcomes.append(exams.examine(models, exam, text, seed))
            kept = kept or dict(models)
            yield Progress(kind, seed, step.step, (done + 1) / len(plan), *made[-1][1:], targets)
    table = np.array(curves, np.float32).reshape(len(config.seeds), len(KINDS), -1, 3)
    return NaturalResult(
        list(config.seeds), table[0, 0, :, 0].astype(int), table[..., 1], table[..., 2],
        np.array([batch.num_targets for batch in asked.values()]),
        int(asked[KINDS[0]].padding_mask.sum()),
        np.array([sum(w.numel() for w in model.parameters()) for model in kept.values()]),
        outcomes, np.array(text.tokenizer.merges, np.uint16).reshape(-1, 2),
        [halved(model) for model in kept.values()], time.perf_counter() - started,
    )  # fmt: skip


def architecture(objective: Objective, vocab_size: int):
    """Decoder and encoder of the same size; one table for input and output keeps them small."""
    return model_config(objective, vocab_size).with_(tie_embeddings=True)


def build(objective: Objective, vocab_size: int, seed: int) -> Transformer:
    rng = torch.Generator().manual_seed(seed)
    return Transformer(architecture(objective, vocab_size), rng)


def halved(model: Transformer) -> dict[str, np.ndarray]:
    """Weights in half precision: three digits, half the room."""
    return {name: weight.half().numpy() for name, weight in model.state_dict().items()}


def batches(text: TrainingText, objective: Objective, seed: int) -> Iterator[Batch]:
    """The same rows in the same order for both, as long as each draws from a generator of its own."""
    rng = torch.Generator().manual_seed(seed)
    if objective.kind == "causal":
        return text.batches(BATCH_ROWS, rng)
    return text.masked_batches(BATCH_ROWS, objective.share, rng)


def held_out(text: TrainingText, objective: Objective) -> list[Batch]:
    """The beginning of the held-out rows as this objective asks them."""
    if objective.kind == "causal":
        return text.held_out_batches(BATCH_ROWS)[:JUDGED_BATCHES]
    whole = text.held_out_masked_batches(objective.share, batch_size=BATCH_ROWS)
    return whole[:JUDGED_BATCHES]
