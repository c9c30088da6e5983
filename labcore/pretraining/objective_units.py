"""The same text under several vocabularies: nats per token, perplexity, and bits per byte.

A vocabulary of a thousand cuts a text into a third as many pieces as its bytes are, and each piece is
harder to guess. So a loss per token, and its exponential, the perplexity, measure the vocabulary along with
the model. Divided by what every vocabulary leaves alone, the bytes of the text, losses can be compared.

One byte-level BPE is learnt; its first merges are the smaller vocabularies, and no merge at all is bytes.

Axes: R seeds, S vocabularies, M looks, T tokens.
"""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining.objective_natural import halved, natural
from labcore.pretraining.objective_tasks import left_to_right_nats
from labcore.pretraining.pipeline import PipelineConfig
from labcore.pretraining.vocabulary import BASE, VOCABULARY, divided
from labcore.text import bpe, measure_words
from labcore.text.bpe import BPETokenizer
from labcore.text.measure_words import MEASURE, NOUN, NUMBER, WORDS
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, causal_batch, shuffled, token_losses

ROW_TOKENS = 48  # that a row asks for
BATCH_ROWS = 16
LOOK_EVERY = 50  # steps
JUDGED_BYTES = 12_000  # of held-out documents, the same for every vocabulary
MOST_STEPS = 2000
BYTES = BASE  # the vocabulary without any merge: 256 bytes and the special tokens
MOST_OWN_CHARACTERS = 400


@lab_config
class UnitsConfig:
    """The defaults take some fifteen seconds of one core."""

    pipeline: PipelineConfig = field(default_factory=lambda: natural("english").pipeline)
    sizes: tuple[int, ...] = (BYTES, 1024)
    seeds: tuple[int, ...] = (0,)  # of the weights and of the rows' order
    steps: int = 300
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        for name in ("sizes", "seeds"):
            if not getattr(self, name):
                raise LabInputError(name, getattr(self, name), "choose_one")
        for size in self.sizes:
            if not BYTES <= size <= VOCABULARY[1]:
                raise LabInputError("sizes", size, "between", low=BYTES, high=VOCABULARY[1])
        if not 1 <= self.steps <= MOST_STEPS:
            raise LabInputError("steps", self.steps, "between", low=1, high=MOST_STEPS)
        self.training(0)

    def training(self, seed: int) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=BATCH_ROWS, learning_rate=self.learning_rate,
            eval_every=0, snapshot_every=LOOK_EVERY, seed=seed,
        )  # fmt: skip


RECORDED = UnitsConfig(sizes=(BYTES, 512, 1024), seeds=(0, 1, 2), steps=500)


@dataclass(frozen=True, slots=True)
class Loss:
    """What a text costs, in the units that are in use."""

    nats: float  # of the whole text
    tokens: int  # in which it was spelt
    bytes: int

    @property
    def nats_per_token(self) -> float:
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        return perplexity(self.nats, self.tokens)

    @property
    def bits_per_byte(self) -> float:
        return bits_per_byte(self.nats, self.bytes)


def perplexity(nats: float, tokens: int) -> float:
    """As uncertain as an even choice among so many tokens: depends on what counts as a token."""
    return math.exp(nats / tokens)


def bits_per_byte(nats: float, size_bytes: int) -> float:
    """The same for every vocabulary. 1,200 nats over 1,000 bytes: 1200 / ln 2 / 1000 = 1.73 bits."""
    return nats / math.log(2) / size_bytes


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    size: int
    seed: int
    step: int
    share: float  # of the whole run done, 0 to 1
    read: float  # bytes of training text so far
    loss: Loss


