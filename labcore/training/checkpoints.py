"""What is kept of a training run: weights, tokenizer, and a card that says where they come from.

On disk a checkpoint is a folder of three files, `model.safetensors`, `tokenizer.json` and `card.json`.
For a learner's download it is one safetensors file whose header carries the other two as text.
Nothing is ever unpickled, and a file from outside is measured before anything is built from it.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from labcore import shipped
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.bpe import PATTERN, BPETokenizer

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "checkpoints"
FORMAT = "llm-principles-lab/1"
UPLOAD_LIMIT_BYTES = 16 * 2**20
TOKEN_LIMIT_BYTES = 256  # the longest token that an uploaded tokenizer may spell
# What an uploaded model may ask this machine for, beyond the weights that it brings along.
UPLOAD_LIMITS = {
    "vocab_size": 65536,
    "hidden_size": 4096,
    "num_heads": 256,
    "decoder_layers": 64,
    "encoder_layers": 64,
}
EXPERTS_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Sample:
    prompt: str
    text: str  # what the model said, without the prompt
    language: str  # "zh" or "en"


@dataclass(frozen=True, slots=True)
class Card:
    """Where a model comes from and how good it is. Losses are nats per target token."""

    name: str
    objective: str  # "causal", "masked" or "translation"
    config: ModelConfig
    parameters: int
    corpus: str  # what it was trained on, in short
    data_sha256: str  # of the training text
    seed: int
    command: str  # makes the checkpoint again
    steps: int
    tokens_seen: int
    train_nats: float  # on text that it was trained on
    held_out_nats: float
    floor_nats: float | None  # lowest possible on the same held-out text; None for natural text
    samples: tuple[Sample, ...]
    torch_version: str
    date: str  # ISO, UTC
    seconds: float

    @property
    def floor_ratio(self) -> float | None:
        """Held-out loss over the lowest possible: 1 is perfect."""
        return None if self.floor_nats is None else self.held_out_nats / self.floor_nats

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "floor_ratio": self.floor_ratio}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Card":
        """Inverse of `to_dict`; raises KeyError or TypeError if a field is missing."""
        given = {field.name: values[field.name] for field in fields(cls)}
        given["config"] = ModelConfig.from_dict(given["config"])
        given["samples"] = tuple(Sample(**sample) for sample in given["samples"])
        return cls(**given)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    model: Transformer
    tokenizer: BPETokenizer
    card: Card


def weights_of(model: Transformer) -> dict[str, Tensor]:
    """Every weight once, by name: a tied head is not written a second time."""
    return {name: w.detach().contiguous() for name, w in model.named_parameters()}


def save(folder: Path, model: Transformer, tokenizer: BPETokenizer, card: Card) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(weights_of(model), folder / "model.safetensors")
    tokenizer.save(folder / "tokenizer.json")
    card_text = json.dumps(card.to_dict(), ensure_ascii=False, indent=1)
    (folder / "card.json").write_text(card_text + "\n", encoding="utf-8")
    shipped.seal(*folder.iterdir())


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint folder, e.g. `load(ASSETS / "world-decoder")`."""
    card_file = shipped.whole(folder / "card.json")
    card = Card.from_dict(json.loads(card_file.read_text(encoding="utf-8")))
    tokenizer = BPETokenizer.load(shipped.whole(folder / "tokenizer.json"))
    _same_vocabulary(card.config, tokenizer)
    weights = shipped.tensors(folder / "model.safetensors")
    return Checkpoint(Transformer(card.config, weights=weights).eval(), tokenizer, card)


def save_bytes(model: Transformer, tokenizer: BPETokenizer, card: Card) -> bytes:
    """One safetensors file with everything in it, for a learner to take home."""
    weights = weights_of(model)
    header = {
        "format": FORMAT,
        "weights_sha256": _digest(weights),
        "card": json.dumps(card.to_dict(), ensure_ascii=False),
        "merges": json.dumps(tokenizer.merges),
        "special_tokens": json.dumps(tokenizer.special_tokens),
    }
    return safetensors.torch.save(weights, metadata=header)


