"""The MLP of a block: each token thinks for itself. Plain, gated, or a mixture of experts.

Axes: B batch, T position, N = B·T tokens, D width, F inner width, E experts, C experts per token.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.model.config import ModelConfig
from labcore.model.trace import Probe


def activate(x: Tensor, activation: str) -> Tensor:
    """The nonlinearity. SwiGLU's gate is SiLU; GeGLU's is the tanh GELU of T5 v1.1.

    Sources: GELU arXiv:1606.08415 (exact, and its tanh approximation as in GPT-2); gates
    arXiv:2002.05202.
    """
    if activation == "relu":
        return F.relu(x)
    if activation == "gelu":
        return F.gelu(x)
    if activation == "swiglu":
        return F.silu(x)
    return F.gelu(x, approximate="tanh")


class MLP(nn.Module):
    """Widen, bend, narrow; with a gate, one widened copy decides how much of the other passes."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, inner, bias = config.hidden_size, config.mlp_size, config.mlp_bias
        self.activation = config.activation
        self.gate = nn.Linear(width, inner, bias=bias) if config.gated else None
        self.up = nn.Linear(width, inner, bias=bias)
        self.down = nn.Linear(inner, width, bias=bias)

    def forward(self, x: Tensor, probe: Probe) -> Tensor:  # (…, D) -> (…, D)
        if self.gate is None:
            hidden = activate(self.up(x), self.activation)  # (…, F)
        else:
            hidden = activate(self.gate(x), self.activation) * self.up(x)  # (…, F)
        return self.down(probe("hidden", hidden))


def route(probabilities: Tensor, experts_per_token: int, normalise: bool) -> tuple[Tensor, Tensor]:
    """Each token's chosen experts and their weights.  (N, E) -> (N, C) weights, (N, C) expert ids"""
    weights, chosen = probabilities.topk(experts_per_token, dim=-1)
    if normalise:
        weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights, chosen


def balance_loss(probabilities: Tensor, chosen: Tensor) -> Tensor:
    """How unevenly the experts are used: 1 when even, up to E when one gets everything.

    E · Σ_e (share of choices that fell on e) · (mean probability of e); Fedus et al.,
    arXiv:2101.03961, equation 4.  (N, E), (N, C) -> scalar
    """
    num_experts = probabilities.shape[-1]
    shares = torch.bincount(chosen.flatten(), minlength=num_experts) / max(
        1, chosen.numel()
    )  # (E,)
    return num_experts * (shares * probabilities.mean(dim=0)).sum()


class ExpertMLP(nn.Module):
    """A router sends each token to a few of E MLPs and adds up what they say, by weight."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.moe = config.moe
        self.router = nn.Linear(config.hidden_size, config.moe.num_experts, bias=False)
        self.experts = nn.ModuleList(MLP(config) for _ in range(config.moe.num_experts))

    def forward(self, x: Tensor, probe: Probe, real: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, D), padding mask (B, T) -> (B, T, D), the weighted balance loss over real tokens"""
        probabilities = probe("router", self.router(x).softmax(dim=-1)).flatten(0, 1)  # (N, E)
        weights, chosen = route(
            probabilities, self.moe.experts_per_token, self.moe.normalise_weights
        )
        tokens = x.flatten(0, 1)  # (N, D)
        mixed = torch.zeros_like(tokens)
        for index, expert in enumerate(self.experts):
            rows, slots = torch.where(chosen == index)  # the tokens that this expert was given
            said = expert(tokens[rows], probe.within(f"experts.{index}"))
            mixed = mixed.index_add(0, rows, said * weights[rows, slots, None])
        counted = slice(None) if real is None else real.flatten()
        balance = balance_loss(probabilities[counted], chosen[counted])
        return mixed.view_as(x), self.moe.load_balance_weight * balance
