"""Four objectives in the world of measure words, where the word to say is decided by the word after it.

Whoever reads from left to right gets a quarter of the measure words right and cannot do better; whoever
sees the noun can get all of them right. Every model is trained on its own question and held against the
lowest loss that this question allows. Then all of them are asked the same: which measure word belongs in
this gap?

Axes: R seeds, E objectives, M looks, B rows, P phrases, V vocabulary; 24 nouns, 6 measure words.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.pretraining.objective_kinds import Objective, SpecialIds, ask, model_config
from labcore.text import measure_words as world
from labcore.text.masking import IGNORE
from labcore.text.measure_words import BOS, FIRST, MASK, MEASURE, PAD, WORDS, MeasureWorld
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss, span_batch, token_losses

PHRASES = 12  # of a row: 36 words
BATCH_ROWS = 32
JUDGED_ROWS = 120  # each of the 24 nouns five times in the phrase that is asked about
JUDGED_SEED = 1234
RESCORED_ROWS = 48  # of them, at each look: every one is read six times
LOOK_EVERY = 20  # steps
MOST_STEPS = 1500
CAUSAL, PREFIX, MASKED, SPAN = (Objective(kind) for kind in ("causal", "prefix", "masked", "span"))


@lab_config
class WorldConfig:
    """The defaults take some fifteen seconds of one core."""

    objectives: tuple[Objective, ...] = (CAUSAL, MASKED)
    seeds: tuple[int, ...] = (0,)  # of the weights and of the rows
    steps: int = 240
    learning_rate: float = 3e-3  # the highest of the schedule

    def __post_init__(self) -> None:
        for name in ("objectives", "seeds"):
            if not getattr(self, name):
                raise LabInputError(name, getattr(self, name), "choose_one")
        if not 1 <= self.steps <= MOST_STEPS:
            raise LabInputError("steps", self.steps, "between", low=1, high=MOST_STEPS)
        self.training(0)

    def training(self, seed: int) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=BATCH_ROWS, learning_rate=self.learning_rate,
            eval_every=0, snapshot_every=LOOK_EVERY, seed=seed,
        )  # fmt: skip


# What comes with the lab: every objective, masking at BERT's rate and at a higher one, three seeds.
RECORDED = WorldConfig(
    (CAUSAL, PREFIX, MASKED, Objective("masked", 0.4), SPAN), seeds=(0, 1, 2), steps=600
)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One model on the judged rows."""

    own_nats: float  # per target of its own question
    right: float  # share of the asked measure words, all objectives on the same
    measure_nats: float  # −ln p of the asked measure word
    rescored: float  # share right when whole rows are compared; NaN for who cannot score a row


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    objective: int  # its number in the config
    seed: int
    step: int
    share: float  # of the whole run done, 0 to 1
    look: Look


@dataclass(frozen=True, slots=True, eq=False)
class WorldResult:
    objectives: list[Objective]
    seeds: list[int]
    looks: np.ndarray  # (M,) steps made at each look
    own_nats: np.ndarray  # (R, E, M) float32
    right: np.ndarray  # (R, E, M)
    measure_nats: np.ndarray  # (R, E, M)
    rescored: np.ndarray  # (R, E, M)
    floor_nats: np.ndarray  # (E,) lowest own loss possible on the judged rows
    targets: np.ndarray  # (E,) per row, mean
    tokens: np.ndarray  # (E,) that the model reads per row, mean
    parameters: np.ndarray  # (E,)
    beliefs: np.ndarray  # (R, E, 24, 6) float32: p of each measure word in a gap before each noun
    rescored_beliefs: np.ndarray  # (R, E, 24, 6) the same by comparing rows; NaN where it cannot be
    seconds: float


def run(config: WorldConfig) -> WorldResult:
    return drain(train_objectives(config))


