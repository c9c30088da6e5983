"""Eight faults that people really make, each as one change to a healthy setup.

A setup is everything that a run is made from. A fault takes it and gives it back with one thing wrong,
so that the healthy run beside it, with the same seed, differs in nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig
from labcore.training.objectives import Batch

FAULTS: tuple[str, ...] = (
    "healthy",
    "rate_too_high",
    "no_warmup",
    "bad_init",
    "leak",
    "duplicates",
    "poisoned_batch",
    "frozen_layer",
    "exploding",
)
WRITERS = (".out.weight", ".down.weight")  # the maps whose output is added to the stream


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a fault can spoil; the defaults spoil nothing."""

    model: ModelConfig
    training: TrainConfig
    gain: float = 1.0  # factor on every matrix and table as it is drawn
    writers_gain: float = 1.0  # factor on the maps that write to the stream, on top of `gain`
    frozen_block: int | None = None
    distinct_batches: int | None = None  # None: every batch is new
    poisoned_steps: tuple[int, ...] = ()  # whose batches are noise


def rate_too_high(setup: Setup) -> Setup:
    """Thirty times the rate: each update throws away what the last ones found."""
    training = setup.training
    return replace(setup, training=replace(training, learning_rate=30 * training.learning_rate))


def no_warmup(setup: Setup) -> Setup:
    """The full rate from the first step, while Adam knows nothing of the gradients' size."""
    return replace(setup, training=replace(setup.training, warmup_steps=0))


def bad_init(setup: Setup) -> Setup:
    """Weights drawn five times too large: the model begins with strong opinions about nothing."""
    return replace(setup, gain=5.0)


def leak(setup: Setup) -> Setup:
    """No causal mask: each position may look at the token that it should predict."""
    return replace(setup, model=setup.model.with_(causal=False))


def duplicates(setup: Setup) -> Setup:
    """Four batches for the whole run: they are learnt by heart."""
    return replace(setup, distinct_batches=4)


def poisoned_batch(setup: Setup) -> Setup:
    """One batch of noise, two thirds of the way: a broken file, a wrong encoding."""
    return replace(setup, poisoned_steps=(max(1, 2 * setup.training.steps // 3),))


def frozen_layer(setup: Setup) -> Setup:
    """The optimiser never gets the weights of one block in the middle."""
    return replace(setup, frozen_block=setup.model.num_layers // 2)


def exploding(setup: Setup) -> Setup:
    """No normalisation, and blocks that each say more than the stream holds: it grows like a power."""
    return replace(setup, model=setup.model.with_(norm="none"), writers_gain=30.0)


INJECT: dict[str, Callable[[Setup], Setup]] = {
    "healthy": lambda setup: setup,
    "rate_too_high": rate_too_high,
    "no_warmup": no_warmup,
    "bad_init": bad_init,
    "leak": leak,
    "duplicates": duplicates,
    "poisoned_batch": poisoned_batch,
    "frozen_layer": frozen_layer,
    "exploding": exploding,
}


def inject(setup: Setup, fault: str) -> Setup:
    if fault not in INJECT:
        raise LabInputError("fault", fault, "known_choice", allowed=FAULTS)
    return INJECT[fault](setup)


def blind(number: int) -> str:
    """The fault of mystery `number`: any of the nine, healthy included."""
    rng = torch.Generator().manual_seed(number)
    return FAULTS[int(torch.randint(len(FAULTS), (), generator=rng))]


# What the faults act on.


@torch.no_grad()
def build(setup: Setup, seed: int) -> Transformer:
    """The untrained model: drawn from the seed, then scaled and frozen as the setup has it."""
    model = Transformer(setup.model, torch.Generator().manual_seed(seed))
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            weight.mul_(setup.gain * (setup.writers_gain if name.endswith(WRITERS) else 1.0))
    if setup.frozen_block is not None:
        model.stack.layers[setup.frozen_block].requires_grad_(False)
    return model


def batches(setup: Setup, at: Callable[[int], Batch], first: int, seed: int) -> Iterator[Batch]:
    """The batches of the steps from number `first` on; `at(step)` is a step's batch."""
    for step in range(first, setup.training.steps + 1):
        which = step if setup.distinct_batches is None else (step - 1) % setup.distinct_batches + 1
        batch = at(which)
        if step in setup.poisoned_steps:
            batch = noise(batch, setup.model.vocab_size, seed + step)
        yield batch


def noise(batch: Batch, vocab_size: int, seed: int) -> Batch:
    """Random tokens in place of text; where something is asked stays as it was."""
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randint(vocab_size, batch.tokens.shape, generator=rng)
    targets = torch.randint(vocab_size, batch.targets.shape, generator=rng)
    return replace(batch, tokens=tokens, targets=targets.where(batch.targets >= 0, batch.targets))
