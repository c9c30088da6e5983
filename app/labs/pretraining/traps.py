"""Numbers and traps: few bits, wrong means, secrets that are remembered, abilities that come overnight."""

from app.labs.pretraining import (
    traps_accumulation,
    traps_emergence,
    traps_memory,
    traps_numbers,
    traps_training,
)
from app.page import LabPage
from labcore.pretraining import emergence, gradient_range, mean_of_means, planted_secrets
from labcore.pretraining.low_precision import adam_step, unscaled
from labcore.pretraining.number_formats import round_to, spacing
from labcore.pretraining.precision_runs import backward

SHOWN = (
    spacing, round_to, gradient_range.fate, backward, unscaled, adam_step,
    mean_of_means.token_weight, mean_of_means.accumulate, mean_of_means.end_probability,
    planted_secrets.pin_log_probs, planted_secrets.rank_of, planted_secrets.exposure_bits,
    emergence.problems, emergence.score,
)  # fmt: skip

DRAW = {
    "numbers": traps_numbers.draw,
    "training": traps_training.draw,
    "accumulation": traps_accumulation.draw,
    "memory": traps_memory.draw,
    "emergence": traps_emergence.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(DRAW), "numbers")
    page.caption(f"part.{part}")
    DRAW[part](page)
