"""Bayes' rule while reading: which of eight plots is this story, after each of its tokens?

The plot is never said. Each plot is an automaton of its own and gives a probability to every beginning;
Bayes' rule turns these into the probability of each plot. A token that all plots in question say equally
often moves nothing; one that only a single plot can say decides.

Two mistakes to compare: a prior that is too sure of one plot, and taking tokens as independent of each other
(naive Bayes: P(tokens | plot) replaced by a product of how often the plot says each of them).

Axes: T tokens, P plots.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.foundations.bayes import posterior
from labcore.text import automaton
from labcore.text.automaton import Automaton, Spelled
from labcore.text.grammar import End, Say, Storyteller, is_special
from labcore.text.stories import BOS, EOS, LANGUAGES, PLOTS, named, tell_beats
from labcore.text.world import micro_world

NAMES = ("lost", "loan", "gift", "visit", "meal", "count", "race", "sound")  # of PLOTS, in order
TAUGHT = 60  # stories of each plot from which naive Bayes counts
COUNT_SEED = 5


@lab_config
class PlotConfig:
    plot: str = "meal"  # what the story really is
    language: str = "en"
    favoured: str = "count"  # the plot that the prior favours
    prior: float = (
        0.125  # its prior probability, not 0: that no evidence can move; the others share the rest
    )
    seed: int = 0  # of the story

    def __post_init__(self):
        check_choices(self, {"plot": NAMES, "favoured": NAMES, "language": LANGUAGES})
        check_limits(self, {"prior": (0.001, 0.999)})


@dataclass(frozen=True, slots=True, eq=False)
class PlotResult:
    labels: list[str]  # (T,) tokens from <|bos|> on
    prior: np.ndarray  # (P,)
    posterior: np.ndarray  # (T, P) after each token
    naive: np.ndarray  # (T, P) the same by naive Bayes
    learnt_nats: np.ndarray  # (T,) KL(after ‖ before) of each token
    entropy_nats: np.ndarray  # (T,) of the posterior
    settled: (
        int  # tokens after which the true plot has 0.95 for good; 0 if it had from the beginning
    )


@lru_cache(maxsize=16)
def automaton_of(plot: str, language: str) -> Automaton:
    """The automaton of one plot, in tokens."""
    beats = named(PLOTS[NAMES.index(plot)])
    words = Storyteller(
        Say(BOS, Say(f"<|{language}|>", tell_beats(beats, language, Say(EOS, End()))))
    )
    return Spelled(words, micro_world().spell)


def tell(plot: str, language: str, generator: torch.Generator) -> list[int]:
    """A story of this plot, as ids."""
    world = micro_world()
    words = automaton_of(plot, language).words.tell(generator)
    text = "".join(word for word in words if not is_special(word))
    special = world.tokenizer.special_id
    return [special(BOS), special(f"<|{language}|>"), *world.tokenizer.encode(text), special(EOS)]


def likelihoods(ids: list[int], language: str) -> np.ndarray:
    """ln P(first t tokens | plot), for every t and plot; −inf once a plot cannot say it.  -> (T, P)"""
    table = np.full((len(ids), len(NAMES)), -np.inf)
    for number, plot in enumerate(NAMES):
        machine = automaton_of(plot, language)
        belief, logs = automaton.initial_belief(machine), 0.0
        for t, token in enumerate(ids):
            probability, belief = automaton.advance(machine, belief, token)
            if not belief:
                break
            logs += np.log(probability)
            table[t, number] = logs
    return table


@lru_cache(maxsize=2)
def word_shares(language: str) -> np.ndarray:
    """How often each plot says each token, counted in stories, one added to every count.  -> (P, V)"""
    generator = torch.Generator().manual_seed(COUNT_SEED)
    counts = np.ones((len(NAMES), micro_world().tokenizer.vocab_size))
    for number, plot in enumerate(NAMES):
        for _ in range(TAUGHT):
            np.add.at(counts[number], tell(plot, language, generator), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def from_logs(prior: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Bayes' rule for likelihoods so small that only their logarithms can be kept.  (P,), (T, P) -> (T, P)"""
    return posterior(prior, np.exp(logs - logs.max(axis=1, keepdims=True)))


def run(config: PlotConfig) -> PlotResult:
    ids = tell(config.plot, config.language, torch.Generator().manual_seed(config.seed))
    prior = np.full(len(NAMES), (1 - config.prior) / (len(NAMES) - 1))
    prior[NAMES.index(config.favoured)] = config.prior
    after = from_logs(prior, likelihoods(ids, config.language))
    shares = word_shares(config.language)[:, ids]  # (P, T)
    naive = from_logs(prior, np.cumsum(np.log(shares), axis=1).T)
    before = np.vstack([prior, after[:-1]])
    true = after[:, NAMES.index(config.plot)]
    unsure = np.flatnonzero(true < 0.95)
    return PlotResult(
        [micro_world().tokenizer.label(token) for token in ids], prior, after, naive,
        divergence(after, before), -(after * np.log(np.where(after > 0, after, 1))).sum(axis=1),
        min(int(unsure[-1]) + 2, len(ids)) if len(unsure) else 0,
    )  # fmt: skip


def divergence(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """KL(after ‖ before) of each row: what a token has taught.  (T, P), (T, P) -> (T,)"""
    ratio = np.where(after > 0, after / np.where(before > 0, before, 1), 1)
    return (after * np.log(ratio)).sum(axis=1)
