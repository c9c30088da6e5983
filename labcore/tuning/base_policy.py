"""The policy that every alignment lab starts from: it has read worked sums, and stopped half-way.

Two hundred steps leave it right about a third of the time when it samples: often enough that a reward is
found, seldom enough that there is something to gain. It shouts 0 to 2 times, equally often, whatever
the sum, since that is how its text was written.

`python -m labcore.recipes.sums_policy` makes `assets/policies/sums.safetensors` again.
"""

from collections.abc import Iterator
from pathlib import Path

import torch

from labcore import shipped
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig
from labcore.training.objectives import Batch
from labcore.tuning import sums
from labcore.tuning.rollouts import sample_responses

ASSET = Path(__file__).resolve().parents[2] / "assets" / "policies" / "sums.safetensors"
CONFIG = ModelConfig(
    vocab_size=sums.VOCAB_SIZE, hidden_size=64, num_layers=2, num_heads=4, positions="learned",
    max_positions=16,
)  # fmt: skip
# The rate stays where it is: the policy is one that was stopped, not one that has converged.
TRAINING = TrainConfig(
    steps=200, batch_size=128, learning_rate=2e-3, schedule="constant", eval_every=0
)


def load_policy() -> Transformer:
    """A fresh copy with its gradients on, to be trained by whoever asked."""
    weights = shipped.tensors(ASSET)
    return Transformer(CONFIG, weights=weights).requires_grad_(True)


def worked_sums(generator: torch.Generator) -> Iterator[Batch]:
    """Right answers with random marks, without end; only the answer is asked for."""
    while True:
        asked = sums.draw_sums(TRAINING.batch_size, generator)
        marks = torch.randint(0, sums.MOST_MARKS + 1, (len(asked),), generator=generator)
        answers = sums.written(asked.left + asked.right, marks)
        yield answer_batch(asked.tokens, answers)


def answer_batch(prompts: torch.Tensor, answers: torch.Tensor) -> Batch:
    """Prompt and answer as one row; the loss counts the answer alone.  (B, P), (B, R) -> a batch"""
    text = torch.cat([prompts, answers], dim=1)
    targets = text[:, 1:].clone()
    targets[:, : prompts.shape[1] - 1] = IGNORE
    targets[targets == sums.PAD] = IGNORE
    return Batch(text[:, :-1], targets, text[:, :-1] != sums.PAD)


def answer(
    policy: Transformer, asked: sums.Sums, generator: torch.Generator, temperature: float = 1.0
) -> torch.Tensor:
    """The policy's own answers to sums.  -> (B, R)"""
    return sample_responses(
        policy, asked.tokens, sums.RESPONSE_TOKENS, sums.END, sums.PAD, generator, temperature
    )
