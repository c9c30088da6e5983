"""Nine ways for a training run to go: one healthy, eight with a fault that people really make."""

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
