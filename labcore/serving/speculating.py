"""Writing with a draft: guess, check, keep, forget; every token with what became of it.

Both models keep a cache. A refused guess has been read already, by both: the caches are rolled back to the
last token that stands. Sources: see `speculative`.
Axes: k guesses, V vocabulary, R rounds.
"""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.cache import KVCache
from labcore.model.generation import distributions
from labcore.model.transformer import Transformer
from labcore.serving.draft import TARGET, load_draft
from labcore.serving.speculative import RULES, check, kept_share
from labcore.text.world import LANGUAGES
from labcore.zoo import load

DRAFTS = ("small", "untrained", "itself")
MOST_GUESSES = 12


@lab_config
class SpeculatingConfig:
    guesses: int = 4  # k, per round
    temperature: float = 1.0  # of target and draft; 0 is argmax
    draft: str = "small"  # or "untrained", or "itself": the target as its own draft
    language: str = "en"
    opening: str = ""  # the story begins like this
    max_new_tokens: int = 80
    rule: str = "exact"
    seed: int = 0

    def __post_init__(self):
        if not 1 <= self.guesses <= MOST_GUESSES:
            raise LabInputError("guesses", self.guesses, "between", low=1, high=MOST_GUESSES)
        if not 0 <= self.temperature <= 4:
            raise LabInputError("temperature", self.temperature, "between", low=0, high=4)
        if self.max_new_tokens < 1:
            raise LabInputError("max_new_tokens", self.max_new_tokens, "at_least", limit=1)
        choices = {"draft": DRAFTS, "language": LANGUAGES, "rule": RULES}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)


@dataclass(frozen=True, slots=True)
class Round:
    guesses: list[int]  # (k,)
    kept: int
    tokens: list[int]  # the guesses kept and one of the target's own; cut at a stop token
    agreement: list[float]  # (k,) Σ min(p, q) at each guess: how likely it was to be kept

    @property
    def checked(self) -> int:
        """Guesses that were looked at: those kept and the one refused; none behind the end of the text."""
        ended = len(self.tokens) == self.kept
        return self.kept if ended else min(self.kept + 1, len(self.guesses))


@dataclass(frozen=True, slots=True)
class Speculation:
    rounds: list[Round]
    labels: dict[int, str]  # of every token guessed or written
    text: str  # opening and story
    same_as_plain: bool | None  # at temperature 0: token for token what the target writes alone

    @property
    def written(self) -> int:
        return sum(len(one.tokens) for one in self.rounds)

    @property
    def checked(self) -> int:
        return sum(one.checked for one in self.rounds)

    @property
    def kept(self) -> int:
        return sum(one.kept for one in self.rounds)

    @property
    def expected_kept_share(self) -> float:
        """The mean of Σ min(p, q) over the guesses that were looked at."""
        looked = [a for one in self.rounds for a in one.agreement[: one.checked]]
        return sum(looked) / len(looked)


class Reader:
    """A model that reads a text as it grows, each token once, and forgets what is taken back."""

    def __init__(self, model: Transformer, temperature: float):
        self.model, self.temperature, self.cache = model, temperature, KVCache()

    def probs(self, text: Sequence[int], rows: int) -> Tensor:
        """What may follow each of the last `rows` tokens of `text`.  -> (rows, V)"""
        unread = torch.tensor([text[self.cache.length :]])
        logits = self.model(unread, cache=self.cache).logits[0, -rows:]
        return distributions(logits, self.temperature)

    def forget(self, length: int) -> None:
        self.cache.roll_back(min(length, self.cache.length))


def guess(
    draft: Reader, text: Sequence[int], count: int, generator: torch.Generator
) -> tuple[list[int], Tensor]:
    """The draft writes ahead, token by token.  -> k tokens, their distributions (k, V)"""
    guessed, rows = list(text), []
    for _ in range(count):
        rows.append(draft.probs(guessed, rows=1)[0])
        guessed.append(int(torch.multinomial(rows[-1], 1, generator=generator)))
    return guessed[len(text) :], torch.stack(rows)


@torch.no_grad()
def speculate(
    target: Transformer, draft: Transformer, tokens: Sequence[int], config: SpeculatingConfig,
    stop_ids: Collection[int] = (),
) -> Generator[Round, None, None]:  # fmt: skip
    """Go on from `tokens`, one event per round."""
    rng = torch.Generator().manual_seed(config.seed)
    reader, guesser = Reader(target, config.temperature), Reader(draft, config.temperature)
    text, end = list(tokens), len(tokens) + config.max_new_tokens
    while len(text) < end:
        guesses, q = guess(guesser, text, config.guesses, rng)
        p = reader.probs([*text, *guesses], rows=len(guesses) + 1)  # one pass over all of them
        checked = check(torch.tensor(guesses), p, q, rng, config.rule)
        new = until_stop(checked.tokens[: end - len(text)], stop_ids)
        text += new
        # The last token is the target's own and still unread; all before it stand.
        reader.forget(len(text) - 1)
        guesser.forget(len(text) - 1)
        yield Round(guesses, min(checked.kept, len(new)), new, kept_share(p[:-1], q).tolist())
        if text[-1] in stop_ids:
            return


def until_stop(tokens: list[int], stop_ids: Collection[int]) -> list[int]:
    """Up to the first stop token, and with it."""
    ends = [place + 1 for place, token in enumerate(tokens) if token in stop_ids]
    return tokens[: ends[0]] if ends else tokens


@torch.no_grad()
def write_plainly(
    target: Transformer, tokens: Sequence[int], config: SpeculatingConfig,
    stop_ids: Collection[int] = (),
) -> list[int]:  # fmt: skip
    """The target alone, with its cache, drawing in the same way: what speculation is measured against."""
    rng = torch.Generator().manual_seed(config.seed)
    reader, text = Reader(target, config.temperature), list(tokens)
    for _ in range(config.max_new_tokens):
        p = reader.probs(text, rows=1)[0]
        text.append(int(torch.multinomial(p, 1, generator=rng)))
        if text[-1] in stop_ids:
            break
    return text[len(tokens) :]


def draft_of(config: SpeculatingConfig) -> Transformer:
    if config.draft == "itself":
        return load(TARGET).model
    if config.draft == "small":
        return load_draft()
    return Transformer(load_draft().config, torch.Generator().manual_seed(config.seed)).eval()


def opening_ids(config: SpeculatingConfig) -> list[int]:
    """Raises LabInputError("opening", …, "max_positions") where no room is left for the story."""
    target = load(TARGET)
    language = target.tokenizer.special_id(f"<|{config.language}|>")
    ids = [target.tokenizer.bos_id, language, *target.tokenizer.encode(config.opening)]
    limit = target.model.config.max_positions
    if len(ids) + config.max_new_tokens > limit:
        raise LabInputError("opening", len(ids), "max_positions", limit=limit)
    return ids


def run(config: SpeculatingConfig) -> Speculation:
    """One story."""
    loaded = load(TARGET)
    tokenizer, target = loaded.tokenizer, loaded.model
    begun, stop = opening_ids(config), {tokenizer.eos_id}
    rounds: list[Round] = []
    drain(speculate(target, draft_of(config), begun, config, stop), rounds.append)
    written = [token for one in rounds for token in one.tokens]
    same = None
    if config.temperature == 0:
        same = written == write_plainly(target, begun, config, stop)
    seen = {token for one in rounds for token in (*one.guesses, *one.tokens)}
    return Speculation(
        rounds, {token: tokenizer.label(token) for token in sorted(seen)},
        config.opening + tokenizer.decode(written), same,
    )  # fmt: skip
