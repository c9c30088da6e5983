"""The writers of chains that come with the lab: one model, kept at three moments of one training run.

It learns to add twelve digits step by step. After 130 updates its answers are at chance; after 150 about
half of its steps are right, and so hardly any chain; after 165 nine steps in ten are, and a third of its
chains. A model that had gone on to the end would have nothing left to vote about.

`python -m labcore.recipes.reasoning_models` makes `assets/reasoning/*.safetensors` again.
"""

from pathlib import Path

import torch
from torch import Tensor

from labcore import shipped
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.reasoning.answering import answer_after, write_steps
from labcore.reasoning.chains import VOCAB_SIZE
from labcore.training.loop import TrainConfig

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "reasoning"
TASK, DIGITS = "sum", 12
MOMENTS = {"chance": 130, "weak": 150, "half": 165}  # updates made
WRITERS = tuple(MOMENTS)
CONFIG = ModelConfig(
    vocab_size=VOCAB_SIZE, hidden_size=64, num_layers=2, num_heads=4, positions="learned",
    max_positions=2 * DIGITS + 3,
)  # fmt: skip
TRAINING = TrainConfig(
    steps=max(MOMENTS.values()), batch_size=64, learning_rate=3e-3, schedule="constant",
    eval_every=0,
)  # fmt: skip


def stored(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """In 16 bits: half the size, and no answer turns on the rest."""
    return {name: weight.half() for name, weight in weights.items()}


def load_weights(name: str) -> dict[str, Tensor]:
    weights = shipped.tensors(ASSETS / f"{name}.safetensors")
    return {key: weight.float() for key, weight in weights.items()}


def load_writer(name: str) -> Transformer:
    """A bundled writer, frozen."""
    if name not in WRITERS:
        raise LabInputError("writer", name, "known_choice", allowed=WRITERS)
    model = Transformer(CONFIG, weights=load_weights(f"writer-{name}"))
    return model.eval().requires_grad_(False)


def write(
    writer: Transformer, questions: Tensor, temperature: float, generator: torch.Generator | None
) -> Tensor:
    """Whole chains with their answer.  (B, N) -> (B, N + 1)"""
    chain = write_steps(writer, questions, questions.shape[1], temperature, generator)
    answer = answer_after(writer, questions, chain, temperature, generator)
    return torch.cat([chain, answer[:, None]], dim=1)
