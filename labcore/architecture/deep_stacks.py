"""How a deep stack is built: four decisions that say whether a signal survives it.

Residual connections, where the norm stands, how large the weights are drawn, and whether the maps that write
to the stream are drawn smaller the more of them there are. Every stack here is the lab's own decoder.
"""

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer

PLACEMENTS = ("pre", "post", "none")
NORMS = ("layernorm", "rmsnorm")
GAIN_LOW, GAIN_HIGH = 0.1, 4.0
WIDTH, HEADS = 32, 4
MAX_POSITIONS = 128  # the longest story has about 90 tokens
WRITERS = (".out.weight", ".down.weight")  # the maps whose output is added to the stream


@lab_config
class Design:
    """The defaults are today's standard: pre-norm, residuals, scaled writers (GPT-2)."""

    residual: bool = True  # False: each part replaces the stream
    placement: str = "pre"  # "post": the sum is normalised; "none": nothing is
    norm: str = "layernorm"
    gain: float = 1.0  # factor on the drawn weights of all blocks
    scaled_writers: bool = (
        True  # the 2L maps that write to the stream are drawn √(2L) times smaller
    )
    mlp: bool = True  # False: attention alone

    def __post_init__(self):
        for name, allowed in (("placement", PLACEMENTS), ("norm", NORMS)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        if not GAIN_LOW <= self.gain <= GAIN_HIGH:
            raise LabInputError("gain", self.gain, "between", low=GAIN_LOW, high=GAIN_HIGH)

    def model(self, num_layers: int, vocab_size: int) -> ModelConfig:
        return ModelConfig(
            vocab_size=vocab_size,
            hidden_size=WIDTH,
            num_layers=num_layers,
            num_heads=HEADS,
            max_positions=MAX_POSITIONS,
            residual=self.residual,
            norm="none" if self.placement == "none" else self.norm,
            norm_placement="post" if self.placement == "post" else "pre",
            intermediate_size=None if self.mlp else 0,
        )


def build(design: Design, num_layers: int, vocab_size: int, seed: int) -> Transformer:
    """An untrained stack. Two designs of equal depth and seed are drawn from the same random numbers."""
    rng = torch.Generator().manual_seed(seed)
    model = Transformer(design.model(num_layers, vocab_size), rng)
    rescale(model, design)
    return model


@torch.no_grad()
def rescale(model: Transformer, design: Design) -> None:
    """Turn the drawn weights into the design's: each matrix of a block times one number.

    `initialise` has drawn the writers √(2L) times smaller; without scaling this is undone.
    """
    undo = 1.0 if design.scaled_writers else (2 * model.config.num_layers) ** 0.5
    for name, weight in model.stack.layers.named_parameters():
        if weight.dim() == 2:
            weight.mul_(design.gain * (undo if name.endswith(WRITERS) else 1.0))
