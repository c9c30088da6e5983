"""Byte-level byte-pair encoding, from counting pairs to encoding text.

Training starts from the 256 bytes and, again and again, glues the most frequent pair of neighbours into
a new token (Gage 1994; for language models Sennrich et al., arXiv 1508.07909; on bytes: GPT-2, Radford
et al. 2019).  Encoding replays the merges in the order in which they were learned.

A pattern first cuts the text into chunks that no merge may cross: a word with the space before it, a
run of Chinese characters, up to three digits, one punctuation mark, white space.

Ids: 0–255 the bytes, then one per merge, then the special tokens.  Text can never produce a special
token: typing "<|eos|>" gives its seven characters' bytes.
"""

import heapq
import json
import re
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from labcore.errors import LabInputError
from labcore.text.tokenizer import label_bytes

Pair = tuple[int, int]

SPECIAL_TOKENS = ("<|bos|>", "<|eos|>", "<|pad|>", "<|mask|>", "<|zh|>", "<|en|>")

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
PATTERN = (
    r"'(?:[sdmt]|ll|ve|re)"  # English clitics: Lily's, we'll
    rf"| ?[^\W\d_{HAN}]+"  # letters of any script but Chinese, with the space before them
    rf"|[{HAN}]+"
    r"| ?\d{1,3}"
    r"| ?(?:[^\s\w]|_)"  # marks one by one, so that no token holds both a full stop and a quote
    r"|\s+(?!\S)|\s+"  # the last space before a word belongs to the word
)

CACHE_LIMIT = 1 << 15  # chunks whose ids are remembered


@dataclass(frozen=True, slots=True)
class Merge:
    """One training event: `pair` stood side by side `count` times and became `token`."""

    pair: Pair
    count: int
    token: int


