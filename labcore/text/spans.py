"""Span corruption: runs of tokens make room for a mark each, and are asked for behind it.

T5 (Raffel et al., arXiv:1910.10683, section 3.1.4) hides 15 % of a text's tokens in spans of three on
average. Each span is replaced by one sentinel, and the target is every sentinel followed by what it hides:

>>> words = "Thank you for inviting me to your party last week".split()
>>> inputs, target = corrupt(words, [(2, 4), (8, 9)], ["<X>", "<Y>", "<Z>"])
>>> " ".join(inputs)
'Thank you <X> me to your party <Y> week'
>>> " ".join(target)
'<X> for inviting <Y> last <Z>'
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TypeVar

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError

Token = TypeVar("Token")
Span = tuple[int, int]  # first token, and the one after the last


@lab_config
class SpanConfig:
    """The defaults are T5's."""

    share: float = 0.15  # of the tokens, hidden
    mean_length: float = 3.0  # of a span, in tokens

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise LabInputError("share", self.share, "between", low=0, high=1)
        if not self.mean_length >= 1:
            raise LabInputError("mean_length", self.mean_length, "at_least", limit=1)

    def counts(self, length: int) -> tuple[int, int]:
        """How many of `length` tokens are hidden, and in how many spans; at least one stays shown."""
        hidden = min(max(1, round(length * self.share)), length - 1)
        return hidden, min(max(1, round(hidden / self.mean_length)), hidden, length - hidden)


def draw_spans(length: int, config: SpanConfig, generator: torch.Generator) -> list[Span]:
    """Which spans of a text are hidden, in order; between any two of them something is shown.

    As in T5's own code: hidden and shown tokens are each cut at random into equally many pieces, and the
    pieces alternate, shown ones first.
    """
    if length < 2:
        raise LabInputError("text", length, "at_least", limit=2)
    hidden, count = config.counts(length)
    gone, kept = cut(hidden, count, generator), cut(length - hidden, count, generator)
    ends = list(accumulate(piece for pair in zip(kept, gone, strict=True) for piece in pair))
    return list(zip(ends[0::2], ends[1::2], strict=True))


def cut(items: int, pieces: int, generator: torch.Generator) -> list[int]:
    """Lengths of `pieces` pieces of at least one item each; every way of cutting is equally likely."""
    places = torch.randperm(items - 1, generator=generator)[: pieces - 1] + 1
    return [stop - start for start, stop in pairwise([0, *sorted(places.tolist()), items])]


def corrupt(
    tokens: Sequence[Token], spans: Sequence[Span], sentinels: Sequence[Token]
) -> tuple[list[Token], list[Token]]:
    """What is shown and what is asked for; one sentinel more than spans closes the target."""
    if len(sentinels) <= len(spans):
        raise LabInputError("sentinels", len(sentinels), "at_least", limit=len(spans) + 1)
    inputs, target, shown_from = [], [], 0
    for (start, stop), sentinel in zip(spans, sentinels, strict=False):
        inputs += [*tokens[shown_from:start], sentinel]
        target += [sentinel, *tokens[start:stop]]
        shown_from = stop
    return [*inputs, *tokens[shown_from:]], [*target, sentinels[len(spans)]]


def restore(
    inputs: Sequence[Token], target: Sequence[Token], marks: Sequence[Token]
) -> list[Token]:
    """The text again: each sentinel's span put back in its place."""
    spans: dict[Token, list[Token]] = {}
    for token in target:
        if token in marks:
            spans[token] = said = []
        else:
            said.append(token)
    return [word for token in inputs for word in spans.get(token, [token])]
