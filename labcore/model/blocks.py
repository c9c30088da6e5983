"""A block: attention, perhaps cross-attention, mostly an MLP, each added to the residual stream."""

import torch
from torch import Tensor, nn

from labcore.model.attention import Attention, View
from labcore.model.config import ModelConfig
from labcore.model.latent import LatentMultiHeadAttention
from labcore.model.mlp import MLP, ExpertMLP
from labcore.model.norms import Norm
from labcore.model.trace import Probe


class Dropout(nn.Module):
    """In training, each number is 0 with probability `rate`, the others grow to make up for it.

    Draws from the model's own generator, not from torch's global one as nn.Dropout does, so that
    equal seeds give equal runs; on the CPU, so that a run does not depend on the device.
    """

    def __init__(self, rate: float, generator: torch.Generator):
        super().__init__()
        self.rate, self.generator = rate, generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(x.shape, generator=self.generator) >= self.rate
        return x * kept.to(x.device) / (1 - self.rate)


class Block(nn.Module):
    """One layer. Pre-norm reads a normalised copy of the stream; post-norm normalises the sum."""

    def __init__(self, config: ModelConfig, cross: bool, dropout: Dropout):
        super().__init__()
        self.pre, self.residual = config.norm_placement == "pre", config.residual
        self.attn_norm = Norm(config)
        self.attn = LatentMultiHeadAttention(config) if config.latent else Attention(config)
        self.cross_norm = Norm(config) if cross else None
        self.cross = Attention(config) if cross else None
        self.mlp_norm = self.mlp = None
        if config.mlp_size:
            self.mlp_norm = Norm(config)
            self.mlp = ExpertMLP(config) if config.moe else MLP(config)
        self.dropout = dropout

    def forward(
        self,
        x: Tensor,
        view: View,
        name: str,
        probe: Probe,
        context: Tensor | None = None,
        context_view: View | None = None,
    ) -> tuple[Tensor, Tensor | float]:
        """(B, T, D) -> (B, T, D), the experts' balance loss. `name` tells this layer in the cache."""
        x = probe("resid_pre", x)
        part = probe.within("attn")
        said = self.attn(self.before(x, self.attn_norm, part), view, f"{name}.attn", part)
        x = self.after(x, said, self.attn_norm, part)
        if self.cross is not None:
            part = probe.within("cross")
            read = self.before(x, self.cross_norm, part)
            said = self.cross.cross(read, context, context_view, f"{name}.cross", part)
            x = self.after(x, said, self.cross_norm, part)
        x, balance = probe("resid_mid", x), 0.0
        if self.mlp is not None:
            part = probe.within("mlp")
            said, balance = self.think(self.before(x, self.mlp_norm, part), view, part)
            x = self.after(x, said, self.mlp_norm, part)
        return probe("resid_post", x), balance

    def before(self, x: Tensor, norm: Norm, probe: Probe) -> Tensor:
        """What a part reads of the stream."""
        return probe("norm", norm(x)) if self.pre else x

    def after(self, x: Tensor, said: Tensor, norm: Norm, probe: Probe) -> Tensor:
        """The stream with what a part said."""
        said = probe("out", self.dropout(said))
        x = x + said if self.residual else said
        return x if self.pre else norm(x)

    def think(self, x: Tensor, view: View, probe: Probe) -> tuple[Tensor, Tensor | float]:
        if isinstance(self.mlp, ExpertMLP):
            return self.mlp(x, probe, view.real)
        return self.mlp(x, probe), 0.0
