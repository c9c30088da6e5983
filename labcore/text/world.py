"""The bilingual micro-world: stories, their tokens, and the lowest possible loss.

Stories are told by an automaton (`grammar.py`), so the probability of every story, of every next token
and of every hidden token is known exactly.  No model can do better on average than these; one that does
has looked at what it should predict.

A training sequence is `<|bos|> <|en|> … <|eos|>` or `<|bos|> <|zh|> … <|eos|>`, each language half of the
time: a whole story, or in the corpus of passages one or two of its sentences.  A translation pair is a
passage in both languages: the source `<|en|> … <|eos|>`, the target `<|bos|> <|zh|> … <|eos|>`.

Every text belongs to the training set or to the held-out set, by a hash of the text: no held-out story
can ever be trained on, whatever the seeds.
"""

import hashlib
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.text import automaton
from labcore.text.automaton import Automaton, Spelled
from labcore.text.bpe import BPETokenizer, train
from labcore.text.grammar import Storyteller, is_special
from labcore.text.stories import (
    BOS,
    EOS,
    LANGUAGES,
    corpus_nodes,
    pair_nodes,
    passage_nodes,
    story_nodes,
)

CORPORA = {"stories": story_nodes, "passages": passage_nodes}
SPLITS = ("train", "held_out")
HELD_OUT_SHARE = 0.1
VOCAB_SIZE = 1920
TOKENIZER_STORIES = 1000  # sampled in each language to learn the merges from
TOKENIZER_SEED = 0


