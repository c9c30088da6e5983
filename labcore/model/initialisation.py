"""How a new model's weights are drawn."""

import torch
from torch import nn

from labcore.model.config import ModelConfig


def initialise(model: nn.Module, config: ModelConfig, generator: torch.Generator) -> None:
    """Fill every parameter, all draws from `generator`, in the order of `named_parameters()`.

    | parameter                                      | value                                        |
    |------------------------------------------------|----------------------------------------------|
    | weights of norms                               | 1                                            |
    | biases                                         | 0                                            |
    | maps that write to the stream (`out`, `down`)  | N(0, (σ/√n)²), n such maps in their stack    |
    | all others: embeddings, tables, maps           | N(0, σ²), σ = 0.02·√(768/D)                  |

    σ is GPT-2's 0.02 at GPT-2's width of 768; the root gives a narrow model's sums the same size.
    The √n keeps the stream's size at depth what it is at the start: n independent sums grow like √n.
    Beside sinusoids, whose size is 0.7 at every width, token embeddings are read times √D: 0.55.
    """
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
            elif name.endswith("bias"):
                parameter.zero_()
            else:
                parameter.normal_(0.0, deviation(name, config), generator=generator)


def deviation(name: str, config: ModelConfig) -> float:
    """The standard deviation that a matrix or table called `name` is drawn with."""
    sigma = 0.02 * (768 / config.hidden_size) ** 0.5
    if not name.endswith((".out.weight", ".down.weight")):
        return sigma
    in_encoder = name.startswith("encoder.") or config.kind == "encoder"
    layers = config.encoder_layers if in_encoder else config.decoder_layers
    writers = 3 if config.kind == "encoder_decoder" and not in_encoder else 2  # per layer
    return sigma / (writers * layers) ** 0.5
