"""A critic: what is still to be expected at each place of an answer, before its next token is written.

PPO's value model: a trunk like the policy's, with one number in place of the next token. It is a network of
its own, so that what it learns does not move the policy.

Source: Ouyang et al., arXiv:2203.02155, section 3.4; PPO arXiv:1707.06347.
Axes: B answers, P prompt tokens, R response tokens, D width.
"""

import torch
from torch import Tensor, nn

from labcore.model.transformer import Transformer


class Critic(nn.Module):
    """One number per place of an answer."""

    def __init__(self, trunk: Transformer):
        """`trunk` is trained along: give it a copy of its own."""
        super().__init__()
        self.trunk = trunk
        self.value = nn.Linear(trunk.config.hidden_size, 1)
        # At first nothing is expected anywhere: the advantage is what really came.
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, prompts: Tensor, responses: Tensor) -> Tensor:
        """(B, P), (B, R) -> (B, R) values

        subtle: V_t is read where token t is about to be written, so it must not have seen that token.
        """
        text = torch.cat([prompts, responses[:, :-1]], dim=1)
        hidden = self.trunk(text).hidden[:, prompts.shape[1] - 1 :]  # (B, R, D)
        return self.value(hidden)[:, :, 0]


def explained_share(values: Tensor, returns: Tensor, real: Tensor) -> float:
    """How much of what came the critic had foretold: 1 − Var(R − V) / Var(R) over real tokens.

    0 is what a constant achieves; below 0 the critic is worse than none. (B, R) each.
    """
    came, foretold = returns[real], values[real]
    spread = came.var()
    return float(1 - (came - foretold).var() / spread) if spread > 0 else 0.0
