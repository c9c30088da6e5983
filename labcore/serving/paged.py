"""The cache in pages: blocks of a few tokens each, taken when they are needed and shared when they are alike.

A server does not know how long an answer will be. Reserving room for the longest possible one wastes most
of it; a cache in one piece per request leaves holes that nobody fits into. With pages, a request holds a
list of blocks that lie anywhere; at most its last block is partly empty. And requests that begin with the
same tokens can hold the same blocks, counted, until one of them writes on.

Source: PagedAttention, arXiv:2309.06180.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from labcore.errors import LabInputError

Content = tuple[int | None, tuple[int, ...]]  # the block before, and the tokens of a full block


@dataclass(slots=True)
class Block:
    tokens: list[int] = field(default_factory=list)
    holders: int = 0
    before: int | None = None  # the block it follows on: the same tokens elsewhere have other keys


class PagedMemory:
    """A fixed number of blocks, and who holds which."""

    def __init__(self, num_blocks: int, block_tokens: int, share: bool = True):
        """`share`: requests with a common beginning hold its full blocks together."""
        for name, value in (("num_blocks", num_blocks), ("block_tokens", block_tokens)):
            if value < 1:
                raise LabInputError(name, value, "at_least", limit=1)
        self.block_tokens, self.share = block_tokens, share
        self.blocks = [Block() for _ in range(num_blocks)]
        self.free = list(range(num_blocks))[::-1]
        self.tables: dict[str, list[int]] = {}  # request -> its blocks in order
        self.known: dict[Content, int] = {}  # full blocks by what they hold

    def admit(self, request: str, prompt: Sequence[int]) -> bool:
        """Room for a prompt, or False and nothing taken."""
        pieces = [
            tuple(prompt[at : at + self.block_tokens])
            for at in range(0, len(prompt), self.block_tokens)
        ]
        shared = self.shared_beginning(pieces)
        if len(pieces) - len(shared) > len(self.free):
            return False
        self.tables[request] = table = []
        for at, piece in enumerate(pieces):
            block = shared[at] if at < len(shared) else self.take(table)
            table.append(block)
            self.blocks[block].holders += 1
            if at >= len(shared):
                self.write(block, piece)
        return True

    def append(self, request: str, token: int) -> bool:
        """Room for one more token, or False and nothing changed.

        subtle: a block that two requests share is full, so writing on always begins a fresh one; that is why
        nothing needs to be copied here. (Forking an answer in the middle of a block would need it.)
        """
        table = self.tables[request]
        last = self.blocks[table[-1]] if table else None
        if last is None or len(last.tokens) == self.block_tokens:
            if not self.free:
                return False
            table.append(self.take(table))
            self.blocks[table[-1]].holders = 1
        self.write(table[-1], (token,))
        return True

    def release(self, request: str) -> None:
        """A request is done: what nobody else holds is free again."""
        for block in reversed(self.tables.pop(request)):
            held = self.blocks[block]
            held.holders -= 1
            if held.holders == 0:
                self.known.pop((held.before, tuple(held.tokens)), None)
                self.blocks[block] = Block()
                self.free.append(block)

    def shared_beginning(self, pieces: Sequence[tuple[int, ...]]) -> list[int]:
        """The blocks that already hold the beginning of a prompt, as far as they go."""
        found: list[int] = []
        for piece in pieces:
            block = self.known.get((found[-1] if found else None, piece))
            if block is None or not self.share:
                break
            found.append(block)
        return found

    def take(self, table: Sequence[int]) -> int:
        block = self.free.pop()
        self.blocks[block].before = table[-1] if table else None
        return block

    def write(self, block: int, tokens: Sequence[int]) -> None:
        held = self.blocks[block]
        held.tokens.extend(tokens)
        if len(held.tokens) == self.block_tokens:
            self.known.setdefault((held.before, tuple(held.tokens)), block)

    @property
    def used_blocks(self) -> int:
        return len(self.blocks) - len(self.free)

    @property
    def wasted_slots(self) -> int:
        """Places for a token in blocks that are held, with no token in them."""
        return self.used_blocks * self.block_tokens - self.stored_tokens

    @property
    def stored_tokens(self) -> int:
        """Tokens whose keys and values lie in memory, each counted once."""
        return sum(len(block.tokens) for block in self.blocks)

    @property
    def served_tokens(self) -> int:
        """Tokens that requests can look back at; more than are stored where blocks are shared."""
        return sum(len(self.blocks[b].tokens) for table in self.tables.values() for b in table)
