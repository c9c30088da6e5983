"""The same text written twice: with a key/value cache, and without one.

Without it, each new token has the model read the whole text so far again; with it, one token. What comes
out must be the same, token by token; what it costs is timed here and counted beside.

Time is the processor's time for this computation, not that on the wall: it does not count whatever
else the machine is busy with.
Axes: N tokens written, R rounds, V vocabulary.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from labcore import zoo
from labcore.architecture.prompt import frame
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.counting import count_flops, kv_cache_bytes
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.zoo import LoadedModel

WAYS = ("cached", "uncached")
LIMITS = {"new_tokens": (8, 256), "rounds": (1, 9)}
WARM_UP_TOKENS = 8
MOST_PROMPT_TOKENS = 64
FP32_BYTES = 4


@lab_config
class RaceConfig:
    model: str = "world-decoder"
    text: str = "It was raining when"
    new_tokens: int = 192
    rounds: int = 3
    seed: int = 0  # of the draws: both ways throw the same dice

    def __post_init__(self):
        check_limits(self, LIMITS)
        if not self.text.strip():
            raise LabInputError("text", self.text, "not_empty")


# What the page opens on, by language; and the same on a published model, whose passes are dear.
TEXTS = {"en": "It was raining when", "zh": "有一天，小明"}
PUBLISHED = RaceConfig(
    "smollm2-135m-instruct", "The cache of a language model keeps the keys and values of", 32
)
RECORDED = {language: RaceConfig(text=text) for language, text in TEXTS.items()}
RECORDED["smollm2"] = PUBLISHED


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The rounds so far, N as long as the race is to be."""

    share: float  # of the run done
    milliseconds: dict[str, np.ndarray]  # (rounds so far, N) by way


@dataclass(frozen=True, slots=True, eq=False)
class RaceResult:
    prompt_tokens: int
    milliseconds: dict[str, np.ndarray]  # (R, N) by way: for each token written
    flops: dict[str, np.ndarray]  # (N,) by way: matrix products, counted by formula
    cache_bytes: np.ndarray  # (N,) what the cache holds when a token has been read
    tokens: dict[str, np.ndarray]  # (N,) ids that were written
    first_difference: int  # the first token in which the ways differ; -1 if none
    largest_gap: float  # between the two ways' logits at the same place, as far as the texts agree
    text: str  # up to the model's end of text
    story_tokens: int  # tokens in `text`

    def total_seconds(self, way: str) -> np.ndarray:
        """(R,)"""
        return self.milliseconds[way].sum(axis=1) / 1e3


def run(config: RaceConfig) -> RaceResult:
    return drain(race(config))


@torch.no_grad()
def race(config: RaceConfig) -> Generator[Look, None, RaceResult]:
    """Round after round both ways in turn, so that a busy moment of the machine hits both."""
    loaded = zoo.load(config.model)
    prompt = opening(loaded, config.text)
    times: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    for way in WAYS:  # warm-up: the first passes also set things up
        list(write(loaded.model, prompt, way, config.seed, WARM_UP_TOKENS))
    for round_number in range(config.rounds):
        written = {}
        for way in WAYS:
            steps = timed(write(loaded.model, prompt, way, config.seed, config.new_tokens))
            written[way] = [token for token, _ in steps]
            times[way].append(np.array([seconds for _, seconds in steps]) * 1e3)
        share = (round_number + 1) / config.rounds
        yield Look(share, {way: np.array(rows) for way, rows in times.items()})
    ids = {way: np.array([one.token for one in written[way]]) for way in WAYS}
    differing = np.flatnonzero(ids["cached"] != ids["uncached"])
    agreed = int(differing[0]) if len(differing) else config.new_tokens
    gap = max(
        float((one.logits - other.logits).abs().max())
        for one, other in zip(*(written[way][:agreed + 1] for way in WAYS), strict=True)
    )  # fmt: skip
    ends = np.flatnonzero(ids["cached"] == loaded.tokenizer.eos_id)
    story = int(ends[0]) if len(ends) else config.new_tokens
    return RaceResult(
        prompt_tokens=len(prompt),
        milliseconds={way: np.array(rows) for way, rows in times.items()},
        flops={way: work(loaded.model.config, way, len(prompt), config.new_tokens) for way in WAYS},
        cache_bytes=grown(loaded.model.config, len(prompt), config.new_tokens),
        tokens=ids,
        first_difference=-1 if agreed == config.new_tokens else agreed,
        largest_gap=gap,
        text=loaded.tokenizer.decode([*prompt, *ids["cached"][:story].tolist()]),
        story_tokens=story,
    )


def opening(loaded: LoadedModel, text: str) -> list[int]:
    """The tokens that the model reads before it writes."""
    before, _ = frame(loaded, text)
    return [*before, *loaded.tokenizer.encode(text)][:MOST_PROMPT_TOKENS]


def write(model: Transformer, prompt: list[int], way: str, seed: int, tokens: int) -> Iterator:
    """One text. The only difference between the ways is `use_cache`."""
    config = SamplingConfig(max_new_tokens=tokens, seed=seed, use_cache=way == "cached")
    return generate(model, prompt, config)


def timed(steps: Iterator) -> list[tuple]:
    """What an iterator gives, each with the processor seconds that it took."""
    found, started = [], time.thread_time()
    for step in steps:
        found.append((step, time.thread_time() - started))
        started = time.thread_time()
    return found


def work(config: ModelConfig, way: str, prompt: int, tokens: int) -> np.ndarray:
    """FLOPs of each pass, the first of which reads the prompt either way.  -> (N,)"""

    def flops(new: int, cached: int) -> int:
        return sum(work.flops for work in count_flops(config, new, cached))

    first = flops(prompt, 0)
    if way == "uncached":
        return np.array([flops(prompt + n, 0) for n in range(tokens)], np.float64)
    return np.array([first, *(flops(1, prompt + n) for n in range(tokens - 1))], np.float64)


def grown(config: ModelConfig, prompt: int, tokens: int) -> np.ndarray:
    """Bytes of the cache after each pass.  -> (N,)"""
    return np.array([kv_cache_bytes(config, prompt + n, FP32_BYTES) for n in range(tokens)])
