"""A day at a server, drawn: who comes when, with how long a prompt, and how long the answer will be.

Arrivals are independent of each other; lengths have a long tail, as those of real conversations do. No
server knows the length of an answer in advance, except in the one way that is here to show what
knowing it would be worth.

Axes: N requests.
"""

from dataclasses import dataclass

import torch

from labcore.configs import lab_config
from labcore.errors import check_limits

STEPS = 400  # one step: every running request writes a token
MAX_LENGTH = 128  # tokens of prompt and answer that a request may have
OWN_MEAN, ANSWER_MEAN = 14, 28  # tokens
LIMITS = {"arrivals": (0.02, 1.0), "system_tokens": (0, 64)}
FIRST_TOKENS = 1_000_000  # ids mean nothing here, but no two prompts may share one by chance


@lab_config
class TraceConfig:
    arrivals: float = 0.25  # mean requests per step
    system_tokens: int = 32  # every prompt begins with these same tokens
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Request:
    name: str
    arrival: int  # step
    prompt: tuple[int, ...]
    answer_tokens: int

    @property
    def length(self) -> int:
        """Tokens when all is written."""
        return len(self.prompt) + self.answer_tokens


def draw_trace(config: TraceConfig) -> list[Request]:
    """Requests in the order in which they come."""
    rng = torch.Generator().manual_seed(config.seed)
    coming = (
        torch.poisson(torch.full((STEPS,), float(config.arrivals)), generator=rng).int().tolist()
    )
    steps = [step for step, count in enumerate(coming) for _ in range(count)]
    system = tuple(range(config.system_tokens))
    trace = []
    for number, step in enumerate(steps):
        room = MAX_LENGTH - config.system_tokens
        own = min(draw_length(OWN_MEAN, rng), room - 1)
        answer = min(draw_length(ANSWER_MEAN, rng), room - own)
        first = FIRST_TOKENS + number * MAX_LENGTH
        prompt = system + tuple(range(first, first + own))
        trace.append(Request(f"r{number}", step, prompt, answer))
    return trace


def draw_length(mean: int, rng: torch.Generator) -> int:
    """1 and more, exponential: many short ones, a few that are several times the mean."""
    return 1 + int(torch.empty(()).exponential_(1 / mean, generator=rng))