def train_objectives(config: WorldConfig) -> Generator[Progress, None, WorldResult]:
    """Train every objective with every seed; look at each model every twenty steps."""
    started = time.perf_counter()
    plan = [(seed, number) for seed in config.seeds for number in range(len(config.objectives))]
    looks, steps, finals = [], [], []
    for done, (seed, number) in enumerate(plan):
        objective = config.objectives[number]
        model = build(objective, seed)
        made = [look_at(model, objective)]
        yield Progress(number, seed, 0, done / len(plan), made[0])
        steps = [0]
        for step in train(
            model, batches(objective, seed), config.training(seed),
            snapshot=lambda model, _, objective=objective: look_at(model, objective),
        ):  # fmt: skip
            if step.snapshot is not None:
                made.append(step.snapshot)
                steps.append(step.step)
                share = (done + step.share) / len(plan)
                yield Progress(number, seed, step.step, share, step.snapshot)
        looks.append(made)
        finals.append((beliefs(model, objective), rescored_beliefs(model, objective)))
    shape = (len(config.seeds), len(config.objectives))
    own, right, nats, rescored = (
        np.array([[getattr(one, name) for one in made] for made in looks], np.float32)
        .reshape(*shape, -1)
        for name in ("own_nats", "right", "measure_nats", "rescored")
    )  # fmt: skip
    questions = [question(objective) for objective in config.objectives]
    return WorldResult(
        list(config.objectives), list(config.seeds), np.array(steps), own, right, nats, rescored,
        np.array([floor(objective) for objective in config.objectives]),
        np.array([batch.num_targets / JUDGED_ROWS for batch in questions]),
        np.array([tokens_read(batch) / JUDGED_ROWS for batch in questions]),
        np.array([parameters(objective) for objective in config.objectives]),
        *(np.array(one, np.float32).reshape(*shape, 24, 6) for one in zip(*finals, strict=True)),
        time.perf_counter() - started,
    )  # fmt: skip


# The world and the models.