@dataclass(frozen=True, slots=True)
class MergeStep:
    """One encoding event: `pair` became `token`, which leaves the text as `ids`."""

    pair: Pair
    token: int
    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class BPETokenizer:
    """Encode and decode with learned merges.  `merges[k]` is the pair that made token 256 + k."""

    merges: tuple[Pair, ...] = ()
    special_tokens: tuple[str, ...] = SPECIAL_TOKENS
    pattern: str = PATTERN
    vocab: tuple[bytes, ...] = field(init=False, repr=False)  # token -> bytes
    _ranks: dict[Pair, int] = field(init=False, repr=False)  # pair -> the token it becomes
    _cache: dict[str, list[int]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        vocab = [bytes([byte]) for byte in range(256)]
        for left, right in self.merges:
            vocab.append(vocab[left] + vocab[right])
        vocab += [b""] * len(self.special_tokens)
        object.__setattr__(self, "vocab", tuple(vocab))
        ranks = {pair: 256 + rank for rank, pair in enumerate(self.merges)}
        object.__setattr__(self, "_ranks", ranks)

    @property
    def vocab_size(self) -> int:
        return len(self.vocab)

    def special_id(self, name: str) -> int | None:
        """The id of a special token such as "<|zh|>", None if this tokenizer has no such token."""
        if name not in self.special_tokens:
            return None
        return 256 + len(self.merges) + self.special_tokens.index(name)

    @property
    def bos_id(self) -> int | None:
        return self.special_id("<|bos|>")

    @property
    def eos_id(self) -> int | None:
        return self.special_id("<|eos|>")

    @property
    def pad_id(self) -> int | None:
        return self.special_id("<|pad|>")

    @property
    def mask_id(self) -> int | None:
        return self.special_id("<|mask|>")

    def encode(self, text: str) -> list[int]:
        """Text to ids.  A lone surrogate, which is no character, counts as U+FFFD."""
        return [token for chunk in split(text, self.pattern) for token in self._encode_chunk(chunk)]

    def _encode_chunk(self, chunk: str) -> list[int]:
        if (known := self._cache.get(chunk)) is not None:
            return known
        ids = merge_chunk(list(chunk.encode()), self._ranks)
        if len(self._cache) >= CACHE_LIMIT:
            self._cache.clear()
        self._cache[chunk] = ids
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids to text; special tokens have none, bytes that form no character show as U+FFFD."""
        return b"".join(self.token_bytes(token) for token in ids).decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        if not 0 <= token < self.vocab_size:
            raise LabInputError("token", token, "in_vocabulary", limit=self.vocab_size)
        return self.vocab[token]

    def label(self, token: int) -> str:
        first_special = 256 + len(self.merges)
        if first_special <= token < self.vocab_size:
            return self.special_tokens[token - first_special]
        return label_bytes(self.token_bytes(token))

    def merge_steps(self, text: str) -> Iterator[MergeStep]:
        """Encode slowly, in the order of training: each step glues one pair everywhere.

        The last step's ids are those of `encode(text)`; no step at all means that the ids are bytes.
        """
        chunks = [list(chunk.encode()) for chunk in split(text, self.pattern)]
        while found := {pair for chunk in chunks for pair in pairs(chunk)} & self._ranks.keys():
            pair = min(found, key=self._ranks.__getitem__)
            token = self._ranks[pair]
            chunks = [replace_pair(chunk, pair, token) for chunk in chunks]
            yield MergeStep(pair, token, tuple(id for chunk in chunks for id in chunk))

    def save(self, path: Path) -> None:
        """Write the merges, the special tokens and the pattern as JSON."""
        record = {
            "kind": "byte-level-bpe",
            "pattern": self.pattern,
            "special_tokens": list(self.special_tokens),
            "merges": [list(pair) for pair in self.merges],
        }
        Path(path).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "BPETokenizer":
        """Read what `save` wrote."""
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if record.get("kind") != "byte-level-bpe":
            raise LabInputError("tokenizer", record.get("kind"), "known_tokenizer")
        merges = tuple((left, right) for left, right in record["merges"])
        return cls(merges, tuple(record["special_tokens"]), record["pattern"])


def split(text: str, pattern: str = PATTERN) -> list[str]:
    """Cut text into the chunks that no merge may cross; joined, they are the text again."""
    well_formed = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return re.findall(pattern, well_formed)


def pairs(ids: list[int]) -> Iterator[Pair]:
    """The neighbours: [1, 2, 3] -> (1, 2), (2, 3)."""
    return pairwise(ids)


def replace_pair(ids: list[int], pair: Pair, token: int) -> list[int]:
    """Glue every `pair` from left to right: [1, 2, 3, 1, 2], (1, 2), 4 -> [4, 3, 4]."""
    left, right = pair
    glued, position, last = [], 0, len(ids) - 1
    while position <= last:
        if ids[position] == left and position < last and ids[position + 1] == right:
            glued.append(token)
            position += 2
        else:
            glued.append(ids[position])
            position += 1
    return glued


def merge_chunk(ids: list[int], ranks: dict[Pair, int]) -> list[int]:
    """Merge one chunk: always the earliest learned pair, the leftmost first.

    A heap keeps the candidates and a linked list the neighbours, so that a chunk of n bytes costs
    n log n; looking for the best pair anew each time would cost n² on a text without spaces.
    """
    following = [*range(1, len(ids)), -1]
    before = list(range(-1, len(ids) - 1))
    ids = list(ids)
    heap = [(ranks[pair], at) for at, pair in enumerate(pairs(ids)) if pair in ranks]
    heapq.heapify(heap)
    while heap:
        token, left = heapq.heappop(heap)
        right = following[left]
        # A candidate is stale once either neighbour has gone into another merge.
        if ids[left] < 0 or right < 0 or ranks.get((ids[left], ids[right])) != token:
            continue
        ids[left], ids[right] = token, -1
        following[left] = following[right]
        if following[left] >= 0:
            before[following[left]] = left
        for at in (before[left], left):
            pair = (ids[at], ids[following[at]]) if at >= 0 and following[at] >= 0 else None
            if pair in ranks:
                heapq.heappush(heap, (ranks[pair], at))
    return [token for token in ids if token >= 0]


def train(
    texts: Iterable[str],
    vocab_size: int,
    special_tokens: tuple[str, ...] = SPECIAL_TOKENS,
    pattern: str = PATTERN,
    whole_characters: bool = False,
) -> Generator[Merge, None, BPETokenizer]:
    """Learn merges until the vocabulary is full or no pair occurs twice.

    Of pairs that occur equally often, the one with the smaller ids wins (left, then right), so the
    result does not depend on the order of the texts.  Overlaps count: "aaa" holds "aa" twice.

    `whole_characters` forbids tokens that glue a piece of one character to another character, which
    plain byte-level BPE learns from Chinese text.
    """
    room = vocab_size - 256 - len(special_tokens)
    if room < 0:
        raise LabInputError(
            "vocab_size", vocab_size, "holds_all_bytes", least=256 + len(special_tokens)
        )
    counted = Counter(chunk for text in texts for chunk in split(text, pattern))
    chunks = [list(chunk.encode()) for chunk in counted]
    weights = list(counted.values())
    counts: Counter[Pair] = Counter()
    homes: dict[Pair, set[int]] = defaultdict(set)  # pair -> chunks that hold or once held it
    for home, chunk in enumerate(chunks):
        _count(chunk, weights[home], home, counts, homes)
    # A heap finds the most frequent pair; an entry whose count has changed since is passed over.
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    vocab = [bytes([byte]) for byte in range(256)]
    merges: list[Pair] = []
    while heap and len(merges) < room:
        negative, pair = heapq.heappop(heap)
        if counts[pair] != -negative:
            continue
        if counts[pair] < 2:
            break
        if whole_characters and not keeps_characters(vocab[pair[0]], vocab[pair[1]]):
            counts[pair] = 0
            continue
        token, count = 256 + len(merges), counts[pair]
        changed: Counter[Pair] = Counter()
        for home in homes.pop(pair):
            glued = replace_pair(chunks[home], pair, token)
            if len(glued) == len(chunks[home]):
                continue  # the pair stood here once, and went into another merge
            for old in pairs(chunks[home]):
                changed[old] -= weights[home]
            _count(glued, weights[home], home, changed, homes)
            chunks[home] = glued
        for neighbour, change in changed.items():
            if change:
                counts[neighbour] += change
                heapq.heappush(heap, (-counts[neighbour], neighbour))
        merges.append(pair)
        vocab.append(vocab[pair[0]] + vocab[pair[1]])
        yield Merge(pair, count, token)
    return BPETokenizer(tuple(merges), special_tokens, pattern)


def keeps_characters(left: bytes, right: bytes) -> bool:
    """Whether gluing joins whole characters, or neighbouring pieces of a single one."""
    continues = right[0] & 0b1100_0000 == 0b1000_0000  # a UTF-8 continuation byte
    if not continues:
        return _is_whole(left) and _is_whole(right)
    return sum(byte & 0b1100_0000 != 0b1000_0000 for byte in left + right) <= 1


def _is_whole(data: bytes) -> bool:
    return "\ufffd" not in data.decode(errors="replace")


def _count(
    chunk: list[int],
    weight: int,
    home: int,
    counts: Counter[Pair],
    homes: dict[Pair, set[int]],
) -> None:
    for pair in pairs(chunk):
        counts[pair] += weight
        homes[pair].add(home)
