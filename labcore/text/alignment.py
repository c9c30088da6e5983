"""Which source words a translated word comes from, known exactly because the grammar told both.

A passage is told twice from the same decisions: who, which thing, which colour. A word that tells a
decision therefore has a true source: every word of the other language that tells the same one. Words
that stand in a template have none; nobody can say which English word a Chinese comma translates.

T tokens of the decoder's sequence, S tokens of the encoder's.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.text.grammar import is_special
from labcore.text.stories import BOS
from labcore.text.world import MicroWorld, Pair, pair_teller, split_of

Word = tuple[str, str | None]  # as it reads, and the variable that it tells


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPair:
    """A translation pair whose alignment is known."""

    pair: Pair
    source: list[int]  # (S,) `<|en|> … <|eos|>`
    target: list[int]  # (T,) `<|bos|> <|zh|> … <|eos|>`
    truth: np.ndarray  # (T, S) bool; row t: where target[t] comes from, if it opens such a word
    variables: list[str | None]  # (T,) the decision that target[t] opens a word for


def aligned_pair(world: MicroWorld, words: list[Word]) -> AlignedPair:
    """The pair that these words tell, source first, with its true alignment."""
    middle = [word for word, _ in words].index(BOS)
    sides = words[:middle], words[middle:]
    pair = Pair(*("".join(word for word, _ in side if not is_special(word)) for side in sides))
    (source, told), (target, asked) = (_spelled(world, side) for side in sides)
    asked = [why if opens else None for why, opens in asked]
    names = [why for why, _ in told]
    truth = np.array([[why is not None and why == name for name in names] for why in asked])
    return AlignedPair(pair, source, target, truth, asked)


def _spelled(
    world: MicroWorld, words: list[Word]
) -> tuple[list[int], list[tuple[str | None, bool]]]:
    """Ids, and for each the variable that its word tells and whether it opens the word."""
    ids, why = [], []
    for at, (word, variable) in enumerate(words):
        pieces = world.spell(word)
        ids += pieces
        opens = variable is None or at == 0 or words[at - 1][1] != variable
        why += [(variable, opens and piece == 0) for piece in range(len(pieces))]
    return ids, why


def aligned_pairs(
    world: MicroWorld, size: int, generator: torch.Generator, split: str = "train"
) -> list[AlignedPair]:
    """`size` pairs of one split."""
    kept: list[AlignedPair] = []
    while len(kept) < size:
        aligned = aligned_pair(world, pair_teller().tell_why(generator))
        if split_of(aligned.pair.en) == split:
            kept.append(aligned)
    return kept
