"""Writing: from logits to a distribution, from a distribution to a token, from tokens to a text.

V vocabulary, T tokens. Logits are natural-log odds, unnormalised.
Sources: top-k arXiv:1805.04833, top-p (nucleus) arXiv:1904.09751.
"""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.trace import Interventions
from labcore.model.transformer import Transformer

# Of a temperature above 0: in 32 bits a smaller one would be 0, and 0 / 0 none at all.
COLDEST = 1e-30


@lab_config
class SamplingConfig:
    temperature: float = 1.0  # divides the logits; below 1 sharpens, above 1 flattens, 0 is argmax
    top_k: int = 0  # keep this many of the most likely tokens; 0 keeps all
    top_p: float = 1.0  # keep the most likely tokens that together reach this share; 1 keeps all
    max_new_tokens: int = 64
    seed: int = 0
    use_cache: bool = True  # without it every token is read again for each new one

    def __post_init__(self):
        check_sampling(self.temperature, self.top_k, self.top_p)
        if self.max_new_tokens < 1:
            raise LabInputError("max_new_tokens", self.max_new_tokens, "at_least", limit=1)


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    token: int  # the id that was drawn
    logits: Tensor  # (V,) what the model said
    probs: Tensor  # (V,) what it was drawn from


def check_sampling(temperature: float, top_k: int, top_p: float) -> None:
    """Raises LabInputError for a knob outside its range."""
    if not 0 <= temperature < float("inf"):
        raise LabInputError("temperature", temperature, "at_least", limit=0)
    if top_k < 0:
        raise LabInputError("top_k", top_k, "at_least", limit=0)
    if not 0 < top_p <= 1:
        raise LabInputError("top_p", top_p, "between", low=0, high=1)


def distributions(logits: Tensor, temperature: float) -> Tensor:
    """softmax(z / T)  (…, V) -> (…, V); at temperature 0 all on the largest logit"""
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.shape[-1]).to(logits.dtype)
    # subtle: the shift by the maximum keeps a tiny temperature from overflowing.
    shifted = logits - logits.amax(dim=-1, keepdim=True)
    return (shifted / max(temperature, COLDEST)).softmax(dim=-1)


def next_token_probs(
    logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """Sharpen or flatten, cut the tail, normalise: in this order.  (V,) -> (V,), sums to 1

    At temperature 0 all probability is on the largest logit, the first of them if several tie.
    """
    check_sampling(temperature, top_k, top_p)
    probs = distributions(logits.float(), temperature)
    if temperature == 0:
        return probs
    if 0 < top_k < len(probs):
        probs = keep_top_k(probs, top_k)
    if top_p < 1:
        probs = keep_top_p(probs, top_p)
    return probs


def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most likely tokens, renormalised; exactly k, even when some tie.  (V,) -> (V,)"""
    kept = probs.topk(k)
    return torch.zeros_like(probs).index_copy(0, kept.indices, kept.values / kept.values.sum())


def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The fewest most likely tokens whose probabilities reach p, renormalised.  (V,) -> (V,)"""
    ordered, tokens = probs.sort(descending=True, stable=True)
    before = F.pad(ordered.cumsum(dim=0)[:-1], (1, 0))  # reached by the more likely ones alone
    ordered = torch.where(before < p, ordered, 0.0)
    return torch.zeros_like(probs).index_copy(0, tokens, ordered / ordered.sum())


def sample(probs: Tensor, generator: torch.Generator) -> int:
    """Draw one token.  (V,) -> id"""
    return int(torch.multinomial(probs, num_samples=1, generator=generator))


@torch.no_grad()
def generate(
    model: Transformer,
    tokens: Sequence[int],
    config: SamplingConfig,
    stop_ids: Collection[int] = (),
    context: Sequence[int] | None = None,
    interventions: Interventions | None = None,
) -> Generator[Written, None, None]:
    """Go on from `tokens`, one event per token written, a stop token included.

    An encoder-decoder also takes its input, `context`, and starts from its start token. The text ends
    at a stop id, after `max_new_tokens`, or where learned positions do.
    Raises LabInputError for an encoder, an empty beginning and everything that the model refuses.
    """
    if model.config.kind == "encoder" or model.config.head == "none":
        raise LabInputError("kind", model.config.kind, "can_write")
    device = model.token_embedding.weight.device
    text = _row(tokens, device)
    source = None if context is None else _row(context, device)
    cache = KVCache() if config.use_cache else None
    rng = torch.Generator().manual_seed(config.seed)
    unread = text
    for _ in range(config.max_new_tokens):
        output = model(unread, context=source, cache=cache, interventions=interventions)
        logits = output.logits[0, -1]
        probs = next_token_probs(logits, config.temperature, config.top_k, config.top_p)
        # Nothing is drawn where nothing is left to chance.
        token = int(logits.argmax()) if config.temperature == 0 else sample(probs.cpu(), rng)
        yield Written(token, logits, probs)
        if token in stop_ids or not _fits(model, text.shape[1] + 1):
            return
        new = _row([token], device)
        text = torch.cat([text, new], dim=1)
        unread = text if cache is None else new


def _row(ids: Sequence[int], device: torch.device) -> Tensor:
    """(T,) -> (1, T) int64"""
    return torch.as_tensor(ids, dtype=torch.int64, device=device).reshape(1, -1)


def _fits(model: Transformer, length: int) -> bool:
    config = model.config
    return config.positions != "learned" or length <= config.max_positions
