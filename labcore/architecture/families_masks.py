"""Who may look at whom: the masks of the three families, and what they let through, measured.

A mask is a table of allowed looks. `who_sees_whom` draws it; the model then runs under exactly this
table, and each token in turn is swapped for another to see which outputs change. One layer passes a
change on along one allowed look, so after l layers it has come as far as l looks reach: `reach`.

Axes: T tokens (with an encoder-decoder: the source's, then the target's), L layers.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.prompt import encode_with_masks, frame, language_of, present
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.attention import attention_mask
from labcore.model.trace import patch
from labcore.model.transformer import Transformer
from labcore.zoo import load
from labcore.zoo.cards import LoadedModel

MODELS = {
    "full": "world-encoder",
    "causal": "world-decoder",
    "prefix": "world-decoder",  # its weights never met this mask in training; who sees whom is the mask's
    "encoder_decoder": "world-translator",
}
FIRST = "One day, Lily went to the garden with a small blue card."
SECOND = "Lily smiled and thanked Tom."
SIDES = ("right", "left")
MOST_TOKENS = 18  # of one text with its special tokens: so many cells can be told apart
MOST_CHARACTERS = 400
LONGEST_WINDOW = 12
NOTHING = 1e-12  # relative; a change below it is rounding in float64


@lab_config
class MasksConfig:
    """Two texts in one batch. An encoder-decoder reads the first as its source, the second as its target."""

    shape: str = "causal"  # which tokens of a text see which: a key of MODELS
    first: str = FIRST
    second: str = SECOND
    row: int = 1  # the text that is pictured, 0 or 1; an encoder-decoder pictures both
    side: str = "right"  # where the shorter text is filled up
    hide_padding: bool = True
    window: int = 0  # tokens back that may be seen, the token itself included; 0 is no limit
    prefix: int = 5  # tokens at the beginning that see each other both ways, for shape "prefix"

    def __post_init__(self):
        for name, allowed in (("shape", tuple(MODELS)), ("side", SIDES), ("row", (0, 1))):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        for name, high in (("window", LONGEST_WINDOW), ("prefix", MOST_TOKENS)):
            if not 0 <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=0, high=high)
        for name in ("first", "second"):
            if not getattr(self, name).strip():
                raise LabInputError(name, getattr(self, name), "not_empty")


@dataclass(frozen=True, slots=True, eq=False)
class MasksResult:
    labels: list[str]  # (T,)
    real: np.ndarray  # (T,) bool, False at padding
    source_tokens: int  # of the T, those that an encoder reads; 0 without a second stack
    allowed: np.ndarray  # (T, T) bool: row may look at column
    reach: np.ndarray  # (L, T, T) bool: after l + 1 layers column may have come to row
    change: (
        np.ndarray
    )  # (L, T, T) float32: how far row's vector moves when column is swapped, a share
    agreeing: int  # of L·T·T cells: reached exactly where something moved
    dropped_tokens: int  # of both texts, beyond MOST_TOKENS each


# ----- the idea


def who_sees_whom(shape: str, real: Tensor, window: int = 0, prefix: int = 0) -> Tensor:
    """The mask of one text.  real (T,) bool -> (T, T) bool, row looks at column

    A window or a prefix of 0 is none. Padding, where `real` is False, is seen by nobody; a prefix
    counts real tokens only.
    """
    index = torch.arange(len(real))
    near = window or None

    def mask(causal: bool) -> Tensor:
        return attention_mask(index, index, causal, near, real[None])[0, 0]

    if shape == "full":
        return mask(causal=False)
    if shape == "prefix":
        opened = real & (real.cumsum(0) <= prefix)
        return mask(causal=True) | (mask(causal=False) & opened[:, None] & opened[None, :])
    return mask(causal=True)


def reach(allowed: Tensor, layers: int) -> Tensor:
    """From where a change can have come after each layer.  (T, T) -> (L, T, T) bool

    The residual stream keeps what a token was, and each layer adds what it may look at.
    """
    step = allowed | torch.eye(len(allowed), dtype=torch.bool)
    reached = [step]
    for _ in range(1, layers):
        reached.append((step.float() @ reached[-1].float()) > 0)
    return torch.stack(reached)


@torch.no_grad()
def change(model: Transformer, tokens: Tensor, allowed: Tensor, swapped: Tensor) -> Tensor:
    """How far each token's vector moves, after each layer, when one token is swapped.

    tokens (T,), allowed (T, T), swapped (T,) what each token is swapped for -> (L, T, T) as a share of
    the vector's length; row: whose vector, column: which token was swapped. All T + 1 texts are one batch.
    """
    names = [f"layers.{layer}" for layer in range(model.config.num_layers)]
    masks = {}
    for name in names:
        masks |= patch(f"{name}.attn.mask", allowed)
    trace = model(swap_each(tokens, swapped), trace=True, interventions=masks).trace
    return torch.stack([moved(trace[f"{name}.resid_post"]) for name in names])


def swap_each(tokens: Tensor, swapped: Tensor) -> Tensor:
    """The text as it is, then with each of its tokens swapped.  (T,), (T,) -> (1 + T, T)"""
    each = torch.where(torch.eye(len(tokens), dtype=torch.bool), swapped, tokens)
    return torch.cat([tokens[None], each])


def moved(vectors: Tensor) -> Tensor:
    """Distance of every variant from the first, as a share of its length.  (1 + N, T, D) -> (T, N)"""
    original = vectors[0]
    return ((vectors[1:] - original).norm(dim=-1) / original.norm(dim=-1)).T


# ----- the run


def run(config: MasksConfig) -> MasksResult:
    loaded = load(MODELS[config.shape])
    # In float64 what cannot move stays put to fifteen digits, so that "no change" can be told from little.
    model = copy.deepcopy(loaded.model).double()
    if config.shape == "encoder_decoder":
        return read_pair(config, loaded, model)
    tokens, real, dropped = read_batch(loaded, config)
    tokens, real = tokens[config.row], real[config.row]
    seen = real if config.hide_padding else torch.ones_like(real)
    allowed = who_sees_whom(config.shape, seen, config.window, config.prefix)
    measured = change(model, tokens, allowed, others(tokens, loaded))
    reached = reach(allowed, model.config.num_layers)
    return _result(loaded, tokens, real, 0, allowed, reached, measured, dropped)


def read_batch(loaded: LoadedModel, config: MasksConfig) -> tuple[Tensor, Tensor, int]:
    """Both texts as one batch.  -> tokens (2, T), real (2, T) bool, tokens left out"""
    rows, dropped = [], 0
    for text in (config.first, config.second):
        begin, end = frame(loaded, text)
        ids = encode_with_masks(text[:MOST_CHARACTERS].strip(), loaded.tokenizer)
        room = MOST_TOKENS - len(begin) - len(end)
        rows.append([*begin, *ids[:room], *end])
        dropped += max(0, len(ids) - room)
    return *padded(rows, loaded.tokenizer.pad_id, config.side), dropped


def padded(rows: list[list[int]], pad_id: int, side: str) -> tuple[Tensor, Tensor]:
    """Rows of unequal length, filled up on one side.  -> (B, T) int64, (B, T) bool"""
    length = max(map(len, rows))
    tokens = torch.full((len(rows), length), pad_id)
    real = torch.zeros(len(rows), length, dtype=torch.bool)
    for number, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(length - len(row), length)
        tokens[number, place], real[number, place] = torch.tensor(row), True
    return tokens, real


def others(tokens: Tensor, loaded: LoadedModel) -> Tensor:
    """What each token is swapped for: the mask token, or `<|eos|>` where the mask token stands."""
    mask_id, eos_id = loaded.tokenizer.mask_id, loaded.tokenizer.eos_id
    return torch.full_like(tokens, mask_id).masked_fill(tokens == mask_id, eos_id)


@torch.no_grad()
def read_pair(config: MasksConfig, loaded: LoadedModel, model: Transformer) -> MasksResult:
    """An encoder-decoder as one picture: source and target, and the three masks between them."""
    tokenizer = loaded.tokenizer
    begin, end = frame(loaded, config.first)
    language = tokenizer.special_id(f"<|{language_of(config.second)}|>")
    start = present(tokenizer.bos_id, language)
    source = encode_with_masks(config.first[:MOST_CHARACTERS].strip(), tokenizer)
    target = encode_with_masks(config.second[:MOST_CHARACTERS].strip(), tokenizer)
    rooms = MOST_TOKENS - len(begin) - len(end), MOST_TOKENS - len(start)
    dropped = sum(
        max(0, len(ids) - room) for ids, room in zip((source, target), rooms, strict=True)
    )
    source = torch.tensor([*begin, *source[: rooms[0]], *end])
    target = torch.tensor([*start, *target[: rooms[1]]])
    tokens, read = torch.cat([source, target]), len(source)
    variants = swap_each(tokens, others(tokens, loaded))
    trace = model(variants[:, read:], context=variants[:, :read], trace=True).trace
    layers = range(model.config.num_layers)
    measured = torch.stack(
        [
            torch.cat(
                [
                    moved(trace[f"encoder.layers.{layer}.resid_post"]),
                    moved(trace[f"layers.{layer}.resid_post"]),
                ]
            )
            for layer in layers
        ]
    )
    allowed = joint_mask(len(source), len(target))
    reached = joint_reach(allowed, read, len(layers))
    real = torch.ones(len(tokens), dtype=torch.bool)
    return _result(loaded, tokens, real, read, allowed, reached, measured, dropped)


def joint_mask(source: int, target: int) -> Tensor:
    """Source sees source, target sees source, target sees earlier target.  -> (S + T, S + T) bool"""
    everything = torch.ones(source + target, dtype=torch.bool)
    allowed = who_sees_whom("causal", everything)
    allowed[:source, :source] = who_sees_whom("full", everything[:source])
    return allowed


def joint_reach(allowed: Tensor, source: int, layers: int) -> Tensor:
    """As `reach`; each layer of the decoder reads what the encoder's last has made of the source."""
    reached = reach(allowed, layers)
    encoded = reached[-1, :source, :source].float()
    through = (allowed[source:, :source].float() @ encoded) > 0
    reached[:, source:, :source] |= through
    return reached