def load_bytes(data: bytes) -> Checkpoint:
    """Inverse of `save_bytes` for a file of unknown origin; anything odd is a LabInputError."""
    if len(data) > UPLOAD_LIMIT_BYTES:
        raise LabInputError("upload", len(data), "at_most_bytes", limit=UPLOAD_LIMIT_BYTES)
    with saved_here("upload"):
        header = _metadata(data)
        card = Card.from_dict(json.loads(header["card"]))
        tokenizer = _tokenizer(json.loads(header["merges"]), json.loads(header["special_tokens"]))
        weights = safetensors.torch.load(data)
        _unchanged(weights, header.get("weights_sha256"))
        _modest(card.config, weights)
        _same_vocabulary(card.config, tokenizer)
        model = Transformer(card.config, weights=weights).eval()
        _answers(model)
        return Checkpoint(model, tokenizer, card)


@contextmanager
def saved_here(field: str) -> Iterator[None]:
    """Whatever is odd about weights of unknown origin is a LabInputError of this field."""
    try:
        yield
    except LabInputError as error:
        raise LabInputError(field, error.field, error.rule, **error.facts) from error
    except (
        SafetensorError, struct.error, ArithmeticError, AttributeError, LookupError, RecursionError,
        RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise LabInputError(field, type(error).__name__, "saved_by_this_lab") from error


def _digest(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _unchanged(weights: Mapping[str, Tensor], digest: str | None) -> None:
    """Tell a file whose bits turned on the way; downloads of earlier days carry no digest."""
    if digest is not None and digest != _digest(weights):
        raise LabInputError("weights", digest, "saved_by_this_lab")


def _metadata(data: bytes) -> dict[str, str]:
    """The free-text part of a safetensors header: 8 bytes of length, then JSON."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])["__metadata__"]
    if header["format"] != FORMAT:
        raise LabInputError("format", header["format"], "saved_by_this_lab")
    return header


def _tokenizer(merges: list[list[int]], special_tokens: list[str]) -> BPETokenizer:
    """A tokenizer from outside brings merges only; the pattern that cuts text is the lab's own.

    subtle: a foreign regular expression can run forever, and forty merges of a token with itself
    spell a terabyte, so both are ruled out before the vocabulary is spelled.
    """
    lengths = [1] * 256
    for left, right in merges:
        if not (0 <= left < len(lengths) and 0 <= right < len(lengths)):
            raise LabInputError("merges", [left, right], "known_tokens")
        lengths.append(lengths[left] + lengths[right])
        if lengths[-1] > TOKEN_LIMIT_BYTES:
            raise LabInputError("merges", lengths[-1], "at_most_bytes", limit=TOKEN_LIMIT_BYTES)
    if not all(isinstance(name, str) for name in special_tokens):
        raise LabInputError("special_tokens", special_tokens, "saved_by_this_lab")
    return BPETokenizer(
        tuple((left, right) for left, right in merges), tuple(special_tokens), PATTERN
    )


def _modest(config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
    """Refuse what would cost more to build than the file holds, or would answer with no number."""
    for name, limit in UPLOAD_LIMITS.items():
        if not getattr(config, name) <= limit:
            raise LabInputError(name, getattr(config, name), "at_most", limit=limit)
    if config.moe and not config.moe.num_experts <= EXPERTS_LIMIT:
        raise LabInputError("num_experts", config.moe.num_experts, "at_most", limit=EXPERTS_LIMIT)
    for name, weight in weights.items():
        if weight.dtype != torch.float32 or not weight.isfinite().all():
            raise LabInputError("weights", name, "finite")


@torch.no_grad()
def _answers(model: Transformer) -> None:
    """One token in, numbers out: finds a config field of the wrong kind before a page does."""
    tokens = torch.zeros(1, 1, dtype=torch.int64)
    both = model.config.kind == "encoder_decoder"
    output = model(tokens, context=tokens if both else None)
    if not output.hidden.isfinite().all():
        raise LabInputError("weights", "hidden", "finite")


def _same_vocabulary(config: ModelConfig, tokenizer: BPETokenizer) -> None:
    if config.vocab_size != tokenizer.vocab_size:
        raise LabInputError(
            "tokenizer", tokenizer.vocab_size, "vocabulary_of_the_model", expected=config.vocab_size
        )
