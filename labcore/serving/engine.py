"""A model that many ask at once: continuous batching, really done.

One thread owns the model. At every step whoever waits takes a free seat: the prompt is read alone, its
cache joined to the others', and from then on one pass of the model writes a token for everybody seated.
Who is done, or no longer listens, leaves at once, and the next may sit down. More than `queue_limit`
who wait are sent away.

Sources: Orca, Yu et al., OSDI 2022. Axes: B seated, V vocabulary.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.generation import check_sampling, next_token_probs, sample
from labcore.model.transformer import Transformer
from labcore.serving.joint_cache import join, keep


class Busy(Exception):
    """Too many wait already, or the engine has been closed."""


@lab_config
class Ask:
    """What is wanted."""

    prompt: tuple[int, ...]
    most_tokens: int = 64
    temperature: float = 1.0  # 0: always the likeliest
    top_p: float = 1.0
    stop_ids: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self):
        check_sampling(self.temperature, 0, self.top_p)
        if not self.prompt:
            raise LabInputError("prompt", (), "not_empty")
        if self.most_tokens < 1:
            raise LabInputError("most_tokens", self.most_tokens, "at_least", limit=1)


@dataclass(frozen=True, slots=True)
class Said:
    """One token of an answer, and whether it is the last."""

    token: int
    ended: str = ""  # "stop" or "length"


Tell = Callable[[Said | None], None]  # None: there will be no more, the engine has been closed


@dataclass(eq=False)
class Ticket:
    """One request's place: whom its tokens are told, and the way to give it up."""

    ask: Ask
    rng: torch.Generator
    tell: Tell
    written: int = 0
    given_up: bool = False

    def give_up(self) -> None:
        """Whoever asked has gone: the seat is free after the step in progress."""
        self.given_up = True


class Engine:
    """The model's thread. `close` ends it; whoever waits then is told."""

    def __init__(self, model: Transformer, max_batch: int = 8, queue_limit: int = 32):
        for name, value in (("max_batch", max_batch), ("queue_limit", queue_limit)):
            if value < 1:
                raise LabInputError(name, value, "at_least", limit=1)
        self.model, self.max_batch, self.queue_limit = model, max_batch, queue_limit
        self.steps = self.tokens = 0  # passes for those seated, and tokens written in them
        self._waiting: deque[Ticket] = deque()
        self._seated: list[Ticket] = []
        self._cache = KVCache()
        self._next: list[int] = []  # the token of each seated that is to be read next
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def answer(self, ask: Ask) -> Iterator[Said]:
        """Ask and hear the tokens as they come. Raises Busy, also if the engine is closed meanwhile."""
        news: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        ticket = self.submit(ask, news.put)
        try:
            while (said := news.get()) is not None:
                yield said
                if said.ended:
                    return
            raise Busy
        finally:
            ticket.give_up()

    def submit(self, ask: Ask, tell: Tell) -> Ticket:
        """Take a place; `tell` is called from the engine's thread with each token.

        Raises Busy when too many wait, LabInputError for a prompt that is too long.
        """
        if self.room is not None and len(ask.prompt) > self.room:
            raise LabInputError("prompt", len(ask.prompt), "at_most", limit=self.room)
        ticket = Ticket(ask, torch.Generator().manual_seed(ask.seed), tell)
        with self._wake:
            self._waiting = deque(one for one in self._waiting if not one.given_up)
            if self._closed or len(self._waiting) >= self.queue_limit:
                raise Busy
            self._waiting.append(ticket)
            self._wake.notify()
        return ticket

    @property
    def room(self) -> int | None:
        """Tokens that can be read, prompt and answer; None if the model sets no end."""
        config = self.model.config
        return config.max_positions if config.positions == "learned" else None

    @property
    def load(self) -> tuple[int, int]:
        """Seated and waiting."""
        return len(self._seated), sum(not one.given_up for one in self._waiting)

    def close(self) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _work(self) -> None:
        torch.set_num_threads(1)
        while True:
            with self._wake:
                while not (self._closed or self._waiting or self._seated):
                    self._wake.wait()
                if self._closed:
                    for ticket in (*self._seated, *self._waiting):
                        ticket.tell(None)
                    return
                free = self.max_batch - len(self._seated)
                coming = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
            try:
                self._step(coming)
            except Exception:  # one broken step must not leave everybody waiting for ever
                for ticket in {*self._seated, *coming}:
                    ticket.tell(None)
                self._seated, self._next, self._cache = [], [], KVCache()
                raise

    @torch.no_grad()
    def _step(self, coming: list[Ticket]) -> None:
        """A token for each that was seated, then the newcomers' first ones."""
        if self._seated:
            logits = next_logits(self.model, self._cache, self._next)  # (B, V)
            self._next = [self._say(*one) for one in zip(self._seated, logits, strict=True)]
            self.steps += 1
            self.tokens += len(self._seated)
        for ticket in coming:
            if ticket.given_up:
                continue
            cache = KVCache()
            logits = self.model(torch.tensor([ticket.ask.prompt]), cache=cache).logits[0, -1]
            self._cache = join([self._cache, cache]) if self._seated else cache
            self._seated.append(ticket)
            self._next.append(self._say(ticket, logits))
        self._let_go()

    def _say(self, ticket: Ticket, logits: Tensor) -> int:
        """Draw the ticket's next token, tell it, and note whether that was the last."""
        ask = ticket.ask
        token = int(sample(next_token_probs(logits, ask.temperature, 0, ask.top_p), ticket.rng))
        ticket.written += 1
        ended = ""
        if token in ask.stop_ids:
            ended = "stop"
        elif ticket.written >= ask.most_tokens or self._full(ticket):
            ended = "length"
        ticket.tell(Said(token, ended))
        ticket.given_up = ticket.given_up or bool(ended)
        return token

    def _full(self, ticket: Ticket) -> bool:
        return self.room is not None and len(ticket.ask.prompt) + ticket.written > self.room

    def _let_go(self) -> None:
        staying = [row for row, ticket in enumerate(self._seated) if not ticket.given_up]
        if len(staying) < len(self._seated):
            self._cache = keep(self._cache, staying)
            self._seated = [self._seated[row] for row in staying]
            self._next = [self._next[row] for row in staying]


def next_logits(model: Transformer, cache: KVCache, tokens: list[int]) -> Tensor:
    """One pass for everybody: each reads its last token at its own place.  B tokens -> (B, V)"""
    places = cache.positions[:, -1:] + 1  # (B, 1)
    real = None
    if cache.padding_mask is not None:
        real = torch.ones(len(tokens), 1, dtype=torch.bool)
    read = torch.tensor(tokens)[:, None]
    return model(read, padding_mask=real, positions=places, cache=cache).logits[:, -1]
