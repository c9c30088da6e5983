"""Writing under a pattern: at every step only those tokens that can still lead to a match.

A regular expression becomes an automaton over characters; a token may follow if all its characters can be
read from the present state. What may not is given probability 0, and the rest is normalised. The text is
then sure to match. It is *not* distributed like the model's own texts that match: see `both_ways`.
Axes: V vocabulary.

Source: Willard and Louf, arXiv:2307.09702.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.generation import check_sampling
from labcore.serving.draft import TARGET
from labcore.serving.regular import Automaton
from labcore.serving.speculating import Reader, SpeculatingConfig, opening_ids
from labcore.text.tokenizer import Tokenizer
from labcore.zoo import load

# For each case an opening that the model knows, and what may follow it.
CASES = {
    "choice": ("Anna had a special", r" [a-z]+ (ball|kite|watch|basket)\."),
    "number": ("There were", r" \d{1,2} dogs"),
    "date": ("It was", r" 20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"),
    "json": (
        "", r'\{"name": "(Anna|Sam|Lucy)", "age": [1-9]\d?, "pets": \["(cat|dog)"(, "(cat|dog)")?\]\}',
    ),
    "trap": (
        "It was", r" (raining|windy) when Sam went to the garden, so he took a red umbrella\.",
    ),
}  # fmt: skip
FINITE = "trap"  # few texts: both ways of constraining can be worked out exactly
TOP = 6


@lab_config
class ConstrainedConfig:
    opening: str = CASES["choice"][0]
    pattern: str = CASES["choice"][1]
    language: str = "en"
    temperature: float = 1.0
    max_new_tokens: int = 60
    seed: int = 0

    def __post_init__(self):
        check_sampling(self.temperature, 0, 1.0)
        if self.max_new_tokens < 1:
            raise LabInputError("max_new_tokens", self.max_new_tokens, "at_least", limit=1)
        SpeculatingConfig(language=self.language)


@dataclass(frozen=True, slots=True)
class Place:
    """One token written, and what else stood to choice."""

    token: str
    allowed: int  # tokens that may come here
    mass: float  # the model's own probability of all of them
    likeliest: list[tuple[str, float, bool]]  # label, the model's probability, whether it may come


@dataclass(frozen=True, slots=True)
class Constrained:
    places: list[Place]
    text: str
    matches: bool
    free: str  # the same seed without the pattern
    free_matches: bool  # whether some beginning of it is a match
    vocabulary: int


@lru_cache(maxsize=16)
def allowed_by(pattern: str) -> "Allowed":
    """Shared: many texts are written under the same pattern."""
    return Allowed(Automaton(pattern), load(TARGET).tokenizer)


class Allowed:
    """Which tokens may follow, state by state; worked out once for each state."""

    def __init__(self, automaton: Automaton, tokenizer: Tokenizer):
        self.automaton, self.stop = automaton, tokenizer.eos_id
        self.spelled: list[tuple[int, str]] = []
        for token in range(tokenizer.vocab_size):
            # subtle: half a character has no text of its own; such tokens are ruled out altogether.
            text = tokenizer.token_bytes(token).decode(errors="replace")
            if text and "\ufffd" not in text:
                self.spelled.append((token, text))
        self._after: dict[int, dict[int, int]] = {}

    def after(self, state: int) -> dict[int, int]:
        """Tokens that may come -> the state they lead to; the stop token leads nowhere (-1)."""
        if state not in self._after:
            ways = {token: self.automaton.walk(state, text) for token, text in self.spelled}
            found = {token: end for token, end in ways.items() if end is not None}
            if self.automaton.ends[state]:
                found[self.stop] = -1
            self._after[state] = found
        return self._after[state]


def masked(probs: Tensor, allowed: list[int]) -> Tensor:
    """Nothing for what may not come; the rest shares the whole.  (V,) -> (V,)"""
    kept = torch.zeros_like(probs).index_copy(0, torch.tensor(allowed), probs[allowed])
    # Where the model gives all that may come no probability at all, each gets the same.
    return kept / kept.sum() if kept.sum() > 0 else kept.index_fill(0, torch.tensor(allowed), 1.0)


@torch.no_grad()
def run(config: ConstrainedConfig) -> Constrained:
    """One text under the pattern, and one without."""
    loaded = load(TARGET)
    tokenizer = loaded.tokenizer
    allowed = allowed_by(config.pattern)
    written, places = [], []
    text = opening_ids(SpeculatingConfig(language=config.language, opening=config.opening))
    begun = len(text)
    reader = Reader(loaded.model, config.temperature)
    rng = torch.Generator().manual_seed(config.seed)
    state = 0
    while len(written) < config.max_new_tokens:
        ways = allowed.after(state)
        if not ways or set(ways) == {tokenizer.eos_id}:
            break  # nothing but the end may come
        probs = reader.probs(text, rows=1)[0]
        token = int(torch.multinomial(masked(probs, list(ways)), 1, generator=rng))
        places.append(place(token, probs, ways, tokenizer))
        if token == tokenizer.eos_id:
            break
        written.append(token)
        text.append(token)
        state = ways[token]
    free = write_freely(config, text[:begun])
    return Constrained(
        places, tokenizer.decode(written), allowed.automaton.matches(tokenizer.decode(written)),
        free, begins_with_match(allowed.automaton, free), tokenizer.vocab_size,
    )  # fmt: skip


def place(token: int, probs: Tensor, ways: dict[int, int], tokenizer: Tokenizer) -> Place:
    top = probs.topk(TOP)
    return Place(
        tokenizer.label(token), len(ways), float(probs[list(ways)].sum()),
        [(tokenizer.label(int(t)), float(p), int(t) in ways) for p, t in zip(*top, strict=True)],
    )  # fmt: skip


def write_freely(config: ConstrainedConfig, opening: list[int]) -> str:
    loaded = load(TARGET)
    reader, text = Reader(loaded.model, config.temperature), list(opening)
    rng = torch.Generator().manual_seed(config.seed)
    for _ in range(min(config.max_new_tokens, 24)):
        probs = reader.probs(text, rows=1)[0]
        token = int(torch.multinomial(probs, 1, generator=rng))
        if token == loaded.tokenizer.eos_id:
            break
        text.append(token)
    return loaded.tokenizer.decode(text[len(opening) :])


def begins_with_match(automaton: Automaton, text: str) -> bool:
    state: int | None = 0
    for character in text:
        if automaton.ends[state]:
            return True
        state = automaton.step(state, character)
        if state is None:
            return False
    return automaton.ends[state]


# Masking is not conditioning.


@dataclass(frozen=True, slots=True)
class BothWays:
    """Every text of a finite pattern: how likely token by token, and among the model's own that match."""

    texts: list[str]
    masked: list[float]
    conditioned: list[float]
    own: list[float]  # the model's own probability, unconstrained

    @property
    def distance(self) -> float:
        """Total variation between the two ways."""
        pairs = zip(self.masked, self.conditioned, strict=True)
        return sum(abs(one - other) for one, other in pairs) / 2


