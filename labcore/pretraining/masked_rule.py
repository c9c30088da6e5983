"""The rule of masked language modelling on one sentence: what is hidden, swapped, kept, and what is asked.

BERT's rule (arXiv:1810.04805, section 3.1) chooses 15 % of the tokens. Of these 80 % are hidden behind
[MASK], 10 % become a random token, 10 % stay as they are; all of them, and no others, are asked for.

Axes: B batch, T position, F fates (`masking.FATES`).
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world
from labcore.architecture.prompt import language_of
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.text import mask_units
from labcore.text.masking import FATES, IGNORE, SHOWN, MaskingConfig, disguise
from labcore.text.tokenizer import Tokenizer
from labcore.training.objectives import Batch

MOST_CHARACTERS = 600
MOST_TOKENS = 48  # of the sentence itself
DRAWS = (1, 2000)


@lab_config
class Rule:
    """How text becomes questions. The defaults are BERT's."""

    rate: float = 0.15  # share of the tokens that is chosen
    mask_share: float = 0.8  # of the chosen, behind [MASK]
    random_share: float = 0.1  # of the chosen, swapped; the rest is kept
    unit: str = "token"  # what is chosen together: mask_units.UNITS
    asked_share: float = 1.0  # of the chosen, asked for; below 1 some are hidden and never asked

    def __post_init__(self) -> None:
        self.shares()
        if self.unit not in mask_units.UNITS:
            raise LabInputError("unit", self.unit, "known_choice", allowed=mask_units.UNITS)
        if not 0 < self.asked_share <= 1:
            raise LabInputError("asked_share", self.asked_share, "between", low=0, high=1)

    def shares(self) -> MaskingConfig:
        return MaskingConfig(self.rate, self.mask_share, self.random_share)


ALL_HIDDEN = Rule(mask_share=1.0, random_share=0.0)  # every chosen token behind [MASK]


@lab_config
class RuleConfig:
    text: str
    rule: Rule = field(default_factory=Rule)
    draws: int = 500  # how often the dice are thrown for the statistics
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise LabInputError("text", self.text, "not_empty")
        if not DRAWS[0] <= self.draws <= DRAWS[1]:
            raise LabInputError("draws", self.draws, "between", low=DRAWS[0], high=DRAWS[1])


@dataclass(frozen=True, slots=True, eq=False)
class RuleResult:
    labels: list[str]  # (T,) `<|bos|> <|en|> … <|eos|>`
    words: np.ndarray  # (T,) which word each token belongs to
    maskable: np.ndarray  # (T,) bool: not special
    read: list[str]  # (T,) what the model reads
    fates: np.ndarray  # (T,) indices into masking.FATES
    asked: np.ndarray  # (T,) bool
    counts: np.ndarray  # (T, F) how often each token met each fate in `draws` throws
    asked_per_draw: np.ndarray  # (draws,) questions in each throw
    neighbour_share: (
        float  # of the chosen tokens, whose right neighbour is chosen too; NaN if none has one
    )
    draws: int
    dropped_tokens: int


# The idea.


def questions(
    shown: Batch, tokenizer: Tokenizer, fixed: Collection[int], rule: Rule, rng: torch.Generator
) -> tuple[Batch, Tensor]:
    """The rule on a batch in which all is shown.  -> the batch as the model gets it, fates (B, T)

    Ids in `fixed` (begin, end, language tags) are never chosen.
    """
    maskable = shown.padding_mask & ~torch.isin(shown.tokens, torch.tensor(sorted(fixed)))
    words = mask_units.word_numbers(shown.tokens, tokenizer) if rule.unit != "token" else None
    chosen = mask_units.choose(rule.unit, words, maskable, rule.rate, rng)
    inputs, fates = disguise(
        shown.tokens, chosen, tokenizer.mask_id, tokenizer.vocab_size, rng, rule.shares()
    )
    if rule.asked_share < 1:
        chosen = mask_units.choose_tokens(chosen, rule.asked_share, rng)
    targets = shown.tokens.where(chosen, IGNORE)
    return replace(shown, tokens=inputs, targets=targets), fates


# The run.


def run(config: RuleConfig) -> RuleResult:
    """The first of `draws` throws is the one on show."""
    tokenizer = world().tokenizer
    fixed = {tokenizer.special_id(name) for name in tokenizer.special_tokens}
    ids = tokenizer.encode(config.text[:MOST_CHARACTERS].strip())
    row = framed(ids[:MOST_TOKENS], config.text)
    tokens = torch.tensor(row).repeat(config.draws, 1)
    shown = Batch(
        tokens, torch.full_like(tokens, IGNORE), torch.ones_like(tokens, dtype=torch.bool)
    )
    rng = torch.Generator().manual_seed(config.seed)
    asked, fates = questions(shown, tokenizer, fixed, config.rule, rng)
    maskable = np.array([token not in fixed for token in row])
    return RuleResult(
        labels=[tokenizer.label(token) for token in row],
        words=mask_units.word_numbers(tokens[:1], tokenizer)[0].numpy(),
        maskable=maskable,
        read=[tokenizer.label(token) for token in asked.tokens[0].tolist()],
        fates=fates[0].numpy(),
        asked=(asked.targets[0] != IGNORE).numpy(),
        counts=np.stack([(fates == fate).sum(dim=0).numpy() for fate in range(len(FATES))], axis=1),
        asked_per_draw=(asked.targets != IGNORE).sum(dim=1).numpy(),
        neighbour_share=neighbour_share((fates != SHOWN).numpy(), maskable),
        draws=config.draws,
        dropped_tokens=max(0, len(ids) - MOST_TOKENS),
    )


def neighbour_share(chosen: np.ndarray, maskable: np.ndarray) -> float:
    """Of the chosen tokens that have a maskable one on their right, how many have it chosen.  (N, T), (T,)"""
    asked = chosen[:, :-1] & maskable[1:]
    return float(chosen[:, 1:][asked].mean()) if asked.any() else float("nan")


def framed(ids: list[int], text: str) -> list[int]:
    """A sentence as an encoder reads it: begin, language, the sentence, end."""
    special = world().tokenizer.special_id
    return [special("<|bos|>"), special(f"<|{language_of(text)}|>"), *ids, special("<|eos|>")]
