"""A picture as a row of patches: each a vector, all read by a Transformer without a mask.

Patches stand four pixels apart and are eight wide, so that each shows its square and a margin around it: a
shape's edge is then never cut between two of them. Instead of a token of its own, the mean over the patches
speaks for the picture, so that every patch learns.

Source: Dosovitskiy et al., arXiv:2010.11929 (ViT); overlapping patches as in Wang et al., arXiv:2106.13797.
Axes: B pictures, P pixels a side, N patches, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.model.config import ModelConfig
from labcore.model.transformer import Output, Transformer
from labcore.vision.pictures import SIDE

STRIDE, WINDOW = 4, 8  # pixels from patch to patch, pixels a patch shows
GRID = SIDE // STRIDE
PATCHES = GRID**2


def patches(pictures: Tensor, window: int = WINDOW, stride: int = STRIDE) -> Tensor:
    """Cut each picture into squares, row by row.  (B, P, P, 3) -> (B, N, window² · 3)

    What a window shows of beyond the edge is the colour of the edge.
    """
    margin = (window - stride) // 2
    channels_first = pictures.permute(0, 3, 1, 2)
    padded = F.pad(channels_first, (margin,) * 4, mode="replicate")
    return F.unfold(padded, window, stride=stride).transpose(1, 2)


class Eye(nn.Module):
    """A small Vision Transformer."""

    def __init__(
        self, generator: torch.Generator, width: int = 64, layers: int = 2, heads: int = 4
    ):
        super().__init__()
        self.entry = nn.Linear(WINDOW * WINDOW * 3, width)
        config = ModelConfig(
            kind="encoder", vocab_size=1, hidden_size=width, num_layers=layers, num_heads=heads,
            positions="learned", max_positions=PATCHES, head="none",
        )  # fmt: skip
        self.transformer = Transformer(config, generator)
        with torch.no_grad():
            self.entry.weight.normal_(0, self.entry.in_features**-0.5, generator=generator)
            self.entry.bias.zero_()

    def forward(self, pictures: Tensor, trace: bool = False) -> Output:
        """(B, P, P, 3) -> hidden (B, N, D)"""
        entered = self.entry((patches(pictures) - 0.5) * 4)
        blank = torch.zeros(entered.shape[:2], dtype=torch.long, device=entered.device)
        return self.transformer(
            blank, trace=trace, interventions={"embed.tokens": lambda _: entered}
        )
