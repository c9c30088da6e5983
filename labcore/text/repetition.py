"""Random tokens that repeat: text without meaning in which only copying can help.

Each row draws a period, then that many random tokens, and tells them again and again. What comes next
can be known exactly: it is new until the period is over and an echo from then on, and a reader who
does not know the period weighs all that are still possible. So the lowest possible loss is known.

The period differs from row to row; were it fixed, a head that looks back a fixed distance would pass
for one that finds the earlier occurrence (Olsson et al., arXiv:2209.11895, call the latter induction).

Two sorts: `rows` draws each token by itself, so a token may stand in its period twice; `distinct_rows`
draws no token twice, so whoever finds a token's earlier place knows what follows.
"""

import math
from collections.abc import Sequence

import torch

PERIODS = range(4, 29)
LENGTH = 60


def rows(
    vocabulary: Sequence[int], size: int, generator: torch.Generator, length: int = LENGTH
) -> list[list[int]]:
    """`size` rows of `length` tokens of `vocabulary`, each with a period drawn from `PERIODS`."""
    choices = torch.as_tensor(vocabulary)
    drawn = []
    for _ in range(size):
        at = torch.randint(len(PERIODS), (1,), generator=generator).item()
        period = choices[torch.randint(len(choices), (PERIODS[at],), generator=generator)]
        drawn.append(period.repeat(length // len(period) + 1)[:length].tolist())
    return drawn


def row_nats(row: Sequence[int], vocabulary_size: int) -> list[float]:
    """-ln P(token | all before) of each token of a row, in nats.

    Bayes over the period: each is as likely as any other at first, and drops out at the first token
    that it does not explain. A period p says that token t is new if t < p, and a copy of t - p else.
    """
    chance = 1 / vocabulary_size
    believed = dict.fromkeys(PERIODS, 1 / len(PERIODS))
    nats = []
    for place, token in enumerate(row):
        said = {
            period: chance if place < period else float(row[place - period] == token)
            for period in believed
        }
        total = sum(believed[period] * said[period] for period in believed)
        nats.append(-math.log(total))
        believed = {p: believed[p] * said[p] / total for p in believed if said[p] > 0}
    return nats


def distinct_rows(
    vocabulary_size: int, size: int, generator: torch.Generator, length: int, periods: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """`size` rows of `length` tokens, no token twice in a period.  -> (N, T) tokens, (N,) periods

    Each row draws its period from `periods`, all alike.
    """
    period = torch.as_tensor(periods)[torch.randint(len(periods), (size,), generator=generator)]
    shuffled = torch.rand(size, vocabulary_size, generator=generator).argsort(dim=1)
    return shuffled.gather(1, torch.arange(length) % period[:, None]), period


def distinct_row_nats(
    period: int, length: int, vocabulary_size: int, periods: Sequence[int]
) -> list[float]:
    """-ln P(token | all before) of each token of a distinct row, in nats: the same for all rows of a period.

    The first token that returns tells that the period is over; all that follow are then certain. Until
    there, of the periods that are still possible one may end here, and the others say "a new token".
    """
    nats = []
    for place in range(length):
        possible = [p for p in periods if p >= place]  # those that have not ended before
        ends = possible.count(place) / len(possible) if place <= period else 0.0
        if place < period:
            nats.append(-math.log((1 - ends) / (vocabulary_size - place)))
        else:
            nats.append(-math.log(ends) if place == period else 0.0)
    return nats
