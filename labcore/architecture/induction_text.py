"""Surgery while a model copies the learner's own text.

The text is told three times. From the second telling on, each token can be known from the first; who
silences the heads that find it, or cuts the wire between them, sees the model lose the thread.

Axes: L layers, H heads, T positions, C conditions of `induction_surgery.CONDITIONS`.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.head_patterns import HeadLabel, induction_probe, label_heads
from labcore.architecture.induction_surgery import Head, cut_wires, silence
from labcore.architecture.prompt import frame, read_text
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.trace import Interventions
from labcore.model.transformer import Transformer
from labcore.zoo import LoadedModel, load

MODELS = ("world-copier", "world-decoder")  # one that copies, and one that has read stories
TELLINGS = 3
MOST_TOKENS = 20  # of one telling: three of them fill a picture


@lab_config
class TextConfig:
    text: str
    model: str = "world-copier"
    silent: tuple[Head, ...] = ()

    def __post_init__(self):
        if self.model not in MODELS:
            raise LabInputError("model", self.model, "known_choice", allowed=MODELS)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """The text as a model reads it, told again and again."""

    tokens: torch.Tensor  # (1, S + 1) with what stands before the text
    first: int  # place of the first token that can be known
    telling: int  # tokens in one telling
    dropped: int  # tokens of the text that were left out


@dataclass(frozen=True, slots=True, eq=False)
class TextResult:
    """What the model makes of the tokens that can be known."""

    labels: list[str]  # (T,)
    conditions: list[str]  # (C,) how the model was cut
    chances: np.ndarray  # (C, T) the probability that it gives the token which really comes
    right: np.ndarray  # (C, T) bool: that token is its likeliest
    head_off: np.ndarray  # (L, H) accuracy with that head alone silent
    heads: list[HeadLabel]  # names that heads have earned on random tokens
    telling: int
    dropped: int


def run(config: TextConfig) -> TextResult:
    """The text under every cut that the silent heads allow, and with each head silent in turn."""
    loaded = load(config.model)
    model, told = loaded.model, tell(loaded, config.text)
    layers, heads = model.config.num_layers, model.config.num_heads
    require_heads(config.silent, layers, heads)
    cuts = cut_wires(model, told.tokens[:, :-1], config.silent) if config.silent else {"intact": {}}
    judged = [copied(model, told, cut) for cut in cuts.values()]
    return TextResult(
        labels=[loaded.tokenizer.label(token) for token in told.tokens[0, told.first :].tolist()],
        conditions=list(cuts),
        chances=np.array([chances for chances, _ in judged]),
        right=np.array([right for _, right in judged]),
        head_off=np.array(
            [
                [copied(model, told, silence([(layer, head)]))[1].mean() for head in range(heads)]
                for layer in range(layers)
            ]
        ),
        heads=label_heads(induction_probe(model, torch.Generator().manual_seed(0))),
        telling=told.telling,
        dropped=told.dropped,
    )


def tell(loaded: LoadedModel, text: str) -> Told:
    """What stands before a text, then the text `TELLINGS` times, without a word between.

    Known from then on is all but the first token of the second telling: that it begins again is news.
    """
    before, _ = frame(loaded, text)
    once = read_text(text, loaded.tokenizer).ids
    kept = once[:MOST_TOKENS]
    tokens = torch.tensor([[*before, *(kept * TELLINGS)]])
    return Told(tokens, len(before) + len(kept) + 1, len(kept), len(once) - len(kept))


@torch.no_grad()
def copied(model: Transformer, told: Told, cut: Interventions) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each token that can be known, and whether it is the likeliest.  -> (T,), (T,)"""
    probabilities = model(told.tokens[:, :-1], interventions=cut).logits[0].softmax(dim=-1)
    targets = told.tokens[0, told.first :]
    asked = probabilities[told.first - 1 :]
    chances = asked.gather(1, targets[:, None])[:, 0]
    return chances.numpy(), (asked.argmax(dim=-1) == targets).numpy()


def require_heads(silent: tuple[Head, ...], layers: int, heads: int) -> None:
    """Raises LabInputError for a head that the model does not have."""
    for layer, head in silent:
        for field, value, limit in (("layer", layer, layers), ("head", head, heads)):
            if not 0 <= value < limit:
                raise LabInputError(field, value, "between", low=0, high=limit - 1)
