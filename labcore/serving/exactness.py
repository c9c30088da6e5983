"""Is the text still the target's own? The same few tokens drawn thousands of times, and tested.

Every way of drawing writes three tokens behind the same opening, over and over. The target's own chance of
each triple is known exactly: the product of its conditionals. A chi-square test compares the counts with
it; the target drawing alone shows how far apart chance by itself puts the two.
Axes: O outcomes (triples likely enough to be counted one by one, and all others together), S seeds.
"""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.generation import distributions
from labcore.model.transformer import Transformer
from labcore.serving.draft import TARGET
from labcore.serving.speculating import (
    SpeculatingConfig,
    draft_of,
    opening_ids,
)
from labcore.serving.speculative import RULES, check
from labcore.zoo import load

WAYS = ("plain", *RULES)
TOKENS = 3  # of each outcome: guesses, a refusal and a free token all take part
LEAST_EXPECTED = 5.0  # of an outcome that is counted by itself: below it chi-square is no guide
ROUNDS_PER_EVENT = 250


@lab_config
class ExactnessConfig:
    draws: int = 1000  # by each way
    guesses: int = 2
    temperature: float = 1.0
    draft_temperature: float = 0.5  # the draft may guess as it likes: the exact rule puts it right
    language: str = "en"
    seed: int = 0

    def __post_init__(self):
        for name in ("temperature", "draft_temperature"):
            if not 0.2 <= getattr(self, name) <= 4:
                raise LabInputError(name, getattr(self, name), "between", low=0.2, high=4)
        if not 100 <= self.draws <= 50_000:
            raise LabInputError("draws", self.draws, "between", low=100, high=50_000)
        SpeculatingConfig(self.guesses, language=self.language)


@dataclass(frozen=True, slots=True)
class Drawn:
    """So far: how often each way has drawn."""

    way: str
    draws: int


@dataclass(frozen=True, slots=True, eq=False)
class Exactness:
    outcomes: list[str]  # (O,) the triples as text; the last stands for all others
    expected: np.ndarray  # (O,) the target's probabilities
    counts: dict[str, np.ndarray]  # way -> (O,)

    def distance(self, way: str) -> float:
        """Total variation: half the sum of differences, the largest error in any event's chance."""
        shares = self.counts[way] / self.counts[way].sum()
        return float(np.abs(shares - self.expected).sum() / 2)

    def p_value(self, way: str) -> float:
        """How often chance alone gives counts at least this far off, if the way is exact."""
        counts, possible = self.counts[way], self.expected > 0
        if counts[~possible].any():
            return 0.0
        if possible.sum() == 1:  # nothing that could come out otherwise
            return 1.0
        expected = self.expected[possible] * counts.sum()
        return float(stats.chisquare(counts[possible], expected).pvalue)


class Beliefs:
    """A model's next-token distributions, each worked out once: thousands of draws share few prefixes."""

    def __init__(self, model: Transformer, opening: list[int], temperature: float):
        self.model, self.opening, self.temperature = model, opening, temperature
        self.known: dict[tuple[int, ...], Tensor] = {}

    def after(self, prefix: tuple[int, ...]) -> Tensor:
        """-> (V,)"""
        if prefix not in self.known:
            tokens = torch.tensor([[*self.opening, *prefix]])
            with torch.no_grad():
                logits = self.model(tokens).logits[0, -1]
            self.known[prefix] = distributions(logits.double(), self.temperature)
        return self.known[prefix]


def draw_plainly(p: Beliefs, rng: torch.Generator) -> tuple[int, ...]:
    text: tuple[int, ...] = ()
    while len(text) < TOKENS:
        text += (int(torch.multinomial(p.after(text), 1, generator=rng)),)
    return text


def draw_speculatively(
    p: Beliefs, q: Beliefs, guesses: int, rng: torch.Generator, rule: str
) -> tuple[int, ...]:
    """Round after round until there are enough tokens."""
    text: tuple[int, ...] = ()
    while len(text) < TOKENS:
        guessed = text
        for _ in range(guesses):
            guessed += (int(torch.multinomial(q.after(guessed), 1, generator=rng)),)
        places = [guessed[:end] for end in range(len(text), len(guessed) + 1)]
        checked = check(
            torch.tensor(guessed[len(text) :]),
            torch.stack([p.after(place) for place in places]),
            torch.stack([q.after(place) for place in places[:-1]]),
            rng, rule,
        )  # fmt: skip
        text += tuple(checked.tokens)
    return text[:TOKENS]


def likely_outcomes(p: Beliefs, least: float) -> dict[tuple[int, ...], float]:
    """All triples of at least this probability, most likely first: a tree search that cuts thin branches."""
    grown: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(TOKENS):
        grown = {
            (*text, int(token)): chance * float(p.after(text)[token])
            for text, chance in grown.items()
            for token in torch.nonzero(p.after(text) * chance >= least).flatten()
        }
    return dict(sorted(grown.items(), key=lambda pair: -pair[1]))


def beliefs(config: ExactnessConfig) -> tuple[Beliefs, Beliefs]:
    """Target and draft behind the opening of a story."""
    told = SpeculatingConfig(language=config.language)
    opening = opening_ids(told)
    return (
        Beliefs(load(TARGET).model, opening, config.temperature),
        Beliefs(draft_of(told), opening, config.draft_temperature),
    )


def compare(
    config: ExactnessConfig, known: tuple[Beliefs, Beliefs] | None = None
) -> Generator[Drawn, None, Exactness]:
    """Every way draws; the counts are put against the target's own probabilities."""
    p, q = known or beliefs(config)
    likely = likely_outcomes(p, LEAST_EXPECTED / config.draws)
    counts = {}
    for way in WAYS:
        rng = torch.Generator().manual_seed(config.seed)
        seen: Counter[tuple[int, ...]] = Counter()
        for number in range(1, config.draws + 1):
            seen[
                draw_plainly(p, rng) if way == "plain"
                else draw_speculatively(p, q, config.guesses, rng, way)
            ] += 1  # fmt: skip
            if number % ROUNDS_PER_EVENT == 0 or number == config.draws:
                yield Drawn(way, number)
        one_by_one = [seen[outcome] for outcome in likely]
        counts[way] = np.array([*one_by_one, config.draws - sum(one_by_one)])
    rest = max(1 - sum(likely.values()), 0.0)
    tokenizer = load(TARGET).tokenizer
    labels = [tokenizer.decode(outcome) for outcome in likely]
    return Exactness([*labels, "…"], np.array([*likely.values(), rest]), counts)
