"""Texts as directions: what means the same should point the same way, whatever the words.

MiniLM, an encoder of six layers, was tuned on a billion pairs of English sentences that belong together.
It reads a text, the vectors of its tokens are averaged, and the mean is brought to length one. The cosine
of two texts is then a plain dot product.
Axes: N texts, T tokens, D = 384.

Sources: Sentence-BERT arXiv:1908.10084, MiniLM arXiv:2002.10957.
"""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore import zoo

MODEL = "minilm-l6"
MOST_TOKENS = 256  # of one text, [CLS] and [SEP] included: what it was tuned on
BATCH = 16
UNKNOWN = "[UNK]"
KEPT = 4000  # texts whose vectors are remembered

_known: "OrderedDict[str, np.ndarray]" = OrderedDict()
_lock = Lock()


def mean_pooled(hidden: Tensor, real: Tensor) -> Tensor:
    """The mean over the tokens that are real, at length one.  (N, T, D), (N, T) -> (N, D)"""
    mask = real[..., None].float()
    mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return F.normalize(mean, dim=1)


def embed(texts: Sequence[str]) -> np.ndarray:
    """Vectors of length one.  -> (N, D)"""
    new = list(dict.fromkeys(text for text in texts if text not in _known))
    vectors = dict(zip(new, encode(new), strict=True))
    with _lock:
        for text in texts:
            vectors.setdefault(text, _known.get(text))
            if vectors[text] is None:  # another thread has just forgotten it
                vectors[text] = encode([text])[0]
            _known[text] = vectors[text]
            _known.move_to_end(text)
        while len(_known) > KEPT:
            _known.popitem(last=False)
    return np.stack([vectors[text] for text in texts]) if texts else np.zeros((0, 384), np.float32)


@torch.no_grad()
def encode(texts: Sequence[str]) -> list[np.ndarray]:
    """The same, every text read anew; short ones together, so that little is padded."""
    loaded = zoo.load(MODEL)
    tokenizer = loaded.tokenizer
    room = MOST_TOKENS - 2
    rows = [
        [*tokenizer.opening_ids, *tokenizer.encode(text)[:room], *tokenizer.closing_ids]
        for text in texts
    ]
    order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
    found: list[np.ndarray] = [np.zeros(0)] * len(rows)
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        longest = len(rows[batch[-1]])
        ids = torch.tensor([rows[n] + [tokenizer.pad_id] * (longest - len(rows[n])) for n in batch])
        real = torch.tensor([[at < len(rows[n]) for at in range(longest)] for n in batch])
        hidden = loaded.model(ids, padding_mask=real).hidden
        for n, vector in zip(batch, mean_pooled(hidden, real).numpy(), strict=True):
            found[n] = vector
    return found


def unknown_share(texts: Sequence[str]) -> float:
    """Which part of their characters MiniLM cannot read: its vocabulary has no sign for them."""
    tokenizer = zoo.load(MODEL).tokenizer
    letters = [letter for text in texts for letter in text if not letter.isspace()]
    missing = {
        letter
        for letter in set(letters)
        if any(tokenizer.label(token) == UNKNOWN for token in tokenizer.encode(letter))
    }
    return sum(letter in missing for letter in letters) / len(letters) if letters else 0.0
