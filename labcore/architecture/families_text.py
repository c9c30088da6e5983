"""One text, three models: what each family is asked about it, and what it answers.

A decoder is asked for every token from those before it; an encoder for every token from all others, one
hidden at a time; an encoder-decoder for the text in another language. The micro-world knows the exact
answer to each question, so each model is held against its own floor and not against the others.

Axes: T tokens of the text, N of them asked for, L layers, V vocabulary; T' written and S source tokens.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world
from labcore.architecture.families_masks import FIRST
from labcore.architecture.prompt import language_of
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.zoo import load

MOST_TOKENS = 36  # of the text itself
MOST_CHARACTERS = 800
MOST_WRITTEN = 40
CANDIDATES = 6  # tokens that the picture of one question compares
UNKNOWN = math.nan  # the exact answer to a question about a text that the world never tells


@lab_config
class TextConfig:
    text: str = FIRST
    source: str = ""  # what the translator reads, which knows English only; empty: the same text

    def __post_init__(self):
        if not self.text.strip():
            raise LabInputError("text", self.text, "not_empty")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one reader says of every token asked for; the exact ones are NaN where `UNKNOWN`."""

    nats: np.ndarray  # (N,) −ln p of the true token
    candidates: np.ndarray  # (N, CANDIDATES) probabilities of the tokens in `TextResult.candidates`

    @property
    def mean_nats(self) -> float:
        """NaN where one of the answers is unknown."""
        return float(self.nats.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Translation:
    text: str
    written: list[str]  # (T' - 1,) labels of what was written, `<|eos|>` included
    source: list[str]  # (S,)
    nats: np.ndarray  # (T' - 1,) the model's own
    floor: np.ndarray  # (T' - 1,) exact; NaN where the world would not say this
    possible: bool  # could the world have told this for this source?
    known_source: bool  # does the world tell the source at all?


@dataclass(frozen=True, slots=True, eq=False)
class TextResult:
    language: str
    labels: list[str]  # (T,) `<|bos|> <|en|> … <|eos|>`
    asked: list[int]  # (N,) positions of the text's own tokens
    candidates: list[
        list[str]
    ]  # (N, CANDIDATES) likely answers, the likeliest for any reader first
    decoder: Answers
    decoder_exact: Answers  # given the left side
    encoder: Answers
    encoder_exact: Answers  # given both sides
    translation: Translation
    maps: dict[
        str, np.ndarray
    ]  # "decoder" (L, T, T), "encoder" (L, T, T), "cross" (L, T', S): mean of heads
    dropped_tokens: int


# ----- the idea: the same text, asked in two ways


@torch.no_grad()
def ask_for_next(model: Transformer, ids: list[int], asked: list[int]) -> Tensor:
    """A decoder's belief about each asked token, given those before it: one pass.  -> (N, V)"""
    logits = model(torch.tensor([ids])).logits[0]
    return logits[torch.tensor(asked) - 1].softmax(dim=-1)


@torch.no_grad()
def ask_for_hidden(model: Transformer, ids: list[int], asked: list[int], mask_id: int) -> Tensor:
    """An encoder's belief about each asked token, given all others: N texts, one gap in each.  -> (N, V)"""
    rows = torch.arange(len(asked))
    texts = torch.tensor(ids).repeat(len(asked), 1)
    texts[rows, asked] = mask_id
    return model(texts).logits[rows, asked].softmax(dim=-1)


# ----- the run


def run(config: TextConfig) -> TextResult:
    tokenizer = world().tokenizer
    words = tokenizer.encode(config.text[:MOST_CHARACTERS].strip())
    language = language_of(config.text)
    ids = framed(words[:MOST_TOKENS], language)
    asked = list(range(2, len(ids) - 1))
    decoder, encoder = load("world-decoder").model, load("world-encoder").model
    beliefs = [
        ask_for_next(decoder, ids[:-1], asked).numpy(),
        exact_next(ids, asked),
        ask_for_hidden(encoder, ids, asked, tokenizer.mask_id).numpy(),
        exact_hidden(ids, asked),
    ]  # each (N, V)
    likely = likeliest(beliefs)
    answers = [answers_of(belief, [ids[place] for place in asked], likely) for belief in beliefs]
    source = tokenizer.encode(config.source[:MOST_CHARACTERS].strip()) or words
    translation, cross = translate(source[:MOST_TOKENS])
    return TextResult(
        language,
        [tokenizer.label(token) for token in ids],
        asked,
        [[tokenizer.label(token) for token in row] for row in likely.tolist()],
        *answers,
        translation,
        {
            "decoder": head_means(decoder, ids[:-1], "attn"),
            "encoder": head_means(encoder, ids, "attn"),
            "cross": cross,
        },
        max(0, len(words) - MOST_TOKENS),
    )


def framed(words: list[int], language: str) -> list[int]:
    """A text as encoder and decoder were trained to see it."""
    special = world().tokenizer.special_id
    return [special("<|bos|>"), special(f"<|{language}|>"), *words, special("<|eos|>")]


def exact_next(ids: list[int], asked: list[int]) -> np.ndarray:
    """Of a story that begins so, each next token.  -> (N, V), NaN if no story does"""
    rows = world().next_token_distributions(ids[:-1])
    if rows is None:
        return np.full((len(asked), world().tokenizer.vocab_size), UNKNOWN)
    return rows[np.array(asked) - 1]


def exact_hidden(ids: list[int], asked: list[int]) -> np.ndarray:
    """Of this passage, each token given all others.  -> (N, V), NaN if no passage agrees with them"""
    rows = [world("passages").masked_posterior(ids, {place}) for place in asked]
    unknown = np.full(world().tokenizer.vocab_size, UNKNOWN)
    return np.stack(
        [unknown if row is None else row[place] for row, place in zip(rows, asked, strict=True)]
    )


def likeliest(beliefs: list[np.ndarray]) -> np.ndarray:
    """The tokens that any reader finds most probable.  each (N, V) -> (N, CANDIDATES)"""
    best = np.nanmax(np.stack(beliefs), axis=0)  # the models always know: never all NaN
    return np.argsort(-best, axis=1, kind="stable")[:, :CANDIDATES]


def answers_of(belief: np.ndarray, truth: list[int], likely: np.ndarray) -> Answers:
    """-ln p of the truth; NaN too where a text that the world never tells makes it impossible."""
    shares = belief[np.arange(len(truth)), truth]
    with np.errstate(divide="ignore"):
        nats = -np.log(shares)
    return Answers(
        np.where(np.isfinite(nats), nats, UNKNOWN).astype(np.float32),
        np.take_along_axis(belief, likely, axis=1).astype(np.float32),
    )


@torch.no_grad()
def translate(words: list[int]) -> tuple[Translation, np.ndarray]:
    """The translator's likeliest Chinese for this text, and where it looked.  -> also (L, T', S)"""
    tokenizer, model = world().tokenizer, load("world-translator").model
    source = [tokenizer.special_id("<|en|>"), *words, tokenizer.eos_id]
    start = [tokenizer.bos_id, tokenizer.special_id("<|zh|>")]
    sampling = SamplingConfig(temperature=0, max_new_tokens=MOST_WRITTEN)
    steps = list(generate(model, start, sampling, {tokenizer.eos_id}, source))
    written = [step.token for step in steps]
    nats = [-float(step.logits.log_softmax(dim=0)[step.token]) for step in steps]
    exact = world().translation_nats(source, [*start, *written])
    translation = Translation(
        text=tokenizer.decode(written),
        written=[tokenizer.label(token) for token in written],
        source=[tokenizer.label(token) for token in source],
        nats=np.array(nats, np.float32),
        floor=np.array([UNKNOWN] * len(nats) if exact is None else exact[1:], np.float32),
        possible=exact is not None,
        known_source=world().translation_distribution(source, start) is not None,
    )
    return translation, head_means(model, [*start, *written][:-1], "cross", source)[:, 1:]


@torch.no_grad()
def head_means(
    model: Transformer, ids: list[int], part: str, source: list[int] | None = None
) -> np.ndarray:
    """Attention of each layer, mean of its heads.  -> (L, T, T or S)"""
    context = None if source is None else torch.tensor([source])
    trace = model(torch.tensor([ids]), context=context, trace=True).trace
    layers = range(model.config.num_layers)
    return torch.cat([trace[f"layers.{i}.{part}.weights"].mean(dim=1) for i in layers]).numpy()
