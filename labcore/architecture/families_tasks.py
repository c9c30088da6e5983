"""Which objective fits which task: fill a gap, write a text, translate one; each family tried, each measured.

The texts are held-out passages that open a story, so that the decoder (trained on stories) and the encoder
(trained on passages) are both at home. Whether a written text is one that the world could tell is decided by
the automaton that tells them: no taste is involved.

Axes: V vocabulary, C candidates.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world
from labcore.architecture.cross_alignment import held_out, translate
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.text.world import stories
from labcore.zoo import load

CANDIDATES = 8  # that the decoder tries out in a gap
OPENINGS_SHARE = 0.15  # of all passages, at least so many open a story

Write = Callable[[Transformer, list[int], torch.Generator], list[int]]


@lab_config
class TasksConfig:
    passages: int = 200
    gaps: int = 2  # in each passage, one at a time
    texts: int = 40  # written by each writer, and translated
    seed: int = 5

    def __post_init__(self):
        for name, low, high in (("passages", 1, 400), ("gaps", 1, 4), ("texts", 1, 90)):
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)
        if self.texts > self.passages:
            raise LabInputError("texts", self.texts, "at_most", limit=self.passages)


@dataclass(frozen=True, slots=True)
class Filler:
    """One way to fill a gap."""

    name: str  # "exact_left", "decoder", "rescored", "encoder", "exact_both"
    accuracy: float  # share of gaps whose likeliest token is the true one
    standard_error: float
    nats: float  # −ln p of the true token; NaN where no probability over all tokens comes out
    texts: int  # that the model reads for each gap


@dataclass(frozen=True, slots=True)
class Writer:
    """One way to write a text."""

    name: str  # "decoder", "append", "once", "left"
    possible: float  # share of texts that the world could tell
    standard_error: float
    example: str


@dataclass(frozen=True, slots=True)
class TasksResult:
    gaps: int
    texts: int
    fillers: list[Filler]
    writers: list[Writer]
    next_nats: dict[
        str, float
    ]  # the token at the gap from the left side alone: floor, decoder, encoder
    translated: float  # share of the translator's translations that the world allows
    translated_error: float  # standard error


# ----- the idea: one question, asked of models that were trained on another


@torch.no_grad()
def fill_by_rescoring(model: Transformer, ids: list[int], gap: int) -> int:
    """A decoder fills a gap after all: each candidate is put in, and the whole text's probability decides.

    By Bayes' rule p(token | left, right) is proportional to p(left, token, right), which a decoder knows.
    """
    candidates = model(torch.tensor([ids[:gap]])).logits[0, -1].topk(CANDIDATES).indices
    texts = torch.tensor(ids).repeat(CANDIDATES, 1)
    texts[:, gap] = candidates
    beliefs = model(texts).logits.log_softmax(dim=-1)  # (C, T, V)
    scores = beliefs[:, gap - 1 : -1].gather(2, texts[:, gap:, None]).sum(dim=(1, 2))  # (C,)
    return int(candidates[scores.argmax()])


@torch.no_grad()
def write_forward(model: Transformer, text: list[int], rng: torch.Generator) -> list[int]:
    """A decoder writes: the next token is drawn from its belief, then the next."""
    ids = text[:2]
    while len(ids) < len(text) - 1:
        ids.append(draw(model(torch.tensor([ids])).logits[0, -1], rng))
    return ids


@torch.no_grad()
def write_by_appending(model: Transformer, text: list[int], rng: torch.Generator) -> list[int]:
    """An encoder is treated like a decoder: a gap is opened at the end of the text, filled, and so on."""
    mask_id, eos_id = world().tokenizer.mask_id, world().tokenizer.eos_id
    ids = text[:2]
    while len(ids) < len(text) - 1:
        ids.append(draw(model(torch.tensor([[*ids, mask_id, eos_id]])).logits[0, -2], rng))
    return [*ids, eos_id]


@torch.no_grad()
def write_at_once(model: Transformer, text: list[int], rng: torch.Generator) -> list[int]:
    """An encoder sees nothing but gaps and fills them all in one pass, each without the others."""
    ids = torch.tensor([all_gaps(text)])
    for place, belief in enumerate(model(ids).logits[0, 2:-1], start=2):
        ids[0, place] = draw(belief, rng)
    return ids[0].tolist()


@torch.no_grad()
def write_gap_by_gap(model: Transformer, text: list[int], rng: torch.Generator) -> list[int]:
    """The same gaps filled one after the other, each with what stands already: as many passes as tokens."""
    ids = torch.tensor([all_gaps(text)])
    for place in range(2, len(text) - 1):
        ids[0, place] = draw(model(ids).logits[0, place], rng)
    return ids[0].tolist()


def all_gaps(text: list[int]) -> list[int]:
    """Only the length of `text` is kept, its language and its frame."""
    return [*text[:2], *[world().tokenizer.mask_id] * (len(text) - 3), text[-1]]


def draw(logits: Tensor, rng: torch.Generator) -> int:
    return int(torch.multinomial(logits.softmax(dim=-1), 1, generator=rng))


WRITERS: tuple[tuple[str, str, Write], ...] = (
    ("decoder", "world-decoder", write_forward),
    ("append", "world-encoder", write_by_appending),
    ("once", "world-encoder", write_at_once),
    ("left", "world-encoder", write_gap_by_gap),
)
# Readers of a gap, and how many texts the model must read for each; the automaton needs none.
FILLERS = {"exact_left": 0, "decoder": 1, "rescored": 1 + CANDIDATES, "encoder": 1, "exact_both": 0}
NEXT = {"floor": "exact_left", "decoder": "decoder", "encoder": "encoder_left"}


# ----- the run


@dataclass(frozen=True, slots=True)
class Progress:
    share: float  # of the run done, 0 to 1


def run(config: TasksConfig) -> TasksResult:
    return drain(measure(config))


def measure(config: TasksConfig) -> Generator[Progress, None, TasksResult]:
    """Fill, write, translate; one event per text."""
    rng = torch.Generator().manual_seed(config.seed)
    texts = openings(config.passages, config.seed)
    asked = [(ids, gap) for ids in texts for gap in some_gaps(ids, config.gaps, rng)]
    steps = len(asked) / config.gaps + config.texts * (len(WRITERS) + 1)
    done, guesses, told, translated = 0, [], {name: [] for name, _, _ in WRITERS}, []
    for number, (ids, gap) in enumerate(asked, start=1):
        guesses.append(fill(ids, gap))
        if number % config.gaps == 0:
            yield Progress((done := done + 1) / steps)
    for name, model, by in WRITERS:
        for text in texts[: config.texts]:
            told[name].append(by(load(model).model, text, rng))
            yield Progress((done := done + 1) / steps)
    for number in range(config.texts):
        translated.append(is_translation(number))
        yield Progress((done := done + 1) / steps)
    return TasksResult(
        gaps=len(guesses),
        texts=config.texts,
        fillers=[judged(name, texts, guesses) for name, texts in FILLERS.items()],
        writers=[judged_writer(name, ids) for name, ids in told.items()],
        next_nats={
            who: float(np.mean([guess.nats[name] for guess in guesses]))
            for who, name in NEXT.items()
        },
        translated=float(np.mean(translated)),
        translated_error=standard_error(translated),
    )


def openings(count: int, seed: int) -> list[list[int]]:
    """Held-out passages with which a story begins."""
    drawn = stories(round(count / OPENINGS_SHARE), seed, "held_out", "passages")
    ids = [world().story_ids(story) for story in drawn]
    return [row for row in ids if world().sequence_nats(row[:-1]) is not None][:count]


def some_gaps(ids: list[int], count: int, rng: torch.Generator) -> list[int]:
    """Places of the text's own tokens, no two alike."""
    places = torch.randperm(len(ids) - 3, generator=rng)[:count] + 2
    return places.tolist()


