"""A vocabulary learnt from the pipeline's text, merge by merge, and how well it compresses.

Byte-level BPE grows one token at a time, so a vocabulary of 4,096 holds every smaller one: its first
merges.  How many bytes a token stands for is measured on documents that were held out of training, in
each language apart.

M merges, C moments at which compression was measured.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import pipeline
from labcore.pretraining.pipeline import PipelineConfig
from labcore.text import bpe
from labcore.text.bpe import SPECIAL_TOKENS, BPETokenizer, Merge
from labcore.text.cleaning import language_of
from labcore.text.corpora import split_documents
from labcore.text.tokenizer import Tokenizer, label_bytes

LANGUAGES = ("zh", "en")
TRAINED_ON = ("both", *LANGUAGES)
VOCABULARY = (300, 4096)
HELD_OUT_SHARE = 0.15
HELD_OUT_BYTES = 30_000  # of each language, at most
MOMENTS = 14  # of measuring, evenly spaced in the logarithm of the size
NEWS_EVERY = 16  # merges between two events
BASE = 256 + len(SPECIAL_TOKENS)


@lab_config
class VocabularyConfig:
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    vocab_size: int = 4096
    trained_on: str = "both"
    whole_characters: bool = False  # never glue a piece of a character to another character

    def __post_init__(self) -> None:
        low, high = VOCABULARY
        if not low <= self.vocab_size <= high:
            raise LabInputError("vocab_size", self.vocab_size, "between", low=low, high=high)
        if self.trained_on not in TRAINED_ON:
            raise LabInputError("trained_on", self.trained_on, "known_choice", allowed=TRAINED_ON)


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """One event: some merges further."""

    share: float  # of the run done, 0 to 1
    size: int  # of the vocabulary now, special tokens included
    news: list[tuple[str, str, str, int]]  # left, right, the new token, how often they met
    sizes: np.ndarray  # (C,) so far
    bytes_per_token: np.ndarray  # (C, 2) zh, en; NaN where there is no such text


@dataclass(frozen=True, slots=True, eq=False)
class VocabularyResult:
    merges: np.ndarray  # (M, 2) uint16
    counts: np.ndarray  # (M,) int32: how often each pair met when it was merged
    sizes: np.ndarray  # (C,)
    bytes_per_token: np.ndarray  # (C, 2) zh, en, on held-out documents; NaN without any
    characters_per_token: np.ndarray  # (C, 2), NaN as above
    broken: np.ndarray  # (C,) tokens that are no whole characters, the 128 lone bytes apart
    train_bytes: int
    held_out_bytes: np.ndarray  # (2,)
    seconds: float

    def tokenizer(self, size: int | None = None) -> BPETokenizer:
        """The vocabulary when it had this size; None: in the end."""
        room = len(self.merges) if size is None else max(0, size - BASE)
        return BPETokenizer(tuple((left, right) for left, right in self.merges[:room].tolist()))


def run(config: VocabularyConfig) -> VocabularyResult:
    return drain(grow(config))


def grow(config: VocabularyConfig) -> Generator[Growth, None, VocabularyResult]:
    """Train on the pipeline's documents; look at held-out text at sizes that double step by step."""
    started = time.perf_counter()
    train, held_out = divided(config.pipeline)
    wanted = [t for t in train if config.trained_on in ("both", language_of(t))]
    if not wanted:
        raise LabInputError("trained_on", config.trained_on, "no_documents")
    judged = tuple(shortened([t for t in held_out if language_of(t) == name]) for name in LANGUAGES)
    moments = moments_of(config.vocab_size)
    merges: list[Merge] = []
    news: list[tuple[str, str, str, int]] = []
    measured = [measure([], judged)]
    vocab = [bytes([byte]) for byte in range(256)]
    steps = bpe.train(wanted, config.vocab_size, whole_characters=config.whole_characters)
    for merge in steps:
        merges.append(merge)
        left, right = (vocab[token] for token in merge.pair)
        vocab.append(left + right)
        news.append((label_bytes(left), label_bytes(right), label_bytes(left + right), merge.count))
        size = BASE + len(merges)
        if size in moments:
            measured.append(measure([m.pair for m in merges], judged))
        if size in moments or len(news) == NEWS_EVERY:
            share = len(merges) / (config.vocab_size - BASE)
            yield Growth(share, size, news, *_columns(measured)[:2])
            news = []
    pairs = [merge.pair for merge in merges]
    if BASE + len(merges) not in [one[0] for one in measured]:  # no pair occurred twice any more
        measured.append(measure(pairs, judged))
    sizes, by_token, by_character, broken = _columns(measured)
    return VocabularyResult(
        np.array(pairs, dtype=np.uint16).reshape(-1, 2),
        np.array([merge.count for merge in merges], dtype=np.int32),
        sizes, by_token, by_character, broken,
        sum(len(text.encode()) for text in wanted),
        np.array([sum(len(text.encode()) for text in texts) for texts in judged]),
        time.perf_counter() - started,
    )  # fmt: skip


