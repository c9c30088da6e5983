"""Cross-entropy of the next token, with the gradient that everybody derives once by hand.

With p = softmax(z) and target t, the loss is L = -log p_t = log Σ_j e^(z_j) - z_t, so

    ∂L/∂z_j = p_j - [j = t]

What backward needs is p, and nothing else. torch's own path keeps log p instead and raises it to the
exponent again; over a whole vocabulary that second pass is a good part of a small model's step.

Axes: N questions, V vocabulary. Losses in nats.
"""

import torch
from torch import Tensor


class _TokenNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor) -> Tensor:
        probs = logits.softmax(dim=-1)
        # The largest probability is at least 1/V: unlike p_t it never vanishes, so that its logarithm,
        # max z - log Σ e^z, is exact.
        log_sum = logits.amax(dim=-1) - probs.amax(dim=-1).log()
        ctx.save_for_backward(probs, targets)
        return log_sum - logits.gather(1, targets[:, None])[:, 0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # (N,) -> (N, V)
        probs, targets = ctx.saved_tensors
        return (probs * grad[:, None]).scatter_add_(1, targets[:, None], -grad[:, None]), None


def token_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(logits)[target], row by row.  (N, V), (N,) -> (N,)

    As in torch's, autocast makes it 32 bits: a sum over a vocabulary needs them. Without autocast it is
    done in whatever the logits are, even where that goes wrong.

    >>> token_nats(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])).numpy().round(4)
    array([0.6931, 1.3133], dtype=float32)

    The first is ln 2; the second ln(e + 1) = 1.3133.
    """
    if torch.is_autocast_enabled(logits.device.type):
        logits = logits.float()
    return _TokenNats.apply(logits, targets)
