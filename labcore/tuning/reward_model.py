"""A reward model: the policy's own trunk, with one number in place of the next token.

Trained on pairs alone. Nobody tells it what an answer is worth, only which of two was preferred; under
Bradley and Terry's model the numbers follow from that, up to a constant.

Source: Ouyang et al., arXiv:2203.02155, section 3.4.
Axes: B answers, N pairs, P prompt tokens, R response tokens, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.model.transformer import Transformer
from labcore.tuning import sums


class RewardModel(nn.Module):
    """One number per answer, read where the answer ends."""

    def __init__(self, trunk: Transformer):
        """`trunk` is trained along: give it a copy of its own."""
        super().__init__()
        self.trunk = trunk
        self.score = nn.Linear(trunk.config.hidden_size, 1)
        # Every answer is worth the same at first.
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, prompts: Tensor, responses: Tensor) -> Tensor:
        """(B, P), (B, R) -> (B,) rewards

        subtle: read at the last token that is not padding. Read at the padding, the score would still
        fall while training, and mean nothing for answers of another length.
        """
        hidden = self.trunk(torch.cat([prompts, responses], dim=1)).hidden  # (B, P + R, D)
        last = prompts.shape[1] + (responses != sums.PAD).sum(dim=1) - 1  # (B,)
        return self.score(hidden[torch.arange(len(hidden)), last])[:, 0]


def bradley_terry_loss(preferred: Tensor, other: Tensor) -> Tensor:
    """−ln σ(r_preferred − r_other), the mean over pairs; ln 2 while nothing is told apart.  (N,) -> ()"""
    return -F.logsigmoid(preferred - other).mean()