@dataclass(frozen=True, slots=True, eq=False)
class UnitsResult:
    sizes: list[int]
    seeds: list[int]
    looks: np.ndarray  # (M,) steps made at each look
    nats: np.ndarray  # (R, S, M) of all judged text
    tokens: np.ndarray  # (S,) of the judged text
    bytes: int  # of the judged text
    read: np.ndarray  # (S,) bytes of training text in one step, mean
    parameters: np.ndarray  # (S,)
    merges: np.ndarray  # (n, 2) uint16 of the largest vocabulary
    weights: list[dict[str, np.ndarray]]  # (S,) of the first seed's models, float16
    seconds: float

    def loss(self, seed: int, size: int, look: int = -1) -> Loss:
        """By their numbers in the lists."""
        nats = float(self.nats[seed, size, look])
        return Loss(nats, int(self.tokens[size]), self.bytes)

    def tokenizer(self, size: int) -> BPETokenizer:
        return first_merges([(left, right) for left, right in self.merges.tolist()], size)

    def model(self, number: int) -> Transformer:
        """The first seed's model under this vocabulary, as it was at the end."""
        kept = self.weights[number].items()
        weights = {name: torch.from_numpy(values).float() for name, values in kept}
        size = self.tokenizer(self.sizes[number]).vocab_size
        return Transformer(architecture(size), weights=weights).eval()


def run(config: UnitsConfig) -> UnitsResult:
    return drain(train_vocabularies(config))


def train_vocabularies(config: UnitsConfig) -> Generator[Progress, None, UnitsResult]:
    """Train the same model under each vocabulary; equal steps of equally many tokens."""
    started = time.perf_counter()
    texts, held_out = divided(config.pipeline)
    held_out = beginning(held_out, JUDGED_BYTES)
    size_bytes = sum(len(text.encode(errors="replace")) for text in held_out)
    largest = drain(bpe.train(texts, max(config.sizes), whole_characters=False))
    spellings = {size: first_merges(largest.merges, size) for size in config.sizes}
    judged = {size: rows_of(held_out, spellings[size]) for size in config.sizes}
    trained_on = {size: rows_of(texts, spellings[size]) for size in config.sizes}
    plan = [(seed, size) for seed in config.seeds for size in config.sizes]
    curves, kept = [], []
    for done, (seed, size) in enumerate(plan):
        model = build(spellings[size].vocab_size, seed)
        asked, made = causal_batches(judged[size], spellings[size]), []
        drawn = drawing(trained_on[size], spellings[size], seed)
        per_step = bytes_per_step(texts, trained_on[size])
        for step in train(
            model, drawn, config.training(seed),
            snapshot=lambda model, _, asked=asked: total_nats(model, asked),
        ):  # fmt: skip
            if step.snapshot is not None:
                made.append((step.step, step.snapshot))
                loss = Loss(step.snapshot, sum(b.num_targets for b in asked), size_bytes)
                share, read = (done + step.share) / len(plan), per_step * step.step
                yield Progress(size, seed, step.step, share, read, loss)
        curves.append(made)
        if seed == config.seeds[0]:
            kept.append(model)
    table = np.array(curves).reshape(len(config.seeds), len(config.sizes), -1, 2)
    return UnitsResult(
        list(config.sizes), list(config.seeds), table[0, 0, :, 0].astype(int), table[..., 1],
        np.array([sum(len(row) - 1 for row in judged[size]) for size in config.sizes]), size_bytes,
        np.array([bytes_per_step(texts, trained_on[size]) for size in config.sizes]),
        np.array([sum(w.numel() for w in model.parameters()) for model in kept]),
        np.array(largest.merges, np.uint16).reshape(-1, 2), [halved(model) for model in kept],
        time.perf_counter() - started,
    )  # fmt: skip


# The text in rows.


def bytes_per_step(texts: Sequence[str], rows: list[list[int]]) -> float:
    """How much of the text a step of the training reads on average."""
    return sum(len(text.encode(errors="replace")) for text in texts) / len(rows) * BATCH_ROWS


def first_merges(merges: Sequence[tuple[int, int]], size: int) -> BPETokenizer:
    """The vocabulary when it had this size."""
    return BPETokenizer(tuple(merges[: size - BASE]))


