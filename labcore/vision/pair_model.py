"""Two towers that meet in one space: one looks at pictures, the other reads captions.

The reading tower is a Transformer, or a bag of words: the sum of what its words mean, whatever their order.

Axes: B pairs, T words, N patches, D width, E width of the shared space.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.vision.captions import END, IDS, LONGEST, PAD, VOCABULARY, caption, rows_of
from labcore.vision.patches import Eye
from labcore.vision.pictures import Scenes

WIDTH, SHARED = 64, 64
READERS = ("transformer", "bag")


class WordBag(nn.Module):
    """The sum of the words, through an MLP: no order can come through."""

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.table = nn.Embedding(len(VOCABULARY), WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        with torch.no_grad():
            self.table.weight.normal_(0, 0.5, generator=generator)
            for layer in (self.up, self.down):
                layer.weight.normal_(0, layer.in_features**-0.5, generator=generator)
                layer.bias.zero_()

    def forward(self, rows: Tensor) -> Tensor:  # (B, T) -> (B, D)
        word = (rows != IDS[PAD]) & (rows != IDS[END])
        bag = (self.table(rows) * word[..., None]).sum(dim=1) / 3  # about 9 words: /√9
        return self.down(torch.nn.functional.gelu(self.up(bag)))


class SentenceReader(nn.Module):
    """A Transformer; the sentence is read off at its END, which has seen all words."""

    def __init__(self, generator: torch.Generator):
        super().__init__()
        config = ModelConfig(
            vocab_size=len(VOCABULARY), hidden_size=WIDTH, num_layers=2, num_heads=4,
            positions="learned", max_positions=LONGEST, head="none",
        )  # fmt: skip
        self.transformer = Transformer(config, generator)

    def forward(self, rows: Tensor) -> Tensor:  # (B, T) -> (B, D)
        end = (rows == IDS[END]).int().argmax(dim=1)
        return self.transformer(rows).hidden[torch.arange(len(rows)), end]


class Pair(nn.Module):
    """Both towers, with a map from each into the shared space, and the temperature."""

    def __init__(self, reader: str, temperature: float, learned: bool, generator: torch.Generator):
        super().__init__()
        self.eye = Eye(generator, WIDTH)
        self.reader = (SentenceReader if reader == "transformer" else WordBag)(generator)
        self.from_picture = nn.Linear(WIDTH, SHARED, bias=False)
        self.from_caption = nn.Linear(WIDTH, SHARED, bias=False)
        with torch.no_grad():
            for layer in (self.from_picture, self.from_caption):
                layer.weight.normal_(0, WIDTH**-0.5, generator=generator)
        # Learned as a logarithm, so that it stays positive.
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log(), requires_grad=learned)

    @property
    def temperature(self) -> Tensor:
        return self.log_temperature.exp().clamp(0.01, 10.0)  # CLIP: logits scaled by 100 at most

    def see(self, pictures: Tensor) -> Tensor:  # (B, P, P, 3) -> (B, E)
        return self.from_picture(self.eye(pictures).hidden.mean(dim=1))

    def read(self, rows: Tensor) -> Tensor:  # (B, T) -> (B, E)
        return self.from_caption(self.reader(rows))


def caption_rows(scenes: Scenes, languages: Sequence[str]) -> Tensor:
    """The captions of these scenes, each in its language, as numbers.  -> (B, T)"""
    words = [caption(scenes, at, language) for at, language in enumerate(languages)]
    return torch.from_numpy(rows_of(words))


def as_tensor(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures, np.float32))
