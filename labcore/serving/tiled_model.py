"""A trained model whose attention is computed in tiles: does it still say the same?

Every head of every layer gets its result from the tiles, in one pass through the whole model, so that what
one layer gets wrong the next one reads. The control forgets the shrinking.

Axes: L layers, H heads, T tokens, S keys, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.architecture.prompt import read_for
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.serving.online_softmax import MODEL
from labcore.serving.tile_exactness import by_tiles, forgetful
from labcore.serving.tiled_attention import Running, ahead, take_in
from labcore.zoo import load


@lab_config
class TiledModelConfig:
    text: str = (
        "One morning, Emma walked to the forest with a yellow hat. "
        "She played with Gang there and forgot the hat."
    )
    key_tile: int = 4

    def __post_init__(self):
        if not 1 <= self.key_tile <= 64:
            raise LabInputError("key_tile", self.key_tile, "between", low=1, high=64)


@dataclass(frozen=True, slots=True)
class TiledModel:
    tokens: int
    heads: int  # L · H, all in tiles
    difference: float  # of the logits, largest
    same: float  # share of places at which the likeliest next token is the same
    forgotten_difference: float
    forgotten_same: float
    largest: float  # of the logits themselves


Step = Callable[[Running, Tensor, Tensor], Running]


def in_tiles(layers: int, key_tile: int, step: Step) -> dict[str, Callable[[Tensor], Tensor]]:
    """Interventions that look at q, k and v in passing and put tiled results in the place of `heads`."""
    seen: dict[str, Tensor] = {}

    def look(name: str) -> Callable[[Tensor], Tensor]:
        return lambda tensor: seen.setdefault(name, tensor)

    def heads(place: str) -> Callable[[Tensor], Tensor]:
        def compute(usual: Tensor) -> Tensor:
            q, k, v = (seen[f"{place}.{name}"] for name in "qkv")
            shared = q.shape[1] // k.shape[1]  # query heads that use one head of keys and values
            k, v = (x.repeat_interleave(shared, dim=1) for x in (k, v))
            scores = q @ k.mT * q.shape[-1] ** -0.5  # (B, H, T, S)
            everything = slice(0, q.shape[2]), slice(0, k.shape[2])
            return by_tiles(
                scores.masked_fill(ahead(*everything, 0), -torch.inf), v, key_tile, step
            )

        return compute

    places = [f"layers.{layer}.attn" for layer in range(layers)]
    looks = {f"{place}.{name}": look(f"{place}.{name}") for place in places for name in "qkv"}
    return looks | {f"{place}.heads": heads(place) for place in places}


@torch.no_grad()
def run(config: TiledModelConfig) -> TiledModel:
    loaded = load(MODEL)
    prompt, _ = read_for(loaded, config.text)
    tokens, shape = torch.tensor([prompt.ids]), loaded.model.config
    usual = loaded.model(tokens).logits[0]  # (T, V), through torch's fused kernel
    found = {}
    for step in (take_in, forgetful):
        changed = in_tiles(shape.num_layers, config.key_tile, step)
        logits = loaded.model(tokens, interventions=changed).logits[0]
        same = logits.argmax(dim=-1) == usual.argmax(dim=-1)
        found[step] = (logits - usual).abs().max().item(), same.float().mean().item()
    return TiledModel(
        len(prompt.ids), shape.num_layers * shape.num_heads, *found[take_in], *found[forgetful],
        usual.abs().max().item(),
    )  # fmt: skip
