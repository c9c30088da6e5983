"""A cache that really is smaller: keys and values kept in bf16 or int8, and widened whenever they are read.

In int8 each token of each head has a scale of its own, so nothing has to be known beforehand. Reading
widens everything anew at every step: fewer bytes are held, and more work is done.

Axes: B batch, K key/value heads, S tokens, d width of a head.
"""

import torch
from torch import Tensor

from labcore.errors import LabInputError
from labcore.model.cache import KVCache

FORMS = ("fp32", "bf16", "int8")


def cache_in(form: str) -> KVCache:
    """An empty cache of this form."""
    if form not in FORMS:
        raise LabInputError("cache", form, "known_choice", allowed=FORMS)
    return {"fp32": KVCache, "bf16": HalfCache, "int8": ByteCache}[form]()


class HalfCache(KVCache):
    """Every number in 16 bits, of which bf16 keeps the range and 8 bits of the fraction."""

    def update(self, layer: str, *new: Tensor) -> tuple[Tensor, ...]:
        kept = super().update(layer, *(tensor.bfloat16() for tensor in new))
        return tuple(tensor.float() for tensor in kept)


class ByteCache(KVCache):
    """Codes (B, K, S, d) in int8 beside scales (B, K, S, 1): d bytes and 4 instead of 4·d."""

    def update(self, layer: str, *new: Tensor) -> tuple[Tensor, ...]:
        kept = super().update(layer, *(part for tensor in new for part in encode(tensor)))
        return tuple(
            codes.float() * scale for codes, scale in zip(kept[::2], kept[1::2], strict=True)
        )


def encode(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest of 255 levels around zero, token by token.  (…, S, d) -> (…, S, d) int8, (…, S, 1)

    Worked by hand: (0.5, −2) has the scale 2/127; 0.5 becomes 32 and comes back as 0.504, −2 is exact.
    """
    scale = tensor.abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / 127
    return (tensor / scale).round().to(torch.int8), scale
