"""CLIP's loss: of all the captions in a batch, which one belongs to this picture, and the other way round?

Both are mapped to vectors of length one. The scaled products of all pictures with all captions form a square;
its diagonal holds the true pairs. Every row and every column is a question with B answers to choose from.

Source: Radford et al., arXiv:2103.00020, figure 3.
Axes: B pairs, E width of the shared space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.errors import LabInputError


def similarity(pictures: Tensor, captions: Tensor) -> Tensor:
    """Cosines of all pairs, picture by picture.  (B, E), (B, E) -> (B, B)"""
    return F.normalize(pictures, dim=-1) @ F.normalize(captions, dim=-1).T


def contrastive_loss(cosines: Tensor, temperature: float | Tensor) -> Tensor:
    """The mean of two cross-entropies, by rows and by columns.  (B, B) -> ()

    Its gradient in the scaled cosines is (row softmax + column softmax − 2·I) / 2B: wrong pairs are pushed
    apart as hard as they are taken for right. A small temperature looks at the hardest of them alone.
    Before anything is learnt, all alike, it is ln B.
    """
    warmth = float(torch.as_tensor(temperature).detach())
    if not warmth > 0:
        raise LabInputError("temperature", warmth, "positive")
    logits = cosines / temperature
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def found_at(cosines: Tensor, k: int = 1) -> tuple[float, float]:
    """Share of pictures whose caption is among the k nearest, and of captions whose picture is.  (B, B)

    A tie is no find: as many others as are at least as near count against it.
    """
    if not 1 <= k <= len(cosines):
        raise LabInputError("k", k, "between", low=1, high=len(cosines))
    own = cosines.diagonal()
    nearer = [
        (square >= own[:, None]).sum(dim=1) - 1 for square in (cosines, cosines.T)
    ]  # others at least as near as the true one
    return tuple(float((others < k).double().mean()) for others in nearer)
