"""What a step of the bundled model costs on this machine, for one request and for many: three numbers.

Axes: B requests in the batch, T prompt tokens.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch

from labcore.model.cache import KVCache
from labcore.serving.batching import Cost
from labcore.serving.draft import TARGET
from labcore.zoo import load

BATCHES = (1, 2, 4, 8, 16, 32)
PROMPTS = (8, 16, 32, 64, 128)
CACHED = 48  # tokens that each request has behind it
REPEATS = 25


@dataclass(frozen=True, slots=True, eq=False)
class StepCosts:
    batches: np.ndarray  # (B,)
    step_ms: np.ndarray  # (B, R) one token for each request
    prompts: np.ndarray  # (T,)
    prompt_ms: np.ndarray  # (T, R) reading a prompt

    @property
    def cost(self) -> Cost:
        """Straight lines through the medians, in seconds."""
        per_request, step = np.polyfit(self.batches, np.median(self.step_ms, axis=1), 1) / 1e3
        per_token, _ = np.polyfit(self.prompts, np.median(self.prompt_ms, axis=1), 1) / 1e3
        return Cost(float(step), float(per_request), float(per_token))


@torch.no_grad()
def measure(seed: int = 0) -> StepCosts:
    """Processor time of this thread, all sizes in turns; the first turn warms up."""
    model = load(TARGET).model
    rng = torch.Generator().manual_seed(seed)
    words = torch.randint(256, model.config.vocab_size, (max(BATCHES), max(PROMPTS)), generator=rng)

    def seconds(rows: int, cached: int, new: int) -> float:
        cache = KVCache()
        if cached:
            model(words[:rows, :cached], cache=cache)
        started = time.thread_time()
        model(words[:rows, cached : cached + new], cache=cache)
        return time.thread_time() - started

    turns = [
        (
            [seconds(rows, CACHED, 1) for rows in BATCHES],
            [seconds(1, 0, tokens) for tokens in PROMPTS],
        )
        for _ in range(REPEATS + 1)
    ][1:]
    steps, prompts = (1e3 * np.array([turn[which] for turn in turns]).T for which in (0, 1))
    return StepCosts(np.array(BATCHES), steps, np.array(PROMPTS), prompts)
