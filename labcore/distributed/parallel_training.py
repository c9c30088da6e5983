"""One training run as each of p processes sees it: which rows are mine, what is my loss worth, one step.

A process that trains alone runs the same functions with p = 1; that run is what all others are held to.

p processes, B rows of a step, T positions, N steps.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from labcore.architecture.build_train_corpus import draw_story, world
from labcore.distributed.meeting import Place
from labcore.distributed.parallel_config import ParallelConfig
from labcore.model.transformer import Transformer
from labcore.training.objectives import Batch, causal_batch, token_losses
from labcore.training.optimiser import set_learning_rate
from labcore.training.schedule import learning_rate

LANGUAGES = ("en", "zh")
WARMUP_SHARE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class StepDone:
    step: int  # from 1
    loss_sum: float  # nats, over the targets of this process
    targets: int
    seconds: float
    gradients: Any = None  # what `gradients_of` gave, after the first step's backward pass


def rows_of_step(config: ParallelConfig, step: int) -> Batch:
    """The rows that all processes together read in one step: stories of 49 to 75 tokens.  (B, T)

    They depend on seed and step alone, so a run that goes on from a checkpoint needs no memory of them.
    """
    rng = torch.Generator().manual_seed(1_000_003 * config.seed + step)
    rows = [draw_story(LANGUAGES, "stories", "train", rng) for _ in range(config.rows)]
    return causal_batch(rows, world().tokenizer.pad_id)


def my_rows(batch: Batch, config: ParallelConfig, place: Place) -> Batch:
    """Rows r·B/p to (r+1)·B/p for process r; under tensor parallelism all rows for everybody."""
    part = place.rank
    if config.bug == "same_data":
        part = 0
    elif config.way == "tp" and config.bug != "split_data":
        return batch
    size = len(batch.tokens) // place.ways
    mine = slice(part * size, (part + 1) * size)
    return Batch(batch.tokens[mine], batch.targets[mine], batch.padding_mask[mine])


def loss_weight(config: ParallelConfig, place: Place, mine: int, all_targets: int) -> float:
    """What a process multiplies the sum of its losses by before its backward pass.

    DDP and FSDP average the gradients of p processes: (g_1 + … + g_p) / p. For the gradient of the whole
    batch's mean loss, each must therefore weigh its sum by p / (targets of all). Dividing by one's own
    number of targets instead makes a mean of means, in which a token of a short row counts more.
    """
    if config.way == "tp":
        return 1 / mine
    if config.bug == "mean_of_means":
        return 1 / mine
    average = place.ways / all_targets
    return average * place.ways if config.bug == "not_averaged" else average


def descend(model: nn.Module, batch: Batch, config: ParallelConfig, place: Place) -> tuple:
    """Forward and backward pass over this process's rows.  -> summed loss in nats, its targets"""
    mine = my_rows(batch, config, place)
    lonely = config.bug == "no_sync" and place.ways > 1
    with model.no_sync() if lonely else nullcontext():  # subtle: must cover the forward pass too
        losses, _ = token_losses(model, on_device(mine, place.device))
        weight = loss_weight(config, place, mine.num_targets, batch.num_targets)
        (losses.sum() * weight).backward()
    return float(losses.detach().sum()), mine.num_targets


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: ParallelConfig,
    place: Place,
    first: int = 1,
    gradients_of: Callable[[nn.Module], Any] | None = None,
) -> Iterator[StepDone]:
    """The loop that every process runs, from step `first` on; no line of it knows the way."""
    for step in range(first, config.steps + 1):
        started = time.perf_counter()
        optimizer.zero_grad()
        loss_sum, targets = descend(model, rows_of_step(config, step), config, place)
        gradients = gradients_of(model) if gradients_of and step == 1 else None
        set_learning_rate(optimizer, rate_of(config, step))
        optimizer.step()
        yield StepDone(step, loss_sum, targets, time.perf_counter() - started, gradients)


def rate_of(config: ParallelConfig, step: int) -> float:
    warmup = max(1, round(WARMUP_SHARE * config.steps))
    return learning_rate(step, config.learning_rate, "cosine", config.steps, warmup, 0.1)


def fresh_model(config: ParallelConfig) -> Transformer:
    """The same weights in every process: drawn from the seed, in single precision first."""
    generator = torch.Generator().manual_seed(config.seed)
    return Transformer(config.model(world().tokenizer.vocab_size), generator).to(config.dtype)


def on_device(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(part.to(device) for part in (batch.tokens, batch.targets, batch.padding_mask)))


def plain(tensor: Tensor) -> Tensor:
    """The whole tensor, put together from all processes if it is cut up; on the CPU."""
    whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return whole.detach().cpu().clone()


def weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every weight with its name in a model that nobody has wrapped."""
    return ((name.removeprefix("module."), weight) for name, weight in model.named_parameters())


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: plain(weight) for name, weight in weights(model)}


def whole_gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: plain(weight.grad) for name, weight in weights(model)}