@lru_cache(maxsize=1)
def measure_world() -> MeasureWorld:
    return MeasureWorld(PHRASES, sentinels=PHRASES * WORDS // 2 + 1)


def special_ids() -> SpecialIds:
    return SpecialIds(BOS, PAD, MASK, tuple(measure_world().sentinel_ids))


def build(objective: Objective, seed: int) -> Transformer:
    config = model_config(objective, measure_world().vocab_size)
    return Transformer(config, torch.Generator().manual_seed(seed))


def parameters(objective: Objective) -> int:
    return sum(weight.numel() for weight in build(objective, 0).parameters())


def batches(objective: Objective, seed: int) -> Iterator[Batch]:
    """Fresh rows without end; no row is ever seen twice."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        yield ask(objective, measure_world().sample(BATCH_ROWS, rng).tolist(), special_ids(), rng)


# What a model is judged on.


@lru_cache(maxsize=1)
def judged() -> tuple[Tensor, Tensor]:
    """Rows, and in each the place of the measure word that is asked for.  (B, T), (B,)

    Every noun comes equally often behind the gap, so that a guess from the left reaches exactly 6 of 24.
    """
    rows = measure_world().sample(JUDGED_ROWS, torch.Generator().manual_seed(JUDGED_SEED))
    number = torch.arange(JUDGED_ROWS)
    nouns = number % world.NUM_NOUNS
    places = 1 + WORDS * ((number + number // world.NUM_NOUNS) % PHRASES) + MEASURE
    rows[number, places] = FIRST[MEASURE] + torch.from_numpy(world.CLASS_OF)[nouns]
    rows[number, places + 1] = FIRST[world.NOUN] + nouns
    return rows, places


@lru_cache(maxsize=16)
def question(objective: Objective) -> Batch:
    """The judged rows as this objective asks them, the same for every model."""
    rng = torch.Generator().manual_seed(JUDGED_SEED)
    return ask(objective, judged()[0].tolist(), special_ids(), rng)


def tokens_read(batch: Batch) -> int:
    read = int(batch.padding_mask.sum())
    return read + (0 if batch.context is None else int(batch.context_padding_mask.sum()))


@torch.no_grad()
def look_at(model: Transformer, objective: Objective) -> Look:
    model.eval()
    rows, places = judged()
    true = rows.gather(1, places[:, None])[:, 0]
    scores = fill(model, objective, rows, places)  # (B, V)
    nats = -scores.log_softmax(dim=1).gather(1, true[:, None]).mean()
    rescored = math.nan
    if objective.kind == "causal":
        some = slice(RESCORED_ROWS)
        best = rescore(model, rows[some], places[some]).argmax(dim=1)
        rescored = float((best + FIRST[MEASURE] == true[some]).float().mean())
    own = held_out_loss(model, [question(objective)])
    return Look(own, float((scores.argmax(dim=1) == true).float().mean()), float(nats), rescored)


def fill(model: Transformer, objective: Objective, rows: Tensor, places: Tensor) -> Tensor:
    """What the model would say in one gap of each row, asked as it was trained.  -> logits (B, V)

    (B, T), (B,). A causal model is shown what stands before the gap, a prefix LM as well, both ways; the
    other two see the whole row but for the gap.
    """
    each, place = torch.arange(len(rows)), torch.arange(rows.shape[1])
    if objective.kind == "masked":
        return model(rows.index_put((each, places), torch.tensor(MASK))).logits[each, places]
    if objective.kind == "span":
        gaps = [[(at, at + 1)] for at in places.tolist()]
        batch = span_batch(rows.tolist(), gaps, special_ids().sentinels, BOS, PAD)
        return model(batch.tokens, context=batch.context).logits[:, 1]  # after <bos> and ⟨1⟩
    before = place < places[:, None] if objective.kind == "prefix" else None
    return model(rows, prefix_mask=before).logits[each, places - 1]


def rescore(model: Transformer, rows: Tensor, places: Tensor) -> Tensor:
    """ln p of the whole row with each of the six measure words in the gap.  -> (B, 6)

    By Bayes' rule p(word | left, right) is proportional to p(left, word, right), which a causal model knows.
    """
    options = FIRST[MEASURE] + torch.arange(world.NUM_MEASURES)
    tried = rows.repeat_interleave(len(options), dim=0)  # (6B, T)
    each = torch.arange(len(tried))
    tried[each, places.repeat_interleave(len(options))] = options.repeat(len(rows))
    targets = tried[:, 1:]
    losses, _ = token_losses(model, Batch(tried[:, :-1], targets, targets != IGNORE))
    return -losses.sum(dim=1).view(len(rows), -1)


@torch.no_grad()
def beliefs(model: Transformer, objective: Objective) -> np.ndarray:
    """Mean probability of each measure word in a gap before each noun.  -> (24, 6)"""
    options = slice(FIRST[MEASURE], FIRST[MEASURE] + world.NUM_MEASURES)
    return by_noun(fill(model.eval(), objective, *judged()).softmax(dim=1)[:, options])


@torch.no_grad()
def rescored_beliefs(model: Transformer, objective: Objective) -> np.ndarray:
    """The same by comparing whole rows; NaN for a model that gives a row no probability."""
    if objective.kind != "causal":
        return np.full((world.NUM_NOUNS, world.NUM_MEASURES), np.nan)
    return by_noun(rescore(model.eval(), *judged()).softmax(dim=1))


def by_noun(shares: Tensor) -> np.ndarray:
    """(B, 6) -> (24, 6), mean over the judged rows of each noun"""
    return shares.view(-1, world.NUM_NOUNS, world.NUM_MEASURES).mean(dim=0).numpy()


# The lowest loss possible.


def floor(objective: Objective) -> float:
    """What the judged rows cost, per target, a reader who knows the world.

    A causal model pays (ln 8 + ln 24) / 3 = 1.752 nats on average. A hidden word costs what the shown
    words of its phrase leave open. Spans are said in order, and where one ends must be guessed as well.
    """
    batch, (rows, _) = question(objective), judged()
    nats = world.left_to_right_nats(rows)  # (B, P, 3)
    if objective.kind in ("causal", "prefix"):
        total = nats.reshape(JUDGED_ROWS, -1)[(batch.targets != IGNORE).numpy()].sum()
    elif objective.kind == "masked":
        total = world.hidden_nats(rows, batch.targets != IGNORE).sum()
    else:
        gone, lengths = hidden_by_spans(batch, rows)
        total = world.spoken_nats(rows, gone).sum() + sum(map(length_nats, lengths))
    return float(total) / batch.num_targets


def hidden_by_spans(batch: Batch, rows: Tensor) -> tuple[Tensor, list[list[int]]]:
    """Which tokens of the rows the sentinels stand for, and how long each row's spans are.  -> (B, T) bool"""
    gone = torch.zeros_like(rows, dtype=torch.bool)
    first = special_ids().sentinels[0]
    lengths = []
    for number, (shown, target) in enumerate(zip(batch.context, batch.targets, strict=True)):
        marks = (target >= first).nonzero().flatten().tolist()  # one closes the target
        spans = [stop - start - 1 for start, stop in pairwise(marks)]
        place, left = 0, iter(spans)
        for token in shown.tolist():
            size = next(left) if token >= first else 1
            if token >= first:
                gone[number, place : place + size] = True
            place += size if token != PAD else 0
        lengths.append(spans)
    return gone, lengths


def length_nats(lengths: list[int]) -> float:
    """What it costs to say where each span of a row ends, no more being known than what is shown.

    The words on both sides tell a span's length but for multiples of 3 (a phrase more or less), and the
    row's total is known. All lengths that fit are equally likely: with one of 1, 2 or 3 words for each span
    and J whole phrases to deal out among k spans, there are C(J + k − 1, k − 1).

    >>> round(length_nats([1, 4]), 3)  # [4, 1] would fit as well: ln 2
    0.693
    """
    phrases_over = sum((length - 1) // WORDS for length in lengths)
    return math.log(math.comb(phrases_over + len(lengths) - 1, len(lengths) - 1))