def moments_of(vocab_size: int) -> set[int]:
    """Sizes at which to look, the last one included; none lies so near another that it says nothing."""
    return {int(size) for size in np.geomspace(BASE + 8, vocab_size, MOMENTS).round()}


def measure(
    pairs: list[tuple[int, int]], judged: tuple[list[str], ...]
) -> tuple[int, list[float], list[float], int]:
    """Size, bytes and characters per token of each language, broken tokens."""
    tokenizer = BPETokenizer(tuple(pairs))
    per_byte, per_character = [], []
    for texts in judged:
        tokens = sum(len(tokenizer.encode(text)) for text in texts)
        per_byte.append(sum(len(t.encode()) for t in texts) / tokens if tokens else np.nan)
        per_character.append(sum(map(len, texts)) / tokens if tokens else np.nan)
    learnt = tokenizer.vocab[256 : 256 + len(pairs)]
    return BASE + len(pairs), per_byte, per_character, sum(not is_whole(token) for token in learnt)


def is_whole(data: bytes) -> bool:
    """Whether these bytes are characters, none cut in two."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _columns(measured: list[tuple]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(column) for column in zip(*measured, strict=True))


@lru_cache(maxsize=4)
def divided(config: PipelineConfig) -> tuple[list[str], list[str]]:
    """The dataset in training and held-out documents; the same for every tokenizer of a pipeline."""
    result = pipeline.run(config)
    texts = [result.texts[number] for number in result.dataset()]
    if len(set(texts)) < 2:
        raise LabInputError("documents", len(set(texts)), "too_few_documents", limit=2)
    return split_documents(texts, HELD_OUT_SHARE, torch.Generator().manual_seed(config.source.seed))


def shortened(texts: list[str]) -> list[str]:
    """As many documents as fit into the budget, at least one."""
    kept, spent = [], 0
    for text in texts:
        if kept and spent >= HELD_OUT_BYTES:
            break
        kept.append(text)
        spent += len(text.encode())
    return kept


# What a text becomes.


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """A text in the tokens of one vocabulary."""

    vocab_size: int
    labels: list[str]  # (T,)
    lengths: np.ndarray  # (T,) bytes of each token
    broken: np.ndarray  # (T,) bool, True where a token is no whole character

    @property
    def bytes_per_token(self) -> float:
        return float(self.lengths.sum() / max(1, len(self.labels)))


def spell(text: str, tokenizer: Tokenizer) -> Spelling:
    """Encode, and say of each token what it is."""
    ids = tokenizer.encode(text)
    data = [tokenizer.token_bytes(token) for token in ids]
    return Spelling(
        tokenizer.vocab_size,
        [tokenizer.label(token) for token in ids],
        np.array([len(piece) for piece in data], dtype=np.int64),
        np.array([not is_whole(piece) for piece in data], dtype=bool),
    )


# The languages against each other, over seeds: recorded.


@dataclass(frozen=True, slots=True, eq=False)
class LanguageStudy:
    """Tokenizers trained on both languages, on one, on the other; S seeds draw other documents."""

    trained_on: list[str]  # (3,)
    sizes: np.ndarray  # (C,)
    bytes_per_token: np.ndarray  # (3, S, C, 2) float32; zh, en


def language_study(seeds: tuple[int, ...] = (0, 1, 2), vocab_size: int = 4096) -> LanguageStudy:
    """The same question asked of nine tokenizers."""
    results = [[run(_of_seed(seed, vocab_size, on)) for seed in seeds] for on in TRAINED_ON]
    sizes = np.array(sorted({BASE, *moments_of(vocab_size)}))
    # subtle: a vocabulary may be full early, when no pair occurs twice; then it stays as it is.
    values = [[r.bytes_per_token[np.searchsorted(r.sizes, sizes, side="right") - 1] for r in row]
              for row in results]  # fmt: skip
    return LanguageStudy(list(TRAINED_ON), sizes, np.array(values, dtype=np.float32))


def _of_seed(seed: int, vocab_size: int, trained_on: str) -> VocabularyConfig:
    source = pipeline.SourceConfig(seed=seed)
    return VocabularyConfig(PipelineConfig(source), vocab_size, trained_on)