def _result(
    loaded: LoadedModel, tokens: Tensor, real: Tensor, source_tokens: int, allowed: Tensor,
    reached: Tensor, measured: Tensor, dropped: int,
) -> MasksResult:  # fmt: skip
    return MasksResult(
        labels=[loaded.tokenizer.label(token) for token in tokens.tolist()],
        real=real.numpy(),
        source_tokens=source_tokens,
        allowed=allowed.numpy(),
        reach=reached.numpy(),
        change=measured.float().numpy(),
        agreeing=int((reached == (measured > NOTHING)).sum()),
        dropped_tokens=dropped,
    )


# ----- what padding does to a text


@lab_config
class PaddingConfig:
    """The same two texts; the shorter is read alone, then in the batch."""

    first: str = FIRST
    second: str = SECOND

    def __post_init__(self):
        MasksConfig(first=self.first, second=self.second)


@dataclass(frozen=True, slots=True)
class Damage:
    """How much the shorter text's vectors differ in the batch from what they are alone."""

    shape: str  # "full" or "causal"
    side: str
    hidden: bool  # was the padding hidden from attention?
    share: float  # of a vector's length, mean over the text's own tokens, after the last layer


@dataclass(frozen=True, slots=True)
class PaddingResult:
    padding: int  # tokens that the shorter text was filled up with
    damages: list[Damage]


