"""How much faster is it really? Plain and speculative writing, timed in turns on this machine.

The formula takes three measured numbers: how often a guess is kept, what a pass of the draft costs, and
what the target's pass over k + 1 tokens costs, in units of its pass over one.

Time is processor time of this thread (torch must run on one): what others do on the machine does not count.
Axes: K numbers of guesses, R repeats.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.serving.draft import TARGET
from labcore.serving.speculating import (
    DRAFTS,
    Reader,
    Round,
    SpeculatingConfig,
    draft_of,
    opening_ids,
    speculate,
    write_plainly,
)
from labcore.serving.speculative import expected_tokens, speed_up
from labcore.zoo import load


@lab_config
class SpeedConfig:
    draft: str = "small"
    temperature: float = 1.0
    guesses: tuple[int, ...] = (1, 2, 3, 4, 6, 8)
    stories: int = 6  # written by each way in each repeat
    tokens: int = 40  # of each story: no stop, so that all write equally many
    repeats: int = 5
    seed: int = 0

    def __post_init__(self):
        if self.draft not in DRAFTS:
            raise LabInputError("draft", self.draft, "known_choice", allowed=DRAFTS)
        for name in ("stories", "tokens", "repeats"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)


@dataclass(frozen=True, slots=True)
class Repeat:
    """One round of all ways, in seconds per token."""

    number: int
    plain: float
    speculative: list[float]  # (K,)


@dataclass(frozen=True, slots=True, eq=False)
class Speed:
    guesses: np.ndarray  # (K,)
    plain_ms: np.ndarray  # (R,) per token
    speculative_ms: np.ndarray  # (K, R) per token
    tokens_per_round: np.ndarray  # (K,) measured
    kept_share: float  # of the guesses that were looked at
    draft_cost: float  # a pass of the draft, in passes of the target over one token
    check_cost: np.ndarray  # (K,) the target's pass over k + 1 tokens

    @property
    def speed_ups(self) -> np.ndarray:
        """(K, R) repeat by repeat: plain time over speculative time"""
        return self.plain_ms / self.speculative_ms

    @property
    def formula(self) -> np.ndarray:
        """(K,) what Leviathan's formula says with the measured numbers"""
        pairs = zip(self.guesses, self.check_cost, strict=True)
        return np.array([speed_up(self.kept_share, int(k), self.draft_cost, c) for k, c in pairs])

    @property
    def expected_tokens(self) -> np.ndarray:
        """(K,) tokens of a round, if every guess were kept with the same chance"""
        return np.array([expected_tokens(self.kept_share, int(k)) for k in self.guesses])


def measure(config: SpeedConfig) -> Generator[Repeat, None, Speed]:
    """Repeat 0 warms up and is thrown away; in each repeat every way writes every story once."""
    target = load(TARGET).model
    base = SpeculatingConfig(
        temperature=config.temperature, draft=config.draft, max_new_tokens=config.tokens
    )
    draft = draft_of(base)
    told = [replace(base, language=("en", "zh")[n % 2], seed=n) for n in range(config.stories)]
    repeats: list[Repeat] = []
    for number in range(config.repeats + 1):
        plain, times = 0.0, [0.0] * len(config.guesses)
        rounds = {k: [] for k in config.guesses}
        for story in told:  # every way in turn: a busy moment of the machine hits all alike
            seconds, _ = timed(partial(write_plainly, target, opening_ids(story), story))
            plain += seconds
            for place, k in enumerate(config.guesses):
                seconds, made = timed(partial(written, target, draft, replace(story, guesses=k)))
                times[place] += seconds
                rounds[k] += made
        per_token = 1 / (config.stories * config.tokens)
        repeats.append(Repeat(number, plain * per_token, [s * per_token for s in times]))
        if number:
            yield repeats[-1]
    costs = pass_costs(target, draft, [1, *(k + 1 for k in config.guesses)], config.temperature)
    return Speed(
        guesses=np.array(config.guesses),
        plain_ms=1e3 * np.array([one.plain for one in repeats[1:]]),
        speculative_ms=1e3 * np.array([one.speculative for one in repeats[1:]]).T,
        tokens_per_round=np.array([mean_tokens(rounds[k]) for k in config.guesses]),
        kept_share=kept_share([one for k in config.guesses for one in rounds[k]]),
        draft_cost=costs[0] / costs[1],
        check_cost=np.array(costs[2:]) / costs[1],
    )


def written(target: Transformer, draft: Transformer, story: SpeculatingConfig) -> list[Round]:
    return list(speculate(target, draft, opening_ids(story), story))


def timed(way: Callable[[], object]) -> tuple[float, object]:
    started = time.thread_time()
    result = way()
    return time.thread_time() - started, result


def mean_tokens(rounds: list[Round]) -> float:
    """The last round of a story may be cut short; what it would have brought is kept + 1."""
    return float(np.mean([one.kept + 1 for one in rounds if one.kept + 1 == len(one.tokens)]))


def kept_share(rounds: list[Round]) -> float:
    looked = [a for one in rounds for a in one.agreement[: one.checked]]
    return min(float(np.mean(looked)), 1.0)  # a softmax adds up to 1 but for its last digit


@torch.no_grad()
def pass_costs(
    target: Transformer, draft: Transformer, widths: list[int], temperature: float
) -> list[float]:
    """Seconds of a pass behind 40 tokens: the draft over one, the target over each width; medians."""
    text = opening_ids(SpeculatingConfig()) * 40

    def one_pass(model: Transformer, width: int) -> float:
        reader = Reader(model, temperature)
        reader.probs(text[:40], rows=1)
        return timed(lambda: reader.probs(text[: 40 + width], rows=width))[0]

    ways = [(draft, 1), *((target, width) for width in widths)]
    times = np.array([[one_pass(*way) for way in ways] for _ in range(31)])
    return np.median(times[1:], axis=0).tolist()
