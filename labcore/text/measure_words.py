"""A world of measure words: what to say now is decided by what comes next.

Chinese counts with a measure word that the noun demands: 一匹马, 一本书. English does so with groups:
"a herd of cows", "a swarm of bees". A phrase is a number, a measure word and a noun; the noun is drawn
evenly from 24, and it alone decides which of the six measure words stands before it.

Everything can be enumerated. With classes of 6, 5, 4, 4, 3 and 2 nouns:

    measure word from the left       H(M) = −Σ c/24 · ln(c/24) = 1.738 nats, and 6/24 right at best
    measure word, noun shown         0 nats, always right
    noun after its measure word      Σ c/24 · ln c = 1.440 nats;    1.738 + 1.440 = ln 24 = 3.178
    number                           ln 8 = 2.079 nats

Both languages share one structure and one set of ids, so a run in one is a run in the other.

Axes: B rows, P phrases of a row, T tokens, V vocabulary.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError

NUMBERS = {
    "zh": ("一", "两", "三", "四", "五", "六", "七", "八"),
    "en": ("a", "one", "another", "each", "every", "this", "that", "the"),
}
NOUNS = {
    "zh": {
        "条": ("鱼", "河", "蛇", "路", "裤子", "毛巾"),
        "本": ("书", "词典", "杂志", "小说", "日记"),
        "把": ("椅子", "伞", "刀", "钥匙"),
        "辆": ("汽车", "自行车", "卡车", "公交车"),
        "匹": ("马", "狼", "骡子"),
        "棵": ("树", "白菜"),
    },
    "en": {
        "herd of": ("cows", "goats", "elephants", "camels", "deer", "zebras"),
        "flock of": ("sheep", "birds", "geese", "ducks", "pigeons"),
        "pack of": ("wolves", "dogs", "hounds", "jackals"),
        "bunch of": ("flowers", "grapes", "bananas", "keys"),
        "swarm of": ("bees", "flies", "wasps"),
        "school of": ("fish", "sardines"),
    },
}
CLASS_SIZES = np.array([6, 5, 4, 4, 3, 2])  # nouns of each measure word, in both languages
CLASS_OF = np.repeat(np.arange(6), CLASS_SIZES)  # (24,) measure word of each noun
NUM_NUMBERS, NUM_MEASURES, NUM_NOUNS = 8, 6, 24
WORDS = 3  # of a phrase: number, measure word, noun
NUMBER, MEASURE, NOUN = range(WORDS)

BOS, PAD, MASK = range(3)
FIRST = (3, 3 + NUM_NUMBERS, 3 + NUM_NUMBERS + NUM_MEASURES)  # id of the first word of each kind
FIRST_SENTINEL = 3 + NUM_NUMBERS + NUM_MEASURES + NUM_NOUNS


@lab_config
class MeasureWorld:
    """Rows of `phrases` phrases, drawn one by one; with `sentinels` ids to mark gaps."""

    phrases: int = 16
    sentinels: int = 25  # half of 48 words hidden one by one, and one to close

    def __post_init__(self) -> None:
        for name in ("phrases", "sentinels"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)

    @property
    def vocab_size(self) -> int:
        return FIRST_SENTINEL + self.sentinels

    @property
    def sentinel_ids(self) -> list[int]:
        return list(range(FIRST_SENTINEL, self.vocab_size))

    def sample(self, rows: int, generator: torch.Generator) -> Tensor:
        """`<bos>` and the words of each row.  -> (B, 1 + 3P) int64"""
        shape = (rows, self.phrases)
        numbers = torch.randint(NUM_NUMBERS, shape, generator=generator)
        nouns = torch.randint(NUM_NOUNS, shape, generator=generator)
        kinds = (numbers, torch.from_numpy(CLASS_OF)[nouns], nouns)
        words = torch.stack([k + first for k, first in zip(kinds, FIRST, strict=True)], dim=2)
        return torch.cat([torch.full((rows, 1), BOS), words.flatten(1)], dim=1)


def labels(language: str, sentinels: int = 0) -> list[str]:
    """Every id as it reads in "zh" or "en".  (V,)"""
    if language not in NOUNS:
        raise LabInputError("language", language, "known_language")
    nouns = [noun for group in NOUNS[language].values() for noun in group]
    marks = [f"⟨{number}⟩" for number in range(1, sentinels + 1)]
    return ["<|bos|>", "<|pad|>", "<|mask|>", *NUMBERS[language], *NOUNS[language], *nouns, *marks]


# What each word costs a reader who knows the world, in nats.


def left_to_right_nats(tokens: Tensor) -> np.ndarray:
    """−ln p of each word given all before it.  (B, 1 + 3P) -> (B, P, 3)"""
    sizes = class_sizes(tokens)
    numbers = np.full(sizes.shape, np.log(NUM_NUMBERS))
    return np.stack([numbers, np.log(NUM_NOUNS / sizes), np.log(sizes)], axis=2)


def hidden_nats(tokens: Tensor, hidden: Tensor) -> np.ndarray:
    """−ln p of each hidden word, guessed alone, given the words that are shown.

    (B, 1 + 3P), (B, 1 + 3P) bool -> (B, P, 3), 0 for words that are shown. Phrases are drawn one by one,
    so only the words of the same phrase tell anything.
    """
    sizes, gone = class_sizes(tokens), by_phrase(hidden).numpy()
    nats = left_to_right_nats(tokens)
    nats[..., MEASURE] *= gone[..., NOUN]  # a shown noun decides it
    nats[..., NOUN] = np.where(gone[..., MEASURE], np.log(NUM_NOUNS), np.log(sizes))
    return nats * gone


def spoken_nats(tokens: Tensor, hidden: Tensor) -> np.ndarray:
    """−ln p of each hidden word, said in order: given what is shown and the hidden words before it.

    As `hidden_nats`, but a noun is said after its measure word and so never costs more than ln c.
    """
    gone = by_phrase(hidden).numpy()
    nats = left_to_right_nats(tokens)
    nats[..., MEASURE] *= gone[..., NOUN]
    return nats * gone


def class_sizes(tokens: Tensor) -> np.ndarray:
    """How many nouns share each phrase's measure word.  (B, 1 + 3P) -> (B, P)"""
    return CLASS_SIZES[by_phrase(tokens)[..., MEASURE].numpy() - FIRST[MEASURE]]


def by_phrase(row: Tensor) -> Tensor:
    """Any table over a row's tokens, without `<bos>`, phrase by phrase.  (B, 1 + 3P) -> (B, P, 3)"""
    return row[:, 1:].unflatten(1, (-1, WORDS))


def phrases(ids: Sequence[int], language: str) -> list[str]:
    """A row as it reads, phrase by phrase."""
    told, words = labels(language), list(ids[1:])
    glue = "" if language == "zh" else " "
    starts = range(0, len(words), WORDS)
    return [glue.join(told[word] for word in words[at : at + WORDS]) for at in starts]