@torch.no_grad()
def both_ways(config: ConstrainedConfig, least: float = 1e-4) -> BothWays:
    """All texts, by a search through the tokens; ways less likely than `least` under the mask are cut off.

    Masked: ∏ p(t) / Σ_allowed p. Conditioned: ∏ p(t) / Σ_texts ∏ p(t). The first divides by another number
    at every step, and never looks at what a token leads to.
    """
    loaded = load(TARGET)
    allowed = allowed_by(config.pattern)
    opening = opening_ids(SpeculatingConfig(language=config.language, opening=config.opening))
    found: dict[str, list[float]] = {}
    open_ways = [((), 0, 1.0, 1.0)]  # tokens, state, masked so far, the model's own so far
    while open_ways:
        tokens, state, under_mask, own = open_ways.pop()
        ways = allowed.after(state)
        if not ways or -1 in ways.values():  # a match: in a finite pattern read to its end
            sums = found.setdefault(loaded.tokenizer.decode(tokens), [0.0, 0.0])
            sums[0] += under_mask
            sums[1] += own
            continue
        logits = loaded.model(torch.tensor([[*opening, *tokens]])).logits[0, -1].double()
        probs = logits.softmax(dim=0)
        narrowed = masked(probs, list(ways))
        for token, following in ways.items():
            if under_mask * float(narrowed[token]) >= least:
                grown = under_mask * float(narrowed[token]), own * float(probs[token])
                open_ways.append(((*tokens, token), following, *grown))
    texts = sorted(found, key=lambda text: -found[text][0])
    whole_masked = sum(found[text][0] for text in texts)
    whole_own = sum(found[text][1] for text in texts)
    return BothWays(
        texts, [found[text][0] / whole_masked for text in texts],
        [found[text][1] / whole_own for text in texts], [found[text][1] for text in texts],
    )  # fmt: skip
