"""How often must a model read a secret to know it? Planted PINs, from never to sixty-four times.

A small decoder is trained on passages of the micro-world among which secrets are planted. From time to
time the rank of every secret among all 10,000 PINs is taken, exactly, and the loss on held-out passages
that hold no secret: does the rest suffer? The cures are the data pipeline's: each document once, or each
sentence once.

Axes: N looks, S secrets, A arms, W runs of an arm.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining import planted_secrets as secrets
from labcore.pretraining.planted_secrets import DIGITS, Secret
from labcore.pretraining.small_world import (
    HELD_OUT_SEED,
    LANGUAGES,
    PAD,
    SmallVocabulary,
    endless_batches,
    floor_nats,
    passages,
    row,
)
from labcore.text.world import Story
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import causal_batch, held_out_loss

PLANTED = ("alone", "inside", "nowhere")
CURES = ("none", "documents", "sentences")
MOST_COPIES = 64
STEPS, MOST_STEPS = 300, 600
PASSAGES, HELD_OUT = 2000, 200
BATCH_ROWS = 64
WIDTH, LAYERS = 64, 2


@lab_config
class MemoryConfig:
    language: str = "en"
    pin: str = "4831"  # the learner's own secret
    copies: int = 8  # of it
    planted: str = "alone"  # "inside" other documents; "nowhere": the control
    cure: str = "none"
    steps: int = STEPS
    look_every: int = 25  # steps between two rankings of all secrets
    seed: int = 0  # of text, secrets, weights and order

    def __post_init__(self):
        for name, allowed in (("language", LANGUAGES), ("planted", PLANTED), ("cure", CURES)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        if len(self.pin) != DIGITS or not (self.pin.isascii() and self.pin.isdigit()):
            raise LabInputError("pin", self.pin, "four_digits", digits=DIGITS)
        for name, low, high in (
            ("copies", 0, MOST_COPIES), ("steps", 1, MOST_STEPS), ("look_every", 1, MOST_STEPS),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)


DEFAULTS = {language: MemoryConfig(language) for language in LANGUAGES}


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The model after some updates."""

    step: int
    share: float  # of the run done
    held_out_nats: float  # per token of passages that hold no secret
    rank: np.ndarray  # (S,) 1 is first of 10,000
    nats: np.ndarray  # (S,) −ln P of the true four digits
    written: list[str]  # S PINs: the four digits that the model finds likeliest


@dataclass(frozen=True, slots=True, eq=False)
class MemoryResult:
    secrets: list[Secret]
    looks: list[Look]
    documents: int  # trained on
    copies_left: np.ndarray  # (S,) after the cure
    tokens: int  # of all documents, once
    floor_nats: float  # of the held-out passages
    parameters: int
    seconds: float

    @property
    def exposure(self) -> np.ndarray:
        """(N, S) bits"""
        return secrets.MOST_BITS - np.log2([look.rank for look in self.looks])


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    secrets: list[Secret]
    documents: list[Story]
    held_out: tuple[Story, ...]
    vocabulary: SmallVocabulary

    def rows(self, stories: Sequence[Story]) -> list[list[int]]:
        return [self.vocabulary.narrow(row(story)) for story in stories]


def secrets_of(config: MemoryConfig, rng: torch.Generator | None = None) -> list[Secret]:
    """What a run of this config plants."""
    rng = rng or torch.Generator().manual_seed(config.seed)
    drawn = secrets.draw_secrets(config.pin, config.copies, rng)
    if config.planted == "nowhere":
        drawn = [replace(secret, copies=0) for secret in drawn]
    return drawn


def build(config: MemoryConfig, rng: torch.Generator) -> Corpus:
    """The text of a run: passages, secrets planted among them, and what the cure leaves of both."""
    rest = passages((config.language,), PASSAGES, config.seed)
    drawn = secrets_of(config, rng)
    documents = secrets.plant(rest, drawn, config.planted == "inside", rng)
    if config.cure == "documents":
        documents = secrets.without_repeated_documents(documents)
    elif config.cure == "sentences":
        documents = secrets.without_repeated_sentences(documents)
    held_out = passages((config.language,), HELD_OUT, HELD_OUT_SEED, "held_out")
    asked = [secret.told(config.language) for secret in drawn]
    every_digit = Secret(secrets.OWN, "0123456789", 0).told(config.language)
    rows = [row(story) for story in (*documents, *held_out, *asked, every_digit)]
    return Corpus(drawn, documents, held_out, SmallVocabulary.of(rows))


