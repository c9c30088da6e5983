"""A policy at work: many answers at once, and how likely it held each of their tokens.

Sampling reads every token once, through the key/value cache. Scoring reads whole answers in one pass and
can be differentiated. Both use the distribution at temperature 1 unless told otherwise; the
probability of an answer is the product over its tokens, the end included, padding not.

Axes: B answers, P prompt tokens, R response tokens, V vocabulary.
"""

import torch
from torch import Tensor

from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer


@torch.no_grad()
def sample_responses(
    policy: Transformer,
    prompts: Tensor,
    most_tokens: int,
    end_id: int,
    pad_id: int,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Tensor:
    """Answers drawn token by token; at temperature 0 always the likeliest.  (B, P) -> (B, R)"""
    was_training = policy.training
    policy.eval()
    cache, unread = KVCache(), prompts
    ended = torch.zeros(len(prompts), dtype=torch.bool)
    columns = []
    for _ in range(most_tokens):
        logits = policy(unread, cache=cache).logits[:, -1]  # (B, V)
        if temperature == 0:
            token = logits.argmax(dim=1)
        else:
            probs = (logits / temperature).softmax(dim=1)
            token = torch.multinomial(probs, 1, generator=generator)[:, 0]
        token = token.masked_fill(ended, pad_id)
        columns.append(token)
        ended = ended | (token == end_id)
        unread = token[:, None]
    policy.train(was_training)
    return torch.stack(columns, dim=1)


def response_logits(policy: Transformer, prompts: Tensor, responses: Tensor) -> Tensor:
    """What the policy said before each token of the answers.  (B, P), (B, R) -> (B, R, V)"""
    text = torch.cat([prompts, responses[:, :-1]], dim=1)
    return policy(text).logits[:, prompts.shape[1] - 1 :]


def token_logprobs(
    policy: Transformer, prompts: Tensor, responses: Tensor, pad_id: int
) -> tuple[Tensor, Tensor]:
    """ln π of each token of the answers; 0 at padding.  -> (B, R) nats, (B, R) True at real tokens"""
    logprobs = response_logits(policy, prompts, responses).log_softmax(dim=2)
    taken = logprobs.gather(2, responses[:, :, None])[:, :, 0]
    real = responses != pad_id
    return taken.masked_fill(~real, 0.0), real
