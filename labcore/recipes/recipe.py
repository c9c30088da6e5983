"""What the recipes share: train, look at held-out text, write the checkpoint with its card.

The checkpoint is written at every evaluation, so a run that is cut short leaves its last good model,
and the card tells how many steps that one had.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch

from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.bpe import BPETokenizer
from labcore.training import checkpoints
from labcore.training.checkpoints import Card, Sample
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    name: str
    objective: str  # "causal", "masked" or "translation"
    corpus: str
    model: ModelConfig
    training: tuple[TrainConfig, ...]  # rounds: each begins with a new optimiser and schedule
    tokenizer: BPETokenizer
    batches: Iterator[Batch]
    data_sha256: str  # of the training sequences
    told: list[Batch]  # some of the training text, as much as is held out
    held_out: list[Batch]
    floor_nats: float  # on `held_out`
    samples: Callable[[Transformer], tuple[Sample, ...]]


def make(recipe: Recipe, folder: Path) -> None:
    """Train as the recipe says, print what happens, leave the checkpoint in `folder`."""
    torch.set_num_threads(1)  # a second thread gains nothing on models this small
    generator = torch.Generator().manual_seed(recipe.training[0].seed)
    model = Transformer(recipe.model, generator)
    print(f"{recipe.name}: floor {recipe.floor_nats:.4f} nats, {_parameters(model):,} parameters")
    done = Done()
    for training in recipe.training:
        done = _train(recipe, training, model, folder, done)


@dataclass(frozen=True, slots=True)
class Done:
    """What earlier rounds have already spent."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0


def _train(
    recipe: Recipe, training: TrainConfig, model: Transformer, folder: Path, done: Done
) -> Done:
    """One round; the checkpoint and its card are written at every evaluation."""
    started = time.perf_counter()
    events = train(
        model, recipe.batches, training, lambda model: held_out_loss(model, recipe.held_out)
    )
    for step in events:
        if step.validation_nats is None:
            continue
        seconds = time.perf_counter() - started
        spent = Done(done.steps + step.step, done.tokens + step.tokens_seen, done.seconds + seconds)
        card = _card(recipe, model, step.validation_nats, spent)
        checkpoints.save(folder, model, recipe.tokenizer, card)
        print(
            f"step {card.steps:5d}  train {card.train_nats:.4f}  held out {card.held_out_nats:.4f}"
            f"  / floor = {card.floor_ratio:.3f}  {card.seconds:.0f} s",
            flush=True,
        )
    for sample in card.samples:
        print(f"[{sample.language}] {sample.prompt} ▸ {sample.text}")
    return spent


def _card(recipe: Recipe, model: Transformer, held_out_nats: float, spent: Done) -> Card:
    model.eval()
    return Card(
        name=recipe.name,
        objective=recipe.objective,
        config=recipe.model,
        parameters=_parameters(model),
        corpus=recipe.corpus,
        data_sha256=recipe.data_sha256,
        seed=recipe.training[0].seed,
        command=f"python -m labcore.recipes.{recipe.name.replace('-', '_')}",
        steps=spent.steps,
        tokens_seen=spent.tokens,
        train_nats=held_out_loss(model, recipe.told),
        held_out_nats=held_out_nats,
        floor_nats=recipe.floor_nats,
        samples=recipe.samples(model),
        torch_version=torch.__version__,
        date=datetime.now(timezone.utc).date().isoformat(),
        seconds=spent.seconds,
    )


def _parameters(model: Transformer) -> int:
    return sum(weight.numel() for weight in model.parameters())


def folder_asked_for(name: str) -> Path:
    """Where to write: `assets/checkpoints/<name>`, or what `--out` says."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--out", type=Path, default=checkpoints.ASSETS / name)
    return parser.parse_args().out