def padding(config: PaddingConfig) -> PaddingResult:
    """Eight readings: encoder and decoder, filled up right and left, padding hidden and seen."""
    damages, gap = [], 0
    for shape in ("full", "causal"):
        loaded = load(MODELS[shape])
        model = copy.deepcopy(loaded.model).double()
        for side in SIDES:
            asked = MasksConfig(shape, config.first, config.second, side=side)
            tokens, real, _ = read_batch(loaded, asked)
            shorter = int(real.sum(dim=1).argmin())
            tokens, real = tokens[shorter], real[shorter]
            gap = int((~real).sum())
            for hidden in (True, False):
                share = damage(model, tokens, real, hidden)
                damages.append(Damage(shape, side, hidden, share))
    return PaddingResult(gap, damages)


@torch.no_grad()
def damage(model: Transformer, tokens: Tensor, real: Tensor, hidden: bool) -> float:
    """Mean distance between a text's vectors in a batch and alone.  (T,), (T,) -> share"""
    names = f"layers.{model.config.num_layers - 1}.resid_post"
    alone = model(tokens[real][None], trace=True).trace[names][0]
    filled = model(tokens[None], real[None] if hidden else None, trace=True).trace[names][0, real]
    return float(((filled - alone).norm(dim=-1) / alone.norm(dim=-1)).mean())