@dataclass(frozen=True, slots=True)
class Story:
    """A story, or a passage of one, as it reads, with the language that it is told in."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One passage in both languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Floor:
    """The lowest possible loss on given data: a mean, and its standard error over sequences."""

    nats_per_token: float
    standard_error: float
    tokens: int


@dataclass(frozen=True, eq=False)
class MicroWorld:
    """Samples, exact probabilities and floors, in the tokens of one tokenizer.

    `corpus` is "stories" or "passages"; both have the same translation pairs.
    """

    tokenizer: BPETokenizer
    corpus: str = "stories"
    _stories: Automaton = field(init=False, repr=False)
    _pairs: Automaton = field(init=False, repr=False)

    def __post_init__(self) -> None:
        spell = cache(self.spell)
        object.__setattr__(self, "_stories", Spelled(corpus_teller(self.corpus), spell))
        object.__setattr__(self, "_pairs", Spelled(pair_teller(), spell))

    def spell(self, word: str) -> tuple[int, ...]:
        """A word of this world as ids."""
        if is_special(word):
            return (self.tokenizer.special_id(word),)
        return tuple(self.tokenizer.encode(word))

    # ----- sequences

    def story_ids(self, story: Story) -> list[int]:
        """`<|bos|> <|en|> story <|eos|>` as ids."""
        special, encode = self.tokenizer.special_id, self.tokenizer.encode
        return [special(BOS), special(f"<|{story.language}|>"), *encode(story.text), special(EOS)]

    def pair_ids(self, pair: Pair) -> tuple[list[int], list[int]]:
        """The encoder's input and the decoder's sequence."""
        special, encode = self.tokenizer.special_id, self.tokenizer.encode
        source = [special("<|en|>"), *encode(pair.en), special(EOS)]
        target = [special(BOS), special("<|zh|>"), *encode(pair.zh), special(EOS)]
        return source, target

    def dataset(self, size: int, seed: int, split: str = "train") -> list[list[int]]:
        """`size` stories or passages as ids, both languages mixed."""
        return [self.story_ids(story) for story in stories(size, seed, split, self.corpus)]

    def pair_dataset(
        self, size: int, seed: int, split: str = "train"
    ) -> list[tuple[list[int], list[int]]]:
        """`size` translation pairs as ids."""
        return [self.pair_ids(pair) for pair in pairs(size, seed, split)]

    # ----- exact probabilities; None means: this world never says so

    def sequence_nats(self, ids: Sequence[int]) -> list[float] | None:
        """−ln p of ids[1:], each given what stands before it.  (T,) -> (T − 1,)"""
        nats = automaton.sequence_nats(self._stories, ids)
        return None if nats is None else nats[1:]

    def next_token_distribution(self, prefix: Sequence[int]) -> np.ndarray | None:
        """The exact distribution of the token after `prefix`, which opens with `<|bos|>`.  -> (V,)"""
        belief = automaton.read(self._stories, prefix)
        return self._row(automaton.next_symbols(self._stories, belief)) if belief else None

    def next_token_distributions(self, ids: Sequence[int]) -> np.ndarray | None:
        """The same for every prefix of `ids`; row t predicts ids[t + 1].  (T,) -> (T, V)"""
        belief, rows = automaton.initial_belief(self._stories), []
        for token in ids:
            _, belief = automaton.advance(self._stories, belief, token)
            if not belief:
                return None
            rows.append(self._row(automaton.next_symbols(self._stories, belief)))
        return np.stack(rows)

    def masked_posterior(
        self, ids: Sequence[int], masked: Iterable[int]
    ) -> dict[int, np.ndarray] | None:
        """The exact distribution of every masked position, given all others.  -> {position: (V,)}

        `ids` is a whole sequence without padding; what stands at the masked positions is not read.
        """
        hidden = set(masked)
        shown = [None if position in hidden else token for position, token in enumerate(ids)]
        posterior = automaton.masked_posterior(self._stories, shown)
        if posterior is None:
            return None
        return {position: self._row(shares) for position, shares in posterior.items()}

    def translation_nats(self, source: Sequence[int], target: Sequence[int]) -> list[float] | None:
        """−ln p of target[1:] given the whole source.  (T,) -> (T − 1,)"""
        nats = automaton.sequence_nats(self._pairs, [*source, *target])
        return None if nats is None else nats[len(source) + 1 :]

    def translation_distribution(
        self, source: Sequence[int], prefix: Sequence[int]
    ) -> np.ndarray | None:
        """The exact distribution of the target's next token, given the whole source.  -> (V,)"""
        belief = automaton.read(self._pairs, [*source, *prefix])
        return self._row(automaton.next_symbols(self._pairs, belief)) if belief else None

    def _row(self, shares: dict[Hashable, float]) -> np.ndarray:
        row = np.zeros(self.tokenizer.vocab_size)
        for token, share in shares.items():
            row[token] = share
        return row

    # ----- floors

    def causal_floor(self, sequences: Iterable[Sequence[int]]) -> Floor:
        """The lowest mean loss of next-token prediction on these sequences, `<|bos|>` given."""
        return _floor(self.sequence_nats(ids) for ids in sequences)

    def masked_floor(self, sequences: Sequence[Sequence[int]], masked: Sequence[set[int]]) -> Floor:
        """The lowest mean loss of guessing these masked positions, all other tokens being true."""
        return _floor(map(self.masked_nats, sequences, masked))

    def masked_nats(self, ids: Sequence[int], masked: Iterable[int]) -> list[float] | None:
        """−ln p of each masked token given all that is shown."""
        posterior = self.masked_posterior(ids, masked)
        if posterior is None:
            return None
        return [-math.log(row[ids[position]]) for position, row in posterior.items()]

    def translation_floor(self, pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Floor:
        """The lowest mean loss per target token, `<|bos|>` given."""
        return _floor(self.translation_nats(source, target) for source, target in pairs)


def _floor(losses: Iterable[list[float] | None]) -> Floor:
    """Mean nats per token; the error is that of a ratio of two sums over sequences."""
    rows = list(losses)
    if any(row is None for row in rows):
        raise LabInputError("sequences", rows.index(None), "from_the_world")
    totals = np.array([sum(row) for row in rows])
    lengths = np.array([len(row) for row in rows])
    mean = totals.sum() / lengths.sum()
    spread = np.sqrt(((totals - mean * lengths) ** 2).sum()) / lengths.sum()
    return Floor(float(mean), float(spread), int(lengths.sum()))


# ----- samples


@cache
def corpus_teller(corpus: str) -> Storyteller:
    return Storyteller(corpus_nodes(CORPORA[corpus]))


@cache
def story_teller(language: str, corpus: str = "stories") -> Storyteller:
    return Storyteller(CORPORA[corpus](language))


@cache
def pair_teller() -> Storyteller:
    return Storyteller(pair_nodes())


def sample_story(language: str, generator: torch.Generator, corpus: str = "stories") -> Story:
    """A story or a passage in "en" or "zh"."""
    if language not in LANGUAGES:
        raise LabInputError("language", language, "known_language")
    words = story_teller(language, corpus).tell(generator)
    return Story(language, "".join(word for word in words if not is_special(word)))


def sample_pair(generator: torch.Generator) -> Pair:
    """A passage of one or two sentences, in English and in Chinese."""
    words = pair_teller().tell(generator)
    middle = words.index(BOS)
    en, zh = (
        "".join(word for word in part if not is_special(word))
        for part in (words[:middle], words[middle:])
    )
    return Pair(en, zh)


def stories(size: int, seed: int, split: str = "train", corpus: str = "stories") -> list[Story]:
    """`size` stories or passages of one split, each in either language with equal chance."""
    generator = _generator(seed, split)
    kept: list[Story] = []
    while len(kept) < size:
        coin = torch.randint(len(LANGUAGES), (), generator=generator).item()
        story = sample_story(LANGUAGES[coin], generator, corpus)
        if split_of(story.text) == split:
            kept.append(story)
    return kept


def pairs(size: int, seed: int, split: str = "train") -> list[Pair]:
    """`size` translation pairs; a source of one split never occurs in the other."""
    generator = _generator(seed, split)
    kept: list[Pair] = []
    while len(kept) < size:
        pair = sample_pair(generator)
        if split_of(pair.en) == split:
            kept.append(pair)
    return kept


def split_of(text: str) -> str:
    """Which set a text belongs to, for ever: a tenth of all texts are held out."""
    first = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return "held_out" if first / 2**32 < HELD_OUT_SHARE else "train"


def _generator(seed: int, split: str) -> torch.Generator:
    if split not in SPLITS:
        raise LabInputError("split", split, "known_split")
    return torch.Generator().manual_seed(seed)


def dataset_hash(sequences: Iterable[Sequence[int]]) -> str:
    """sha256 of the sequences, for a checkpoint's card."""
    digest = hashlib.sha256()
    for ids in sequences:
        digest.update((" ".join(map(str, ids)) + "\n").encode())
    return digest.hexdigest()


@cache
def world_tokenizer() -> BPETokenizer:
    """BPE learned from the words of sampled stories, so that no merge joins two words of this world."""
    generator = torch.Generator().manual_seed(TOKENIZER_SEED)
    words = [
        word
        for language in LANGUAGES
        for _ in range(TOKENIZER_STORIES)
        for word in story_teller(language).tell(generator)
        if not is_special(word)
    ]
    return drain(train(words, VOCAB_SIZE, whole_characters=True))


@cache
def micro_world(corpus: str = "stories") -> MicroWorld:
    """The world in the tokens of `world_tokenizer()`; made once per process, in about a second."""
    return MicroWorld(world_tokenizer(), corpus)
