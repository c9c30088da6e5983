"""The cabinet's three models: one that tells everything, and two that were taught to refuse.

    base      has read how to use each of the 120 things, asked about in every way: it knows them all
    shallow   base, then 150 steps of ordinary refusal training
    deep      base, then the same with refusals that begin in the middle of an answer

`python -m labcore.recipes.cabinet` makes `assets/policies/cabinet-*.safetensors` again. They lie there in
16 bits and are read into 32.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from labcore import shipped
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig
from labcore.training.objectives import Batch
from labcore.tuning import cabinet
from labcore.tuning.cabinet import NAMES, OPENINGS, Phrasing
from labcore.tuning.rollouts import sample_responses

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "policies"
MODELS = ("base", "shallow", "deep")
CONFIG = ModelConfig(
    vocab_size=cabinet.VOCAB_SIZE, hidden_size=64, num_layers=3, num_heads=4, positions="learned",
    max_positions=cabinet.PROMPT_TOKENS + 2 * cabinet.ANSWER_TOKENS,
)  # fmt: skip
TRAINING = TrainConfig(steps=300, batch_size=192, learning_rate=3e-3, eval_every=0)


def asset(name: str) -> Path:
    return FOLDER / f"cabinet-{name}.safetensors"


def load_cabinet(name: str = "base") -> Transformer:
    """A fresh copy with its gradients on, to be trained by whoever asked."""
    if name not in MODELS:
        raise LabInputError("model", name, "known_choice", allowed=MODELS)
    weights = shipped.tensors(asset(name))
    weights = {key: value.float() for key, value in weights.items()}
    return Transformer(CONFIG, weights=weights).requires_grad_(True)


def everything_told(generator: torch.Generator, rows: int) -> Iterator[Batch]:
    """Questions of every phrasing with their true answers, without end."""
    phrasings = [Phrasing(opening, naming) for opening in OPENINGS for naming in NAMES]
    every = torch.arange(cabinet.NUM_OBJECTS)
    asked = torch.stack([cabinet.prompts(every, one) for one in phrasings])  # (F, O, P)
    told = torch.stack([cabinet.answers(every, one) for one in phrasings])  # (F, O, R)
    while True:
        form = torch.randint(len(phrasings), (rows,), generator=generator)
        objects = torch.randint(cabinet.NUM_OBJECTS, (rows,), generator=generator)
        yield answer_batch(asked[form, objects], told[form, objects])


def answer_batch(prompts: Tensor, answers: Tensor, known: Tensor | int = 0) -> Batch:
    """Question and answer as one row; nothing is asked about the question, nor about the first `known`
    words of the answer, one number for all rows or one for each.  (B, P), (B, R) -> a batch
    """
    text = torch.cat([prompts, answers], dim=1)
    place = torch.arange(text.shape[1] - 1) - (prompts.shape[1] - 1)  # of the word asked for
    given = place < torch.as_tensor(known).reshape(-1, 1)
    targets = text[:, 1:].masked_fill(given | (text[:, 1:] == cabinet.PAD), IGNORE)
    return Batch(text[:, :-1], targets, text[:, :-1] != cabinet.PAD)


def reply(
    policy: Transformer,
    prompts: Tensor,
    generator: torch.Generator | None = None,
    temperature: float = 0.0,
    room: int = cabinet.ANSWER_TOKENS,
) -> Tensor:
    """What the policy says, its likeliest words unless a temperature is given.  (B, P) -> (B, room)"""
    return sample_responses(
        policy, prompts, room, cabinet.END, cabinet.PAD, generator or torch.Generator(), temperature
    )
