"""Three ways to fill rows with the pipeline's documents: positions wasted, tokens lost, documents torn.

N documents, R rows shown, T positions of a row.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.pretraining.pipeline import PipelineConfig
from labcore.pretraining.vocabulary import divided
from labcore.text.bpe import BPETokenizer
from labcore.text.packing import (
    METHODS,
    PackingReport,
    document_mask,
    fill,
    pack,
    report,
)

ROW_TOKENS = (16, 1024)
ROWS_SHOWN = 24
MASK_SHOWN = 48  # positions of the mask that is drawn


@lab_config
class PackingConfig:
    merges: bytes  # the tokenizer's, uint16 in pairs: hashable, so that results can be shared
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    row_tokens: int = 128
    method: str = "fit"

    def __post_init__(self) -> None:
        low, high = ROW_TOKENS
        if not low <= self.row_tokens <= high:
            raise LabInputError("row_tokens", self.row_tokens, "between", low=low, high=high)
        if self.method not in METHODS:
            raise LabInputError("method", self.method, "known_choice", allowed=METHODS)


@dataclass(frozen=True, slots=True, eq=False)
class PackingResult:
    lengths: np.ndarray  # (N,) tokens, <|bos|> and <|eos|> included
    reports: list[PackingReport]  # one for each of METHODS
    documents: np.ndarray  # (R, T) int64: rows of the chosen method, -1 padding
    mask: np.ndarray  # (T', T') bool: who may look at whom in the row that holds most documents


def run(config: PackingConfig) -> PackingResult:
    """Pack the documents in all three ways; keep the picture of the chosen one."""
    ids = encoded(config.pipeline, config.merges)
    lengths = [len(one) for one in ids]
    packed = {method: pack(lengths, config.row_tokens, method) for method in METHODS}
    chosen = packed[config.method]
    # Evenly spaced: best fit begins with its longest pieces, which would all look the same.
    spaced = np.linspace(0, len(chosen) - 1, min(ROWS_SHOWN, len(chosen))).round().astype(int)
    shown = fill([chosen[at] for at in spaced], ids, config.row_tokens, pad_id=0).documents
    crowded = max(chosen, key=len)
    row = fill([crowded], ids, config.row_tokens, pad_id=0).documents[0, :MASK_SHOWN]
    reports = [report(rows, lengths, config.row_tokens) for rows in packed.values()]
    return PackingResult(np.array(lengths), reports, shown.numpy(), document_mask(row).numpy())


def tokenizer_of(merges: bytes) -> BPETokenizer:
    if len(merges) % 4:
        raise LabInputError("merges", len(merges), "known_tokenizer")
    pairs = np.frombuffer(merges, dtype=np.uint16).reshape(-1, 2).tolist()
    for rank, pair in enumerate(pairs):
        if max(pair) >= 256 + rank:
            raise LabInputError("merges", pair, "known_tokens")
    return BPETokenizer(tuple((left, right) for left, right in pairs))


@lru_cache(maxsize=4)
def encoded(pipeline: PipelineConfig, merges: bytes) -> list[list[int]]:
    """The training documents as ids, each between <|bos|> and <|eos|>."""
    tokenizer = tokenizer_of(merges)
    train, _ = divided(pipeline)
    return [[tokenizer.bos_id, *tokenizer.encode(text), tokenizer.eos_id] for text in train]
