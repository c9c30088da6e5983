"""Long held-out rows to read: of the micro-world story after story, for a published model plain English.

Axes: R rows, T tokens.
"""

import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import draw_story
from labcore.errors import LabInputError
from labcore.text.corpora import python_topics
from labcore.zoo import LoadedModel

LANGUAGES = ("en", "zh")
APART = 20_000  # seeds of two purposes never meet


def long_rows(loaded: LoadedModel, rows: int, tokens: int, seed: int) -> Tensor:
    """Rows of `tokens` tokens without padding, each of texts that no other row has.  -> (R, T)"""
    rng = torch.Generator().manual_seed(APART + seed)
    if loaded.card.family == "lab":
        return torch.tensor([stories_in_a_row(tokens, rng) for _ in range(rows)])
    topics = python_topics()
    order = torch.randperm(len(topics), generator=rng).tolist()
    found = []
    for at in order:
        ids = loaded.tokenizer.encode(topics[at])
        if len(ids) >= tokens:
            found.append(ids[:tokens])
        if len(found) == rows:
            return torch.tensor(found)
    raise LabInputError("rows", rows, "at_most", limit=len(found))


def stories_in_a_row(tokens: int, rng: torch.Generator) -> list[int]:
    """Whole stories, each opened and closed as the model was trained to see them, the last one cut."""
    row: list[int] = []
    while len(row) < tokens:
        row += draw_story(LANGUAGES, "stories", "held_out", rng)
    return row[:tokens]
