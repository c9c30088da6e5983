"""One cache for several texts of different lengths: who comes in is joined, who is done is left out.

The texts stand at the right end of the cache, so that the next token of each goes to the same column; in
front of a short text lie columns that nobody may look at. Positions are told apart from columns, so each
text is read as if it were alone.

Axes: B texts, S columns.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.errors import LabInputError
from labcore.model.cache import KVCache


def join(caches: Sequence[KVCache]) -> KVCache:
    """The texts of several caches in one, in their order; the caches are left as they are.

    Worked by hand: texts of 2 and 3 tokens. Columns: 3. The first text gets one empty column in front;
    its mask is (no, yes, yes) and its positions (0, 0, 1), where the first 0 stands for nothing.
    """
    if not caches:
        raise LabInputError("caches", 0, "not_empty")
    longest = max(cache.length for cache in caches)
    joint = KVCache()
    for layer in caches[0].entries:
        kinds = zip(*(cache.entries[layer] for cache in caches), strict=True)
        joint.entries[layer] = tuple(
            torch.cat([_padded(tensor, longest) for tensor in kind]) for kind in kinds
        )
    masks, places = [], []
    for cache in caches:
        rows = len(next(iter(cache.entries.values()))[0])
        mask = cache.padding_mask
        if mask is None:
            mask = torch.ones(rows, cache.length, dtype=torch.bool)
        front = longest - cache.length
        masks.append(F.pad(mask, (front, 0), value=False))
        places.append(F.pad(cache.positions.expand(rows, -1), (front, 0)))
    joint.padding_mask, joint.positions = torch.cat(masks), torch.cat(places)
    return joint


def keep(cache: KVCache, rows: Sequence[int]) -> KVCache:
    """The same cache with these texts only; columns that none of them uses any more are cut off."""
    if not rows:
        return KVCache()
    at = torch.as_tensor(rows)
    mask = torch.ones(cache.positions.shape, dtype=torch.bool)
    if cache.padding_mask is not None:
        mask = cache.padding_mask
    mask = mask[at]  # (B, S)
    first = int(mask.any(dim=0).int().argmax())  # of the longest text
    kept = KVCache()
    for layer, tensors in cache.entries.items():
        kept.entries[layer] = tuple(tensor[at][..., first:, :] for tensor in tensors)
    kept.padding_mask = mask[:, first:]
    kept.positions = cache.positions.expand(len(cache.positions), -1)[at][:, first:]
    return kept


def _padded(tensor: Tensor, columns: int) -> Tensor:
    """Empty columns in front; the column axis is the second to last."""
    return F.pad(tensor, (0, 0, columns - tensor.shape[-2], 0))
