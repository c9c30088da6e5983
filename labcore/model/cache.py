"""The key/value cache: what a decoder keeps so that each token is read only once.

A new token needs the keys and values of all earlier ones, and these never change again. Without the
cache, writing N tokens costs N passes over up to N tokens; with it, N passes over one.
"""

import torch
from torch import Tensor

from labcore.errors import LabInputError


class Room:
    """Memory with space behind what it holds, so that a token is added without copying all before it.

    When it is full it moves to twice the space: N tokens cost N + 2N copies instead of N²/2.
    """

    def __init__(self):
        self.space: Tensor | None = None  # (…, C, d), C tokens of space
        self.held: Tensor | None = None  # (…, S, d), the view of it that was given out last

    def append(self, old: Tensor, new: Tensor) -> Tensor:
        """Both, one after the other.  (…, S, d), (…, T, d) -> (…, S + T, d)

        subtle: only the tensor given out last may be written behind. Any other (rolled back, rounded, of
        other rows) is copied to a new space, since whoever holds the longer one still reads it.
        """
        past, length = old.shape[-2], old.shape[-2] + new.shape[-2]
        if old is not self.held or length > self.space.shape[-2]:
            self.space = old.new_empty(*old.shape[:-2], 2 * length, old.shape[-1])
            self.space[..., :past, :] = old
        self.space[..., past:length, :] = new
        self.held = self.space[..., :length, :]
        return self.held


class KVCache:
    """What each layer remembers of the tokens read so far.

    Multi-head attention stores keys and values (B, K, S, d); latent attention stores the latent (B, S, r)
    and the shared rotated key (B, S, d_rope); cross-attention stores the context's keys and values once.
    """

    def __init__(self):
        self.entries: dict[str, tuple[Tensor, ...]] = {}
        self._rooms: dict[str, tuple[Room, ...]] = {}  # where the entries lie, as long as they do
        self.positions: Tensor | None = None  # (1 or B, S) where each remembered token stands
        self.padding_mask: Tensor | None = None  # (B, S), None if every token is real
        self.context_padding_mask: Tensor | None = None  # (B, C), of the encoder's input

    @property
    def length(self) -> int:
        """S, tokens read so far."""
        return 0 if self.positions is None else self.positions.shape[1]

    def update(self, layer: str, *new: Tensor) -> tuple[Tensor, ...]:
        """Append a layer's tensors for the new tokens and return those of all tokens.

        Each tensor has its token axis second to last.
        """
        old = self.entries.get(layer)
        if old is not None:
            new = self._longer(layer, old, new)
        self.entries[layer] = new
        return new

    def _longer(
        self, layer: str, old: tuple[Tensor, ...], new: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """Each of the old tensors with the new one behind it."""
        if torch.is_grad_enabled():  # autograd may need the old ones as they were
            return tuple(torch.cat(pair, dim=-2) for pair in zip(old, new, strict=True))
        rooms = self._rooms.setdefault(layer, tuple(Room() for _ in new))
        return tuple(room.append(*pair) for room, *pair in zip(rooms, old, new, strict=True))

    def read_on(
        self, positions: Tensor, padding_mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Note where new tokens stand and which are real; returns both for all tokens so far.

        positions (1 or B, T); padding_mask (B, T) for the new tokens, or None  -> (…, S), (B, S)
        """
        past = self.length
        self.padding_mask = _joined_padding(self.padding_mask, padding_mask, past, positions)
        if self.positions is not None:
            positions = torch.cat(_same_rows(self.positions, positions), dim=1)
        self.positions = positions
        return self.positions, self.padding_mask

    def roll_back(self, length: int) -> None:
        """Forget all tokens from place `length` on, as if they had never been read: guesses, say.

        What cross-attention keeps of its context stays.
        """
        if not 0 <= length <= self.length:
            raise LabInputError("length", length, "between", low=0, high=self.length)
        if length == self.length:
            return
        for name, kept in self.entries.items():
            if not name.endswith(".cross"):
                self.entries[name] = tuple(tensor[..., :length, :] for tensor in kept)
        self.positions = self.positions[:, :length]
        if self.padding_mask is not None:
            self.padding_mask = self.padding_mask[:, :length]

    def bytes(self) -> int:
        """Memory held, in bytes: the numbers that a longer text makes grow."""
        return sum(t.numel() * t.element_size() for kept in self.entries.values() for t in kept)


def _joined_padding(
    old: Tensor | None, new: Tensor | None, past: int, positions: Tensor
) -> Tensor | None:
    """Padding masks of the old and the new tokens as one; a side without one has no padding."""
    if old is None and new is None:
        return None
    rows = (old if new is None else new).shape[0]
    if new is None:
        new = torch.ones(rows, positions.shape[1], dtype=torch.bool, device=positions.device)
    if old is None:
        old = torch.ones(rows, past, dtype=torch.bool, device=positions.device)
    return torch.cat([old, new], dim=1)


def _same_rows(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    rows = max(one.shape[0], other.shape[0])
    return one.expand(rows, -1), other.expand(rows, -1)
