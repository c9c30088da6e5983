"""A model at work on a question: it writes its steps, somebody cuts or corrupts them, it answers.

Axes: B questions, N digits, S steps, V vocabulary.
"""

import torch
from torch import Tensor

from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.reasoning.chains import ANSWER, prompts


@torch.no_grad()
def write_steps(
    model: Transformer, questions: Tensor, steps: int, temperature: float = 0.0,
    generator: torch.Generator | None = None, begun: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """`steps` steps in all, of which `begun` (B, S) are given.  (B, N) -> (B, steps)

    At temperature 0 always the likeliest token; else drawn. Each token is read once, through the cache.
    """
    chain = questions[:, :0] if begun is None else begun
    cache, unread = KVCache(), torch.cat([prompts(questions), chain], dim=1)
    while chain.shape[1] < steps:
        logits = model(unread, cache=cache).logits[:, -1]  # (B, V)
        unread = pick(logits, temperature, generator)[:, None]
        chain = torch.cat([chain, unread], dim=1)
    return chain


def pick(logits: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    """One token for each row.  (B, V) -> (B,)"""
    if temperature == 0:
        return logits.argmax(dim=1)
    probs = (logits / temperature).softmax(dim=1)
    return torch.multinomial(probs, 1, generator=generator)[:, 0]


@torch.no_grad()
def answer_after(
    model: Transformer, questions: Tensor, chain: Tensor, temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """The answer once these steps and ">" stand there, however few they are.  (B, N), (B, S) -> (B,)"""
    return pick(answer_logits(model, questions, chain), temperature, generator)


def answer_logits(model: Transformer, questions: Tensor, chain: Tensor) -> Tensor:
    """What may follow the ">" behind these steps.  (B, N), (B, S) -> (B, V)"""
    mark = torch.full((len(questions), 1), ANSWER)
    return model(torch.cat([prompts(questions), chain, mark], dim=1)).logits[:, -1]


def step_logits(model: Transformer, questions: Tensor, chain: Tensor) -> Tensor:
    """What might have stood in place of each step.  (B, N), (B, S) -> (B, S, V)"""
    text = torch.cat([prompts(questions), chain[:, :-1]], dim=1)
    return model(text).logits[:, questions.shape[1] :]