@dataclass(frozen=True, slots=True)
class Guesses:
    """What several readers say of one gap."""

    right: dict[str, bool]  # was the likeliest token the true one?
    nats: dict[str, float]  # −ln p of the true one


@torch.no_grad()
def fill(ids: list[int], gap: int) -> Guesses:
    """All readers fill the same gap."""
    decoder, encoder = load("world-decoder").model, load("world-encoder").model
    mask_id, eos_id = world().tokenizer.mask_id, world().tokenizer.eos_id
    left, right = ids[:gap], ids[gap + 1 :]
    logits = {
        "decoder": decoder(torch.tensor([left])).logits[0, -1],
        "encoder": encoder(torch.tensor([[*left, mask_id, *right]])).logits[0, gap],
        "encoder_left": encoder(torch.tensor([[*left, mask_id, eos_id]])).logits[0, gap],
    }
    beliefs = {name: scores.softmax(dim=0) for name, scores in logits.items()} | {
        "exact_left": torch.tensor(world().next_token_distribution(left)),
        "exact_both": torch.tensor(world("passages").masked_posterior(ids, {gap})[gap]),
    }
    guesses = {name: int(belief.argmax()) for name, belief in beliefs.items()}
    guesses["rescored"] = fill_by_rescoring(decoder, ids[:-1], gap)
    return Guesses(
        {name: guess == ids[gap] for name, guess in guesses.items()},
        {name: -float(belief[ids[gap]].log()) for name, belief in beliefs.items()},
    )


def judged(name: str, texts: int, guesses: list[Guesses]) -> Filler:
    right = [guess.right[name] for guess in guesses]
    nats = [guess.nats.get(name, float("nan")) for guess in guesses]
    return Filler(name, float(np.mean(right)), standard_error(right), float(np.mean(nats)), texts)


def judged_writer(name: str, told: list[list[int]]) -> Writer:
    """The share of texts that the world could tell: a beginning of a story, or a whole passage."""
    corpus = "stories" if name == "decoder" else "passages"
    possible = [world(corpus).sequence_nats(ids) is not None for ids in told]
    example = world().tokenizer.decode(told[0])
    return Writer(name, float(np.mean(possible)), standard_error(possible), example)


def is_translation(number: int) -> bool:
    """Would the world tell what the translator writes for this held-out pair?"""
    pair = held_out().pairs[number]
    written = translate(load("world-translator").model, pair)
    return world().translation_nats(pair.source, [*pair.target[:2], *written]) is not None


def standard_error(right: list[bool]) -> float:
    """Of a share, over independent trials.

    With two right and two wrong ones thrown in (Agresti and Coull 1998), since none of forty does not
    prove never.
    """
    trials = len(right) + 4
    share = (sum(right) + 2) / trials
    return float(np.sqrt(share * (1 - share) / trials))
