"""What a parallel run is told, on the page and on the command line alike."""

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.model.config import ModelConfig

WAYS = ("ddp", "zero1", "zero2", "zero3", "tp")
PROCESSES = (1, 2, 4)
AVERAGING = ("none", "mean_of_means", "not_averaged", "same_data")
# Bugs that a way can have; tensor parallelism divides no rows, so it has others.
BUGS: dict[str, tuple[str, ...]] = {
    "ddp": (*AVERAGING, "no_sync"),
    "zero1": AVERAGING,
    "zero2": AVERAGING,
    "zero3": AVERAGING,
    "tp": ("none", "no_sum", "split_data"),
}
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}
RATES = {"adamw": 0.003, "sgd": 0.3}  # the highest rate of each optimizer
REDUCE_SCATTERS = ("ring", "backend")
HEADS = 4
MOST_STEPS = 200
LIMITS = {
    "steps": (1, MOST_STEPS), "rows": (1, 4096), "hidden_size": (HEADS, 8192), "num_layers": (1, 256),
}  # fmt: skip


@lab_config
class ParallelConfig:
    """One run. How many processes there are is not the run's to say: torchrun decides it."""

    way: str = "ddp"
    steps: int = 30
    bug: str = "none"
    precision: str = "float32"
    optimizer: str = "adamw"
    reduce_scatter: str = "ring"  # FSDP2 only: the lab's own ring, or what the backend has
    checkpoint_every: int = 0  # steps; 0: never
    die_at: int = 0  # step after which the last process kills itself, once; 0: never
    rows: int = 16  # B, of all processes together
    hidden_size: int = 64
    num_layers: int = 2
    seed: int = 0  # of the weights and of the rows

    def __post_init__(self):
        choices = {
            "way": WAYS, "precision": tuple(PRECISIONS), "optimizer": tuple(RATES),
            "reduce_scatter": REDUCE_SCATTERS, "bug": BUGS.get(self.way, ("none",)),
        }  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        check_limits(self, LIMITS)
        for name in ("checkpoint_every", "die_at"):
            if not 0 <= getattr(self, name) <= self.steps:
                value = getattr(self, name)
                raise LabInputError(name, value, "between", low=0, high=self.steps)

    @property
    def learning_rate(self) -> float:
        return RATES[self.optimizer]

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]

    def model(self, vocab_size: int) -> ModelConfig:
        return ModelConfig(
            vocab_size=vocab_size, hidden_size=self.hidden_size, num_layers=self.num_layers,
            num_heads=HEADS,
        )  # fmt: skip
