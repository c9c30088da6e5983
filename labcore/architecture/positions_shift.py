"""The learner's sentence, moved: what changes in attention when every token stands k places further on?

The words stay as they are and so do the distances between them; only the numbers of their places change.
An encoding that speaks of distances cannot notice. One that speaks of places does.

Axes: L layers, H heads, T query positions, S key positions.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.build_train_corpus import world
from labcore.architecture.positions_length import ENCODINGS
from labcore.architecture.prompt import Prompt, read_for, read_text
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.zoo import load

OFFSETS = (0, 1, 4, 16, 64, 256, 1024, 4096)
MOST = 4096
LAYERS, WIDTH, HEADS = 2, 64, 4


@lab_config
class ShiftConfig:
    """`model` "" compares six untrained models that differ in their encoding alone."""

    text: str = "The cat sat on the mat, and the dog sat on the rug."
    offset: int = 16  # places that the sentence moves
    model: str = ""
    seed: int = 0  # of the untrained weights

    def __post_init__(self):
        if not 0 <= self.offset <= MOST:
            raise LabInputError("offset", self.offset, "between", low=0, high=MOST)


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """One model reading the sentence at its place and k places on."""

    encoding: str
    before: np.ndarray  # (L, H, T, S) float32 attention weights
    after: np.ndarray  # (L, H, T, S) float32
    score_change: float  # largest |difference| of a score that may be looked at
    weight_change: float  # the same of an attention weight
    output_change: float  # the same of the last hidden state, whose numbers are about 1 in size


@dataclass(frozen=True, slots=True, eq=False)
class ShiftResult:
    tokens: list[str]  # (T,) labels
    dropped_tokens: int  # of a text too long for a picture
    allowed: np.ndarray  # (T, S) bool
    moved: list[Moved]  # one per encoding, or the one model of the zoo


def run(config: ShiftConfig) -> ShiftResult:
    """Read the sentence twice with each model."""
    if config.model:
        loaded = load(config.model)
        if loaded.model.config.encoder_layers and loaded.model.config.decoder_layers:
            raise LabInputError("model", config.model, "one_stack")
        prompt, _ = read_for(loaded, config.text)
        models = [loaded.model]
    else:
        prompt = read_text(config.text, world().tokenizer)
        models = [untrained(encoding, config.seed) for encoding in ENCODINGS]
    tokens = torch.tensor([prompt.ids])
    pairs = [both_places(model, tokens, config.offset) for model in models]
    return _result(prompt, pairs)


def untrained(encoding: str, seed: int) -> Transformer:
    """A small decoder with drawn weights; all six draw the same ones where they have the same parts."""
    config = ModelConfig(
        vocab_size=world().tokenizer.vocab_size,
        hidden_size=WIDTH,
        num_layers=LAYERS,
        num_heads=HEADS,
        positions=encoding,
        max_positions=MOST + 64,
    )
    return Transformer(config, torch.Generator().manual_seed(seed))


@torch.no_grad()
def both_places(model: Transformer, tokens: torch.Tensor, offset: int) -> tuple[Moved, np.ndarray]:
    """The same tokens at 0, 1, 2, … and at k, k + 1, k + 2, …: every distance is the same."""
    model.eval()
    here = torch.arange(tokens.shape[1])[None]  # (1, T)
    at_home = model(tokens, positions=here, trace=True)
    away = model(tokens, positions=here + offset, trace=True)
    layers = range(model.config.num_layers)
    allowed = at_home.trace["layers.0.attn.mask"].expand(1, 1, len(here[0]), len(here[0]))[0, 0]

    def stacked(trace: dict[str, torch.Tensor], name: str) -> torch.Tensor:
        return torch.stack([trace[f"layers.{layer}.attn.{name}"][0] for layer in layers])

    scores = stacked(away.trace, "scores") - stacked(at_home.trace, "scores")  # (L, H, T, S)
    before, after = stacked(at_home.trace, "weights"), stacked(away.trace, "weights")
    moved = Moved(
        encoding=model.config.positions,
        before=before.numpy().astype(np.float32),
        after=after.numpy().astype(np.float32),
        score_change=float(scores.abs().masked_fill(~allowed, 0).max()),
        weight_change=float((after - before).abs().max()),
        output_change=float((away.hidden - at_home.hidden).abs().max()),
    )
    return moved, allowed.numpy()


def _result(prompt: Prompt, pairs: list[tuple[Moved, np.ndarray]]) -> ShiftResult:
    return ShiftResult(
        tokens=list(prompt.labels),
        dropped_tokens=prompt.dropped_tokens,
        allowed=pairs[0][1],
        moved=[moved for moved, _ in pairs],
    )
