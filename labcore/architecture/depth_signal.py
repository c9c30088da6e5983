"""What depth does to a signal before any training: its size, its gradient, its variety.

Freshly drawn stacks read real text. Going up, does the stream keep its size? Going down, does the gradient
of the loss reach every layer in a like amount? And do the tokens stay different from one another?

Computed in double precision: without residuals tokens grow alike to more digits than single precision has.

Axes: R seeds, L layers, B texts, T tokens, D width.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.architecture.build_train_corpus import held_out_of, world
from labcore.architecture.deep_stacks import Design, build
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE

MOST_LAYERS = 32
MOST_SEEDS = 8
TEXTS, TOKENS = 4, 32  # of the held-out stories: the shortest has more than 32 tokens
STANDARD = Design()


@lab_config
class SignalConfig:
    design: Design = field(default_factory=Design)
    num_layers: int = 16
    seeds: int = 3  # stacks drawn anew
    seed: int = 0  # of the first of them

    def __post_init__(self):
        for name, high in (("num_layers", MOST_LAYERS), ("seeds", MOST_SEEDS)):
            if not 1 <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=1, high=high)


@dataclass(frozen=True, slots=True, eq=False)
class SignalResult:
    """Each row is one seed. Column 0 of the first, third and fourth are the embeddings."""

    size: np.ndarray  # (R, L+1) root mean square of the stream after each layer
    gradient: np.ndarray  # (R, L) norm of the loss's gradient over all matrices of a layer
    alike: np.ndarray  # (R, L+1) mean cosine between two tokens of a text
    apart: np.ndarray  # (R, L+1) share of the stream that sets tokens apart: 0 is rank one
    cosines: np.ndarray  # (L+1, T, T) float32: tokens of the first text, first seed
    labels: list[str]  # (T,) of these tokens
    loss_nats: np.ndarray  # (R,) per token, untrained

    @property
    def readable(self) -> bool:
        """Nothing has grown, or shrunk, beyond what a computer can hold."""
        numbers = np.concatenate([self.size, self.gradient], axis=1)
        return bool((np.isfinite(numbers) & (numbers > 0)).all())

    @property
    def gradient_ratio(self) -> float:
        """The first layer's gradient over the last one's; the median over seeds."""
        with np.errstate(all="ignore"):
            return float(np.median(self.gradient[:, 0] / self.gradient[:, -1]))


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One stack, once up and once down."""

    stream: list[Tensor]  # L+1 of (B, T, D): what enters, and what each layer leaves
    gradient: list[float]  # L
    loss_nats: float


def run(config: SignalConfig) -> SignalResult:
    """Send the same text through freshly drawn stacks, and its loss's gradient back."""
    tokens, targets = batch()
    vocabulary = world().tokenizer
    passes = []
    for seed in range(config.seed, config.seed + config.seeds):
        model = build(config.design, config.num_layers, vocabulary.vocab_size, seed).double()
        passes.append(up_and_down(model, tokens, targets))
    return SignalResult(
        size=np.array([[size(x) for x in one.stream] for one in passes]),
        gradient=np.array([one.gradient for one in passes]),
        alike=np.array([[alikeness(x) for x in one.stream] for one in passes]),
        apart=np.array([[apartness(x) for x in one.stream] for one in passes]),
        cosines=np.stack([cosines(x[:1])[0].float().numpy() for x in passes[0].stream]),
        labels=[vocabulary.label(token) for token in tokens[0].tolist()],
        loss_nats=np.array([one.loss_nats for one in passes]),
    )


def control(config: SignalConfig) -> SignalConfig:
    """The same depth and seeds with today's standard design."""
    return replace(config, design=STANDARD)


def batch() -> tuple[Tensor, Tensor]:
    """The beginnings of a few held-out stories, and the token that follows each token.  2 · (B, T)"""
    held_out = held_out_of("decoder", ("en", "zh"))[0]
    return held_out.tokens[:TEXTS, :TOKENS], held_out.targets[:TEXTS, :TOKENS]


def up_and_down(model: Transformer, tokens: Tensor, targets: Tensor) -> Pass:
    """Forward, loss, backward; nothing is updated."""
    output = model(tokens, trace=True)
    losses = F.cross_entropy(output.logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE)
    losses.backward()
    layers = range(model.config.num_layers)
    stream = [output.trace["layers.0.resid_pre"]]
    stream += [output.trace[f"layers.{layer}.resid_post"] for layer in layers]
    gradient = [gradient_norm(layer) for layer in model.stack.layers]
    return Pass([x.detach() for x in stream], gradient, losses.item())


def gradient_norm(layer: torch.nn.Module) -> float:
    """One number for a layer: the length of the gradient of all its matrices, taken as one vector."""
    squares = [weight.grad.pow(2).sum() for weight in layer.parameters() if weight.dim() == 2]
    return float(torch.stack(squares).sum().sqrt())


def size(x: Tensor) -> float:
    """Root mean square of all numbers of the stream.  (B, T, D)"""
    return float(x.abs().amax() * to_scale(x).pow(2).mean().sqrt())


def to_scale(x: Tensor) -> Tensor:
    """The same vectors with 1 as their largest number: squares of a stream of 1e-200 would be 0."""
    return x / x.abs().amax().clamp(min=torch.finfo(x.dtype).tiny)


def cosines(x: Tensor) -> Tensor:
    """Cosine of the angle between any two tokens of a text.  (B, T, D) -> (B, T, T)"""
    x = to_scale(x)
    directions = x / x.norm(dim=-1, keepdim=True)
    return directions @ directions.mT


def alikeness(x: Tensor) -> float:
    """Mean cosine between two different tokens: 0 if they have nothing in common, 1 if all are alike."""
    tokens = x.shape[1]
    pairs = cosines(x).sum(dim=(1, 2)) - tokens  # each token with itself gives 1
    return float(pairs.mean() / (tokens * (tokens - 1)))


def apartness(x: Tensor) -> float:
    """How much of a text's vectors is left once the vector that they share is taken away.

    ‖X - 1x̄ᵀ‖ / ‖X‖, x̄ the mean over tokens (Dong et al., arXiv:2103.03404): 0 if X has rank one and
    all of its rows are equal, near 1 if tokens have little in common.
    """
    x = to_scale(x)
    rest = x - x.mean(dim=1, keepdim=True)
    return float((rest.norm(dim=(1, 2)) / x.norm(dim=(1, 2))).mean())
