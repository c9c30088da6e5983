"""Batches of unequal texts, next-token targets, and BERT's masking.

B batch, T position.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError

IGNORE = -100  # a position that asks nothing: `ignore_index` of torch's cross entropy

# What becomes of a token: not chosen, behind the mask, replaced by a random one, chosen but left alone.
FATES = ("shown", "hidden", "swapped", "kept")
SHOWN, HIDDEN, SWAPPED, KEPT = range(len(FATES))


@lab_config
class MaskingConfig:
    """How many tokens are chosen, and what becomes of them.

    The defaults are BERT's (Devlin et al., arXiv 1810.04805, section 3.1): of the 15 % chosen, 80 % are
    hidden behind the mask token, 10 % replaced by a random token, 10 % left as they are.  The last two
    keep the model from trusting what it sees, since no text carries mask tokens later on.
    """

    rate: float = 0.15
    mask_share: float = 0.8
    random_share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise LabInputError("rate", self.rate, "between", low=0, high=1)
        for name in ("mask_share", "random_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise LabInputError(name, getattr(self, name), "between", low=0, high=1)
        room = round(1 - self.mask_share, 9)
        if self.random_share > room:
            raise LabInputError("random_share", self.random_share, "at_most", limit=room)


def collate(sequences: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Sequences of unequal length as one batch.  -> tokens (B, T) int64, padding_mask (B, T) bool

    The padding mask is True where a token is real.
    """
    if not sequences or not all(len(sequence) for sequence in sequences):
        raise LabInputError("sequences", len(sequences), "not_empty")
    length = max(len(sequence) for sequence in sequences)
    tokens = torch.full((len(sequences), length), pad_id)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence)] = torch.tensor(sequence)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return tokens, torch.arange(length) < lengths[:, None]


def next_token_targets(tokens: Tensor, padding_mask: Tensor) -> Tensor:
    """What each position should predict: the token after it, IGNORE where none follows.  (B, T)"""
    targets = torch.full_like(tokens, IGNORE)
    targets[:, :-1] = tokens[:, 1:].where(padding_mask[:, 1:], IGNORE)
    return targets


def mask_tokens(
    tokens: Tensor,
    maskable: Tensor,
    mask_id: int,
    vocab_size: int,
    generator: torch.Generator,
    config: MaskingConfig | None = None,
) -> tuple[Tensor, Tensor]:
    """Choose positions of each row and disguise them.  -> inputs (B, T), targets (B, T)

    `maskable` (B, T) is True where a token may be chosen: real, and not special.  Of n such tokens
    round(rate · n) are chosen, at least one.  Targets hold the true token where chosen, IGNORE elsewhere.
    """
    config = config or MaskingConfig()
    chosen = choose_tokens(maskable, config.rate, generator)
    inputs, _ = disguise(tokens, chosen, mask_id, vocab_size, generator, config)
    return inputs, tokens.where(chosen, IGNORE)


def choose_tokens(maskable: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Of each row's maskable positions, those with the smallest random keys.  (B, T) bool"""
    keys = torch.rand(maskable.shape, generator=generator).masked_fill(~maskable, torch.inf)
    ranks = keys.argsort(dim=1).argsort(dim=1)
    return (ranks < wanted(maskable, rate)[:, None]) & maskable


def wanted(maskable: Tensor, rate: float) -> Tensor:
    """How many tokens each row is to give: round(rate · n), at least one if there is one.  (B,)"""
    available = maskable.sum(dim=1)
    return (available * rate).round().clamp(min=1).minimum(available)


def disguise(
    tokens: Tensor,
    chosen: Tensor,
    mask_id: int,
    vocab_size: int,
    generator: torch.Generator,
    config: MaskingConfig,
) -> tuple[Tensor, Tensor]:
    """Hide, swap or keep each chosen token.  -> inputs (B, T), fates (B, T), indices into FATES

    subtle: a swapped token is drawn from the whole vocabulary, so once in V times it is the true one.
    """
    fate = torch.rand(tokens.shape, generator=generator)
    random = torch.randint(vocab_size, tokens.shape, generator=generator)
    hidden = chosen & (fate < config.mask_share)
    swapped = chosen & ~hidden & (fate < config.mask_share + config.random_share)
    inputs = tokens.masked_fill(hidden, mask_id).where(~swapped, random)
    kept = chosen & ~hidden & ~swapped
    return inputs, hidden * HIDDEN + swapped * SWAPPED + kept * KEPT
