"""Speculative decoding: a small model guesses ahead, a large one checks all guesses in one pass.

The draft proposes k tokens, each drawn from its own distribution q. The target reads them together and has
its distribution p at each place. A guess x is kept with probability min(1, p(x)/q(x)); at the first that is
not, a token is drawn from what p has more of than q, max(0, p − q), and the rest is thrown away. If all are
kept, one more token comes free. What comes out is distributed exactly as if the target had written alone.

Sources: Leviathan et al., arXiv:2211.17192; Chen et al., arXiv:2302.01318.
Axes: k guesses, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.errors import LabInputError

RULES = ("exact", "likelier", "redraw")


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one round of guesses."""

    tokens: list[int]  # the guesses kept, and one token of the target's own
    kept: int  # guesses kept


def keep_chance(p: Tensor, q: Tensor, rule: str = "exact") -> Tensor:
    """How likely each token is kept if it is guessed.  (…, V), (…, V) -> (…, V)

    "likelier" is the rule one often reads: keep a guess if the target finds it at least as likely as
    the draft does. It looks sensible and is wrong: it never keeps what the draft overrates, even by a hair.
    "redraw" keeps as it should, and goes wrong after a refusal: see `instead`.
    """
    if rule not in RULES:
        raise LabInputError("rule", rule, "known_choice", allowed=RULES)
    if rule == "likelier":
        return (p >= q).to(p.dtype)
    # subtle: what the draft never guesses has no ratio; it is not kept or thrown away, it never comes.
    return (p / q.clamp(min=torch.finfo(q.dtype).tiny)).clamp(max=1)


def left_over(p: Tensor, q: Tensor) -> Tensor:
    """What to draw from after a guess was refused: where p is above q, by how much.  (…, V) -> (…, V)

    Worked by hand: p = (0.5, 0.3, 0.2), q = (0.2, 0.7, 0.1): surplus (0.3, 0, 0.1), so (0.75, 0, 0.25).
    """
    surplus = (p - q).clamp(min=0)
    total = surplus.sum(dim=-1, keepdim=True)
    # Where p = q no guess is ever refused; p itself keeps the row a distribution.
    return torch.where(total > 0, surplus / total.clamp(min=torch.finfo(p.dtype).tiny), p)


def instead(p: Tensor, q: Tensor, rule: str = "exact") -> Tensor:
    """What a refused guess is replaced from.  (…, V), (…, V) -> (…, V)

    "redraw" asks the target afresh, p itself: what the draft also likes then gets too much.
    """
    return p if rule == "redraw" else left_over(p, q)


def check(
    guesses: Tensor, p: Tensor, q: Tensor, generator: torch.Generator, rule: str = "exact"
) -> Checked:
    """Keep guesses from left to right until one is refused.  (k,), (k + 1, V), (k, V)

    p has one row more than there are guesses: the target's word after the last of them.
    """
    chance = keep_chance(p[:-1], q, rule)
    for place, guess in enumerate(guesses.tolist()):
        if torch.rand((), generator=generator) >= chance[place, guess]:
            rest = instead(p[place], q[place], rule)
            other = torch.multinomial(rest, 1, generator=generator)
            return Checked([*guesses[:place].tolist(), int(other)], place)
    free = torch.multinomial(p[-1], 1, generator=generator)
    return Checked([*guesses.tolist(), int(free)], len(guesses))


def written_distribution(p: Tensor, q: Tensor, rule: str = "exact") -> Tensor:
    """The distribution of the first token that comes out of a round, exactly.  (V,), (V,) -> (V,)

    A token comes out if it is guessed and kept, or if another guess is refused and it is drawn instead:
    q(x)·keep(x) + P(refused)·instead(x). With the exact rule the first term is min(p, q), the second the
    rest of p.
    """
    kept = q * keep_chance(p, q, rule)
    return kept + (1 - kept.sum()) * instead(p, q, rule)


def kept_share(p: Tensor, q: Tensor) -> Tensor:
    """How likely a guess is kept: Σ min(p, q), one less half their distance.  (…, V) -> (…)"""
    return torch.minimum(p, q).sum(dim=-1)


def expected_tokens(kept: float, guesses: int) -> float:
    """Tokens that a round brings on average, if each guess is kept with the same chance.

    1 + a + a² + … + a^k = (1 − a^(k+1)) / (1 − a).

    >>> expected_tokens(0.5, 2)
    1.75
    """
    if not 0 <= kept <= 1:
        raise LabInputError("kept", kept, "between", low=0, high=1)
    return float(sum(kept**place for place in range(guesses + 1)))


def speed_up(kept: float, guesses: int, draft_cost: float, check_cost: float = 1.0) -> float:
    """How much faster than the target alone: tokens of a round over its cost in passes of the target.

    `draft_cost`: a pass of the draft; `check_cost`: the target's pass over k + 1 tokens; both in units of the
    target's pass over one. Below 1 it is slower. Leviathan et al., theorem 3.8, is check_cost = 1.

    >>> speed_up(0.8, 4, draft_cost=0.1)  # 3.3616 / 1.4
    2.401...
    """
    return expected_tokens(kept, guesses) / (guesses * draft_cost + check_cost)