def run(config: MemoryConfig) -> MemoryResult:
    return drain(memorise(config))


def memorise(config: MemoryConfig) -> Generator[Look, None, MemoryResult]:
    """Train, and ask for every secret every few steps."""
    started = time.perf_counter()
    rng = torch.Generator().manual_seed(config.seed)
    corpus = build(config, rng)
    rows = corpus.rows(corpus.documents)
    asked = causal_batch(corpus.rows(corpus.held_out), PAD)
    model = Transformer(
        ModelConfig(vocab_size=corpus.vocabulary.size, hidden_size=WIDTH, num_layers=LAYERS), rng
    )
    looks = []

    def look(model: nn.Module, step: int) -> Look:
        share = step / config.steps
        told = ask_all(model, corpus, config.language)
        return Look(step, share, held_out_loss(model, [asked]), *told)

    for step in train(
        model, endless_batches(rows, BATCH_ROWS, rng), training(config), snapshot=look
    ):
        if step.snapshot is not None:
            looks.append(step.snapshot)
            yield looks[-1]
    return MemoryResult(
        corpus.secrets, looks, len(rows), copies_left(corpus, config.language),
        sum(map(len, rows)), floor_nats(corpus.held_out),
        sum(weight.numel() for weight in model.parameters()), time.perf_counter() - started,
    )  # fmt: skip


def ask_all(
    model: Transformer, corpus: Corpus, language: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rank and nats of every secret, and the PIN that the model would name."""
    digits = secrets.digit_tokens(corpus.vocabulary, language)
    ranks, nats, written = [], [], []
    for secret in corpus.secrets:
        opening = secrets.opening(secret, corpus.vocabulary, language)
        log_probs = secrets.pin_log_probs(model, opening, digits)
        ranks.append(secrets.rank_of(secret.pin, log_probs))
        nats.append(-float(log_probs[int(secret.pin)]))
        written.append(f"{int(log_probs.argmax()):0{DIGITS}}")
    return np.array(ranks), np.array(nats), written


def copies_left(corpus: Corpus, language: str) -> np.ndarray:
    """How often each secret stands in the documents that were trained on.  (S,)"""
    texts = [document.text for document in corpus.documents]
    told = [secret.told(language).text for secret in corpus.secrets]
    return np.array([sum(text.endswith(secret) for text in texts) for secret in told])


def training(config: MemoryConfig) -> TrainConfig:
    return TrainConfig(
        steps=config.steps, batch_size=BATCH_ROWS, learning_rate=0.003, schedule="linear",
        warmup_steps=min(30, config.steps // 3), eval_every=0, snapshot_every=config.look_every,
        seed=config.seed,
    )  # fmt: skip


# What is recorded.

ARMS: dict[str, tuple[str, str]] = {  # how planted, what cure
    "alone": ("alone", "none"),
    "alone_documents": ("alone", "documents"),
    "inside_documents": ("inside", "documents"),
    "inside_sentences": ("inside", "sentences"),
    "nowhere": ("nowhere", "none"),
}


@lab_config
class StudyConfig:
    arms: tuple[str, ...] = tuple(ARMS)
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The end of every run."""

    arms: list[str]  # A
    seeds: list[int]  # W
    copies: np.ndarray  # (A, W, S) as planted, before any cure
    rank: np.ndarray  # (A, W, S)
    held_out_nats: np.ndarray  # (A, W)
    tokens: np.ndarray  # (A, W) of the text after the cure
    floor_nats: float
    steps: int
    seconds: float


def study(config: StudyConfig) -> Study:
    """Every arm with every seed, in English."""
    started = time.perf_counter()
    runs = [
        [
            run(
                MemoryConfig(
                    planted=ARMS[arm][0], cure=ARMS[arm][1], steps=config.steps,
                    look_every=config.steps, seed=seed,
                )
            )
            for seed in config.seeds
        ]
        for arm in config.arms
    ]  # fmt: skip
    return Study(
        list(config.arms), list(config.seeds),
        np.array([[[secret.copies for secret in one.secrets] for one in arm] for arm in runs]),
        np.array([[one.looks[-1].rank for one in arm] for arm in runs]),
        np.array([[one.looks[-1].held_out_nats for one in arm] for arm in runs]),
        np.array([[one.tokens for one in arm] for arm in runs]),
        runs[0][0].floor_nats, config.steps, time.perf_counter() - started,
    )  # fmt: skip
