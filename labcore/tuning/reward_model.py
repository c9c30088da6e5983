"""A reward model: the policy's own trunk, with one number in place of the next token.

Trained on pairs alone. Nobody tells it what an answer is worth, only which of two was preferred; under
Bradley and Terry's model the numbers follow from that, up to a constant.

Two are bundled. The *shallow* one sees the answer through its trunk, whose two layers can count marks
where the answer ends but not check a sum there. The *informed* one is also told how likely a language
model that solves 95 % of the sums, the reader, held the answer's tokens: knowledge that pairs are too
few to teach. `python -m labcore.recipes.sums_reward` makes both again.

Source: Ouyang et al., arXiv:2203.02155, section 3.4.
Axes: B answers, N pairs, P prompt tokens, R response tokens, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore import shipped
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.tuning import sums
from labcore.tuning.base_policy import ASSET, CONFIG, load_policy
from labcore.tuning.rollouts import token_logprobs

KINDS = ("shallow", "informed")
ASSETS = {kind: ASSET.with_name(f"sums-reward-{kind}.safetensors") for kind in KINDS}
READER_ASSET = ASSET.with_name("sums-reader.safetensors")
READING_WIDTH = 16


class RewardModel(nn.Module):
    """One number per answer, read where the answer ends."""

    def __init__(self, trunk: Transformer, reader: Transformer | None = None):
        """`trunk` is trained along: give it a copy of its own. A `reader` stays as it is."""
        super().__init__()
        self.trunk = trunk
        self.score = nn.Linear(trunk.config.hidden_size, 1)
        # Every answer is worth the same at first.
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)
        # In a tuple the reader is none of this model's own parts: not trained, not saved with it.
        self.reader = (reader.eval().requires_grad_(False),) if reader else ()
        self.judge = reading_head() if reader else None

    def forward(self, prompts: Tensor, responses: Tensor) -> Tensor:
        """(B, P), (B, R) -> (B,) rewards

        subtle: read at the last token that is not padding. Read at the padding, the score would still
        fall while training, and mean nothing for answers of another length.
        """
        hidden = self.trunk(torch.cat([prompts, responses], dim=1)).hidden  # (B, P + R, D)
        last = prompts.shape[1] + (responses != sums.PAD).sum(dim=1) - 1  # (B,)
        rewards = self.score(hidden[torch.arange(len(hidden)), last])[:, 0]
        for reader in self.reader:
            rewards = rewards + self.judge(reading(reader, prompts, responses))[:, 0]
        return rewards


@torch.no_grad()
def reading(reader: Transformer, prompts: Tensor, responses: Tensor) -> Tensor:
    """What a language model makes of an answer: ln π of its least likely token, and the mean.  -> (B, 2)"""
    logprobs, real = token_logprobs(reader, prompts, responses, sums.PAD)
    return torch.stack([logprobs.amin(dim=1), logprobs.sum(dim=1) / real.sum(dim=1)], dim=1)


def reading_head() -> nn.Module:
    """(B, 2) -> (B, 1): worth nothing at first."""
    generator = torch.Generator().manual_seed(0)
    head = nn.Sequential(
        nn.utils.skip_init(nn.Linear, 2, READING_WIDTH),
        nn.Tanh(),
        nn.utils.skip_init(nn.Linear, READING_WIDTH, 1),
    )
    with torch.no_grad():
        head[0].weight.normal_(generator=generator)
        for weight in (head[0].bias, head[2].weight, head[2].bias):
            weight.zero_()
    return head


def bradley_terry_loss(preferred: Tensor, other: Tensor) -> Tensor:
    """−ln σ(r_preferred − r_other), the mean over pairs; ln 2 while nothing is told apart.  (N,) -> ()"""
    return -F.logsigmoid(preferred - other).mean()


def load_reader() -> Transformer:
    """The policy had it read on to step 800: it solves 95 % of held-out sums."""
    return Transformer(CONFIG, weights=shipped.tensors(READER_ASSET)).eval()


def new_reward_model(kind: str) -> RewardModel:
    """On the half-trained policy's trunk, before any pair."""
    if kind not in KINDS:
        raise LabInputError("kind", kind, "known_choice", allowed=KINDS)
    return RewardModel(load_policy(), load_reader() if kind == "informed" else None)


def load_reward_model(kind: str) -> RewardModel:
    """A bundled one, frozen: `(prompts (B, P), responses (B, R)) -> (B,)`."""
    model = new_reward_model(kind)
    model.load_state_dict(shipped.tensors(ASSETS[kind]))
    return model.eval().requires_grad_(False)
