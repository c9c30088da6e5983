"""The ward of short runs: a small decoder learns a language whose entropy is known, and is looked at.

A second of training on the language of syllables. A perfect reader's loss is known, so a loss below it
is no success but a proof that the model sees what it is asked for.

Axes: B rows, T letters.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.causal_leak import HEADS, WIDTH, losses_by_prefix
from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text import syllables
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss

LENGTH, ROWS, HELD_OUT = 20, 16, 48
PLAN = TrainConfig(steps=80, batch_size=ROWS, learning_rate=1e-2, warmup_steps=10, eval_every=8)
SLACK = 0.3  # nats above the floor that eighty updates may leave
SEEDS = 3  # different runs: patients share them
BELOW = 0.03  # below it: the held-out text is a sample

# The parts, and what people wrote in their place.


def design() -> ModelConfig:
    """The decoder that is trained."""
    return ModelConfig(
        vocab_size=len(syllables.LETTERS), hidden_size=WIDTH, num_layers=1, num_heads=HEADS
    )


def design_without_mask() -> ModelConfig:
    return replace(design(), causal=False)


def next_letters(text: Tensor) -> Batch:
    """Each letter is asked for where the one before it stands.  (B, T + 1) -> T questions"""
    return Batch(text[:, :-1], text[:, 1:], torch.ones_like(text[:, 1:], dtype=torch.bool))


def same_letters(text: Tensor) -> Batch:
    return Batch(text[:, :-1], text[:, :-1], torch.ones_like(text[:, 1:], dtype=torch.bool))


PARTS: Parts = {"design": design, "batch": next_letters}

# The patient.


def held_out() -> Tensor:
    """(B, T + 1)"""
    return syllables.rows(HELD_OUT, LENGTH + 1, torch.Generator().manual_seed(77))


def floor() -> float:
    return float(syllables.surprise_nats(held_out()).mean())


@lru_cache(maxsize=16)
def trained(
    make: Callable[[], ModelConfig], batch: Callable[[Tensor], Batch], seed: int
) -> tuple[Transformer, list[int], list[float]]:
    """The model after its run, and the loss that its own loop reported on held-out text."""
    model = Transformer(make(), torch.Generator().manual_seed(seed))
    drawn = torch.Generator().manual_seed(seed + 1)
    batches = iter(lambda: batch(syllables.rows(ROWS, LENGTH + 1, drawn)), None)
    asked = batch(held_out())
    looks = [
        (step.step, step.validation_nats)
        for step in train(model, batches, PLAN, evaluate=lambda m: held_out_loss(m, [asked]))
        if step.validation_nats is not None
    ]
    steps, nats = zip(*looks, strict=True)
    return model.eval(), list(steps), list(nats)


def run_of(parts: Parts, seed: int) -> tuple[Transformer, list[int], list[float]]:
    return trained(parts["design"], parts["batch"], seed % SEEDS)


# The tests.


def reported_loss(parts: Parts, seed: int) -> Reading:
    """The last held-out loss that the loop itself reports, against the entropy of the text."""
    _, steps, nats = run_of(parts, seed)
    low, line = floor() - BELOW, np.full(len(nats), floor())
    return Reading(nats[-1], low, floor() + SLACK, np.array(steps, float), np.array(nats), line)


def change_the_last(parts: Parts, seed: int) -> Reading:
    """Another last letter: how far do the logits before it move?"""
    model, _, _ = run_of(parts, seed)
    text = held_out()[:8, :-1]
    other = text.clone()
    other[:, -1] = (other[:, -1] + 1) % len(syllables.LETTERS)
    with torch.no_grad():
        moved = (model(text).logits - model(other).logits)[:, :-1]
    return equal(float(moved.abs().max()), 1e-5)


def from_what_came_before(parts: Parts, seed: int) -> Reading:
    """Shown only what comes before, asked for the next letter: as in writing."""
    model, _, _ = run_of(parts, seed)
    losses = losses_by_prefix(model, held_out())
    line = syllables.surprise_nats(held_out()).mean(dim=0).numpy()
    places = np.arange(1, len(losses) + 1)
    measured = float(losses.mean())
    return Reading(measured, floor() - BELOW, floor() + SLACK, places, losses, line)


WARD = Ward(
    "short_run", "pretraining", PARTS,
    (
        Test("reported", "floor", reported_loss),
        Test("writing", "floor", from_what_came_before),
        Test("future", "equality", change_the_last),
    ),
    (
        Bug("no_causal_mask", "design", design_without_mask,
            ("huggingface/transformers#48745", "pytorch/tutorials#2478"), "by_hand", "future"),
        Bug("labels_not_shifted", "batch", same_letters,
            ("macrocosm-os/pretraining#64",), "training", "reported"),
    ),
)  # fmt: skip
