"""A world in which the true reward is known: a small policy answers sums, sometimes with a shout.

A prompt is a sum of two two-digit numbers, six tokens wide ("37+48="); an answer is digits, then up to
two exclamation marks, then the end. Whether the digits are right is a matter of arithmetic, so every
learned reward can be held against the truth; the marks are a habit without value, which raters may
like and a policy may learn to please them with.

Axes: B answers, P = 6 prompt tokens, R response tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SYMBOLS = "0123456789+=!"
END, PAD = len(SYMBOLS), len(SYMBOLS) + 1
VOCAB_SIZE = len(SYMBOLS) + 2
PLUS, EQUALS, MARK = (SYMBOLS.index(symbol) for symbol in "+=!")
PROMPT_TOKENS = 6
RESPONSE_TOKENS = 8  # room for three digits, marks and the end
MOST_MARKS = 2  # in the text that the policy was first trained on
LOWEST, HIGHEST = 10, 99
HELD_OUT_EVERY = 7  # a sum whose number divides by this is never trained on


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums to answer, row by row."""

    left: Tensor  # (B,) int64, 10 to 99
    right: Tensor  # (B,)

    @property
    def tokens(self) -> Tensor:
        """ "37+48=" as tokens.  -> (B, P)"""
        columns = [self.left // 10, self.left % 10, None, self.right // 10, self.right % 10, None]
        columns[2], columns[5] = (torch.full_like(self.left, sign) for sign in (PLUS, EQUALS))
        return torch.stack(columns, dim=1)

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, rows) -> "Sums":
        return Sums(self.left[rows], self.right[rows])

    def repeated(self, times: int) -> "Sums":
        """Every sum `times` times, side by side: a group of answers to each."""
        return Sums(self.left.repeat_interleave(times), self.right.repeat_interleave(times))


def all_sums(held_out: bool) -> Sums:
    """Every sum of its kind: 6,942 to train on, 1,158 held out."""
    width = HIGHEST - LOWEST + 1
    number = torch.arange(width * width)
    number = number[(number % HELD_OUT_EVERY == 0) == held_out]
    return Sums(LOWEST + number // width, LOWEST + number % width)


def draw_sums(size: int, generator: torch.Generator, held_out: bool = False) -> Sums:
    """Random sums, with replacement."""
    known = all_sums(held_out)
    return known[torch.randint(len(known), (size,), generator=generator)]


def written(values: Tensor, marks: Tensor) -> Tensor:
    """Answers as a person would write them: digits, marks, the end, padding.  (B,), (B,) -> (B, R)

    >>> [text_of(row) for row in written(torch.tensor([85, 142]), torch.tensor([0, 2]))]
    ['85', '142!!']
    """
    rows = torch.full((len(values), RESPONSE_TOKENS), PAD)
    pairs = zip(values.tolist(), marks.tolist(), strict=True)
    for row, (value, shouts) in zip(rows, pairs, strict=True):
        tokens = [*map(int, str(value)), *[MARK] * shouts, END][:RESPONSE_TOKENS]
        row[: len(tokens)] = torch.tensor(tokens)
    return rows


def is_right(sums: Sums, responses: Tensor) -> Tensor:
    """Whether what stands before the marks is the sum, and nothing follows them.  (B, R) -> (B,) bool

    An answer that never ends is wrong. Marks do not count either way.
    """
    expected = written(sums.left + sums.right, count_marks(responses))
    ended = (responses == END).any(dim=1)
    return ended & (expected == responses).all(dim=1)


def count_marks(responses: Tensor) -> Tensor:
    """Exclamation marks in each answer.  (B, R) -> (B,)"""
    return (responses == MARK).sum(dim=1)


def text_of(tokens: Tensor) -> str:
    """What stands there, without end and padding."""
    return "".join(SYMBOLS[token] for token in tokens.tolist() if token < len(SYMBOLS))
