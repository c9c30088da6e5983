"""What a causal and a masked model can do afterwards: fill a gap, score a sentence, write on.

Each task is natural for one of them and takes a detour for the other. A causal model fills a gap by
trying every token of the vocabulary and comparing whole texts; a masked model scores a text by hiding its
tokens one at a time (pseudo-log-likelihood, Salazar et al., arXiv:1910.14659), and writes by opening a gap
at the end, again and again.

Axes: B texts, T tokens, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.text.bpe import BPETokenizer
from labcore.text.masking import collate

AFTER_GAP = 12  # tokens behind a gap that judge what is tried in it; later ones hardly care


@torch.no_grad()
def fill_from_left(model: Transformer, texts: Sequence[list[int]], places: Sequence[int]) -> Tensor:
    """A causal model's belief about each gap from what stands before it.  -> ln p (B, V)"""
    tokens, real = collate(texts, pad_id=0)
    logits = model(tokens, padding_mask=real).logits
    return logits[torch.arange(len(texts)), torch.tensor(places) - 1].log_softmax(dim=-1)


@torch.no_grad()
def fill_from_both_sides(
    model: Transformer, texts: Sequence[list[int]], places: Sequence[int], mask_id: int
) -> Tensor:
    """A masked model's belief about each gap from all the rest.  -> ln p (B, V)"""
    tokens, real = collate(texts, pad_id=0)
    each, at = torch.arange(len(texts)), torch.tensor(places)
    tokens[each, at] = mask_id
    return model(tokens, padding_mask=real).logits[each, at].log_softmax(dim=-1)


@torch.no_grad()
def fill_by_rescoring(model: Transformer, text: list[int], place: int) -> Tensor:
    """A causal model's belief about a gap, both sides seen: every token is tried.  -> ln p (V,)

    By Bayes' rule p(token | left, right) is proportional to p(token | left) · p(right | left, token).
    What stands before the gap is read once and kept in the cache.
    """
    cache = KVCache()
    left = model(torch.tensor([text[:place]]), cache=cache).logits[0, -1].log_softmax(dim=0)
    right = torch.tensor(text[place + 1 : place + 1 + AFTER_GAP], dtype=torch.int64)
    vocab_size = len(left)
    cache.entries = {
        name: tuple(kept.expand(vocab_size, -1, -1, -1) for kept in pair)
        for name, pair in cache.entries.items()
    }
    tried = torch.cat([torch.arange(vocab_size)[:, None], right.expand(vocab_size, -1)], dim=1)
    beliefs = model(tried, cache=cache).logits[:, :-1].log_softmax(dim=-1)
    joint = left + beliefs.gather(2, tried[:, 1:, None]).sum(dim=(1, 2))
    return joint.log_softmax(dim=0)


@torch.no_grad()
def left_to_right_nats(model: Transformer, text: list[int]) -> Tensor:
    """−ln p of each token but the first, given those before it; one pass.  -> (T − 1,)

    Their sum is −ln p of the text: over all texts these probabilities add up to 1.
    """
    beliefs = model(torch.tensor([text[:-1]])).logits[0].log_softmax(dim=-1)
    return -beliefs.gather(1, torch.tensor(text[1:])[:, None])[:, 0]


@torch.no_grad()
def pseudo_nats(model: Transformer, text: list[int], mask_id: int) -> Tensor:
    """−ln p of each token but the first, given all others; T − 1 passes.  -> (T − 1,)

    subtle: their sum is −ln of no probability: over all texts these products do not add up to 1.
    """
    places = torch.arange(1, len(text))
    true = torch.tensor(text[1:])
    tokens = torch.tensor(text).repeat(len(places), 1)
    tokens[torch.arange(len(places)), places] = mask_id
    logits = model(tokens).logits[torch.arange(len(places)), places]
    return -logits.log_softmax(dim=-1).gather(1, true[:, None])[:, 0]


@torch.no_grad()
def write(
    model: Transformer, kind: str, prompts: Sequence[list[int]], tokenizer: BPETokenizer,
    generator: torch.Generator, count: int,
) -> list[list[int]]:  # fmt: skip
    """`count` tokens after each prompt, all prompts being of the same length.

    A masked model is treated like a causal one: a gap is opened at the end of the text, filled, and so on.
    """
    tokens = torch.tensor(prompts)
    gap = torch.full((len(tokens), 1), tokenizer.mask_id)
    special = [tokenizer.special_id(name) for name in tokenizer.special_tokens]
    for _ in range(count):
        read = torch.cat([tokens, gap], dim=1) if kind == "masked" else tokens
        logits = model(read).logits[:, -1]
        logits[:, special] = -torch.inf  # words only
        said = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)
        tokens = torch.cat([tokens, said], dim=1)
    return tokens.tolist()