def beginning(texts: Sequence[str], most_bytes: int) -> list[str]:
    """Whole documents, at least one, until so many bytes are reached."""
    kept, spent = [], 0
    for text in texts:
        if kept and spent >= most_bytes:
            break
        kept.append(text)
        spent += len(text.encode(errors="replace"))
    return kept


def rows_of(texts: Sequence[str], tokenizer: BPETokenizer) -> list[list[int]]:
    """Documents in rows in which every token but `<|bos|>` is asked for exactly once.

    Each row begins with the last token of the one before it, which is read there and was asked for here.
    """
    rows = []
    for text in texts:
        ids = [tokenizer.bos_id, *tokenizer.encode(text), tokenizer.eos_id]
        rows += [ids[at : at + ROW_TOKENS + 1] for at in range(0, len(ids) - 1, ROW_TOKENS)]
    return rows


def drawing(rows: list[list[int]], tokenizer: BPETokenizer, seed: int) -> Iterator[Batch]:
    rng = torch.Generator().manual_seed(seed)
    for numbers in shuffled([len(row) for row in rows], BATCH_ROWS, rng):
        yield causal_batch([rows[number] for number in numbers], tokenizer.pad_id)


def causal_batches(rows: list[list[int]], tokenizer: BPETokenizer) -> list[Batch]:
    starts = range(0, len(rows), 4 * BATCH_ROWS)
    return [causal_batch(rows[at : at + 4 * BATCH_ROWS], tokenizer.pad_id) for at in starts]


# The model.


def architecture(vocab_size: int) -> ModelConfig:
    return ModelConfig(vocab_size=vocab_size, hidden_size=48)


def build(vocab_size: int, seed: int) -> Transformer:
    return Transformer(architecture(vocab_size), torch.Generator().manual_seed(seed))


@torch.no_grad()
def total_nats(model: Transformer, batches: Sequence[Batch]) -> float:
    model.eval()
    return sum(float(token_losses(model, batch)[0].double().sum()) for batch in batches)


# A text of the learner's.


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One text under one vocabulary."""

    labels: list[str]  # (T,)
    nats: np.ndarray  # (T,) of each token
    loss: Loss


def score(result: UnitsResult, text: str) -> list[Scored]:
    """The text under each vocabulary of the result, by the model that was trained with it."""
    text = text[:MOST_OWN_CHARACTERS].strip()
    if not text:
        raise LabInputError("text", text, "not_empty")
    found = []
    for number, size in enumerate(result.sizes):
        tokenizer = result.tokenizer(size)
        ids = tokenizer.encode(text)
        nats = left_to_right_nats(result.model(number), [tokenizer.bos_id, *ids]).numpy()
        loss = Loss(float(nats.sum()), len(ids), len(text.encode(errors="replace")))
        found.append(Scored([tokenizer.label(token) for token in ids], nats, loss))
    return found


# A model that cannot be improved.


def exact(language: str) -> dict[str, Loss]:
    """The world of measure words told by someone who knows it, in words, characters and bytes.

    A phrase is one of 8 · 24 = 192, all equally likely: ln 192 = 5.257 nats, however it is spelt. The sums
    are over all 192, so that the means are exact.
    """
    nouns = [noun for group in measure_words.NOUNS[language].values() for noun in group]
    measures = list(measure_words.NOUNS[language])
    space = "" if language == "zh" else " "
    told = []
    for number in measure_words.NUMBERS[language]:
        for noun, group in zip(nouns, measure_words.CLASS_OF, strict=True):
            phrase = {NUMBER: number, MEASURE: measures[group], NOUN: noun}
            told.append("".join(phrase[at] + space for at in range(WORDS)))
    nats = len(told) * math.log(len(told))
    size = sum(len(phrase.encode()) for phrase in told)
    pieces = {
        "words": WORDS * len(told),
        "characters": sum(map(len, told)),
        "bytes": size,
    }
    return {unit: Loss(nats, count, size) for unit, count in pieces.items()}
