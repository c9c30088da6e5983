"""The ward of writing: the cache, the draft that guesses ahead, and the cut before a token is drawn.

Everything here is meant to change nothing: a text written with a cache, or with a draft, is the text written
without. That is what the tests hold it to.

Axes: T tokens, k guesses, V vocabulary.
"""

import torch
from torch import Tensor

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal
from labcore.model.cache import KVCache
from labcore.model.generation import keep_top_k, keep_top_p, next_token_probs
from labcore.serving.speculative import keep_chance, left_over
from labcore.text.world import micro_world
from labcore.zoo import load

MODEL = "world-decoder"
READ = 20  # tokens of a story that are read at once; the rest one by one
GUESSED = 4  # that are read and then refused
SYMBOLS, PAIRS = 12, 40  # of the distributions that the draft and the target hold
TEMPERATURE, TOP_P, TOP_K = 0.6, 0.8, 3

# The parts, and what people wrote in their place.


def places_that_go_on(cache: KVCache, unread: Tensor) -> Tensor:
    """Where the new tokens stand.  (1, T) -> (1, T)"""
    return torch.arange(cache.length, cache.length + unread.shape[1])[None]


def places_from_zero(cache: KVCache, unread: Tensor) -> Tensor:
    return torch.arange(unread.shape[1])[None]


def guesses_forgotten(cache: KVCache, length: int) -> None:
    """After a refusal: the cache holds the text up to `length` and nothing else."""
    cache.roll_back(length)


def guesses_left_in(cache: KVCache, length: int) -> None:
    pass


def kept_by_ratio(p: Tensor, q: Tensor) -> Tensor:
    """How likely a guess is kept, for every guess there might be.  (V,), (V,) -> (V,)"""
    return keep_chance(p, q)


def kept_if_likelier(p: Tensor, q: Tensor) -> Tensor:
    return (p >= q).to(p.dtype)


def temperature_last(
    logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    probs = logits.softmax(dim=0)
    if 0 < top_k < len(probs):
        probs = keep_top_k(probs, top_k)
    if top_p < 1:
        probs = keep_top_p(probs, top_p)
    return (probs.log() / temperature).softmax(dim=0)


PARTS: Parts = {
    "places": places_that_go_on,
    "forget": guesses_forgotten,
    "keep": kept_by_ratio,
    "cut": next_token_probs,
}

# The tests.


def story(seed: int) -> Tensor:
    """(1, T)"""
    return torch.tensor(micro_world().dataset(1, seed=900 + seed, split="held_out"))


def read(parts: Parts, cache: KVCache, unread: Tensor) -> Tensor:
    """What the model says after each of some more tokens.  -> (T, V)"""
    places = parts["places"](cache, unread)
    return load(MODEL).model(unread, cache=cache, positions=places).logits[0]


@torch.no_grad()
def token_by_token(parts: Parts, seed: int) -> Reading:
    """A beginning at once, then one token after the other, against all in one pass."""
    text, cache = story(seed), KVCache()
    said = [read(parts, cache, text[:, :READ])]
    said += [read(parts, cache, text[:, at : at + 1]) for at in range(READ, text.shape[1])]
    whole = load(MODEL).model(text).logits[0]
    return equal(float((torch.cat(said) - whole).abs().max()), 1e-3)


@torch.no_grad()
def after_a_refusal(parts: Parts, seed: int) -> Reading:
    """Guesses are read and refused; the text goes on in one piece, as if nobody had guessed."""
    text, cache = story(seed), KVCache()
    guesses = text[:, -GUESSED:]
    read(parts, cache, text[:, :READ])
    read(parts, cache, guesses)
    parts["forget"](cache, READ)
    # The places are told outright: what is left in the cache is all that this test looks at.
    rest = text[:, READ : READ + 1]
    said = load(MODEL).model(rest, cache=cache, positions=torch.tensor([[READ]])).logits[0]
    whole = load(MODEL).model(text[:, : READ + 1]).logits[0, -1:]
    return equal(float((said - whole).abs().max()), 1e-3)


def chances_of_the_text(parts: Parts, seed: int) -> Reading:
    """The exact chances of a token that comes out of a round, against the target's: the largest distance.

    It comes out if it is guessed and kept, or drawn from what is left after a refusal.
    """
    generator = torch.Generator().manual_seed(seed)
    p, q = (
        torch.randn(PAIRS, SYMBOLS, generator=generator, dtype=torch.float64).mul(1.5).softmax(1)
        for _ in range(2)
    )
    kept = q * parts["keep"](p, q)
    written = kept + (1 - kept.sum(dim=1, keepdim=True)) * left_over(p, q)
    return equal(float((written - p).abs().sum(dim=1).max() / 2), 1e-9)


def by_hand(logits: list[float]) -> list[float]:
    """Divide by the temperature, keep the fewest likeliest that reach top-p, share out.  -> (V,)"""
    powers = [2.718281828459045 ** (x / TEMPERATURE) for x in logits]
    chances = [power / sum(powers) for power in powers]
    kept, reached = set(), 0.0
    for token in sorted(range(len(chances)), key=lambda t: -chances[t]):
        if reached < TOP_P:
            kept.add(token)
            reached += chances[token]
    return [chance / reached if token in kept else 0.0 for token, chance in enumerate(chances)]


def drawn_from(parts: Parts, seed: int) -> Reading:
    """What a token is drawn from, against the same worked out step by step: the largest difference."""
    generator = torch.Generator().manual_seed(seed)
    rows = 2 * torch.randn(PAIRS, SYMBOLS, generator=generator)
    gaps = [
        float((parts["cut"](row, TEMPERATURE, 0, TOP_P) - torch.tensor(by_hand(row.tolist()))).abs().max())
        for row in rows
    ]  # fmt: skip
    return equal(max(gaps), 1e-5)


def drawn_at_one(parts: Parts, seed: int) -> Reading:
    """At temperature 1, with top-k: there is nothing for the order to change."""
    generator = torch.Generator().manual_seed(seed)
    rows = 2 * torch.randn(PAIRS, SYMBOLS, generator=generator)
    gaps = [
        float((parts["cut"](row, 1.0, TOP_K, 1.0) - next_token_probs(row, 1.0, TOP_K)).abs().max())
        for row in rows
    ]
    return equal(max(gaps), 1e-5)


WARD = Ward(
    "writing", "inference", PARTS,
    (
        Test("cache", "equality", token_by_token),
        Test("refusal", "equality", after_a_refusal),
        Test("chances", "equality", chances_of_the_text),
        Test("cut", "equality", drawn_from),
        Test("cut_at_one", "equality", drawn_at_one),
    ),
    (
        Bug("places_restart", "places", places_from_zero,
            ("Blaizzy/mlx-vlm#1983",), "kv_cache", "cache"),
        Bug("guesses_kept", "forget", guesses_left_in,
            ("ml-explore/mlx-lm#1109",), "decoding", "refusal",
            shown=KVCache.roll_back),
        Bug("kept_if_likelier", "keep", kept_if_likelier,
            ("vllm-project/vllm-project.github.io#80",), "decoding", "chances", shown=keep_chance),
        Bug("temperature_last", "cut", temperature_last,
            ("fishaudio/fish-speech#1150", "huggingface/transformers#8686"), "decoding", "cut"),
    ),
)  # fmt: skip
