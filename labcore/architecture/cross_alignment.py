"""Does cross-attention find the word that is being translated? Measured against the true alignment.

The micro-world tells both languages from the same decisions, so the source of a translated word is known
(`labcore.text.alignment`). Three answers to "which source token does this target token come from" can
then be laid side by side: what the grammar says, where cross-attention looks, and which token the
prediction really needs, found by hiding each source token in turn.

Axes: B pairs, L layers, H heads, T target positions, S source positions. Row t of every table is the
position that predicts the target's token t + 1.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.text.alignment import AlignedPair, aligned_pairs
from labcore.training.objectives import Batch, translation_batch
from labcore.zoo import load

HELD_OUT_PAIRS = 96
HELD_OUT_SEED = 1234  # apart from every run's seed: all runs are judged on the same pairs
PROBES = 8  # of the held-out pairs, those that can be looked at one by one
PROBE = 6  # the one to begin with: seven of its words have a known source
MOST_WRITTEN = 40  # tokens


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Pairs never trained on, as one batch."""

    pairs: list[AlignedPair]
    batch: Batch
    truth: Tensor  # (B, T, S) bool: where the token after t comes from
    asked: Tensor  # (B, T) bool: it has a known source

    @property
    def chance(self) -> float:
        """The share of true sources that a look at all source tokens alike would meet."""
        even = self.truth.sum(dim=2) / self.batch.context_padding_mask.sum(dim=1)[:, None]
        return float(even[self.asked].mean())


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How well the heads of a model find the true source words."""

    mass: np.ndarray  # (L, H) attention on the true source, mean over words
    hits: np.ndarray  # (L, H) share of words whose most attended source token is a true one
    joint_hits: np.ndarray  # (L,) the same for the mean of a layer's heads


@dataclass(frozen=True, slots=True, eq=False)
class PairReading:
    """One pair, read by one model."""

    queries: list[str]  # (T,) "what stands → what is predicted"
    keys: list[str]  # (S,)
    truth: np.ndarray  # (T, S) bool
    cross: np.ndarray  # (L, H, T, S) uint8, weight · 255
    need: np.ndarray  # (T, S) float32: nats that the prediction loses without this source token
    source: str
    reference: str  # one true translation of several
    written: str  # the model's own, always its likeliest token
    possible: bool  # could the world have told `written` for this source?


@lru_cache(maxsize=1)
def held_out() -> HeldOut:
    rng = torch.Generator().manual_seed(HELD_OUT_SEED)
    pairs = aligned_pairs(world(), HELD_OUT_PAIRS, rng, "held_out")
    batch = translation_batch(
        [pair.source for pair in pairs], [pair.target for pair in pairs], world().tokenizer.pad_id
    )
    truth = torch.zeros(len(pairs), batch.tokens.shape[1], batch.context.shape[1], dtype=torch.bool)
    for number, pair in enumerate(pairs):
        rows, columns = len(pair.target) - 1, len(pair.source)
        truth[number, :rows, :columns] = torch.tensor(pair.truth[1:])
    return HeldOut(pairs, batch, truth, truth.any(dim=2))


# ----- the idea


def found(weights: Tensor, truth: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
    """How much attention lies on true sources, and how often the largest weight does.

    weights (B, H, T, S), truth (B, T, S), asked (B, T) -> mass (H,), hits (H,): means over asked words
    """
    on_truth = (weights * truth[:, None]).sum(dim=3)  # (B, H, T)
    most = weights.argmax(dim=3, keepdim=True)
    hit = truth[:, None].expand_as(weights).gather(3, most)[..., 0].float()
    return tuple(measure.transpose(1, 2)[asked].mean(dim=0) for measure in (on_truth, hit))


@torch.no_grad()
def needed(model: Transformer, source: list[int], target: list[int]) -> Tensor:
    """What each prediction loses when one source token is hidden from everybody.  -> (T, S) nats

    Hidden as padding is: no encoder token and no decoder token may look at it, and all others keep
    their places. Positive: without this token the true next one is less probable.
    """
    count = len(source)
    hidden = ~torch.eye(count, dtype=torch.bool)
    shown = torch.cat([torch.ones(1, count, dtype=torch.bool), hidden])  # first, all of them
    logits = model(
        torch.tensor(target[:-1]).expand(count + 1, -1),
        context=torch.tensor(source).expand(count + 1, -1),
        context_padding_mask=shown,
    ).logits
    truth = torch.tensor(target[1:]).expand(count + 1, -1)[..., None]
    nats = -logits.log_softmax(dim=-1).gather(2, truth)[..., 0]  # (S + 1, T)
    return (nats[1:] - nats[0]).T


# ----- a model judged on all held-out pairs, and on one


@torch.no_grad()
def align(model: Transformer) -> Alignment:
    """All heads on all held-out pairs."""
    model.eval()
    given = held_out()
    trace = model(
        given.batch.tokens,
        padding_mask=given.batch.padding_mask,
        context=given.batch.context,
        context_padding_mask=given.batch.context_padding_mask,
        trace=True,
    ).trace
    layers = [trace[f"layers.{layer}.cross.weights"] for layer in range(model.config.num_layers)]
    each = [found(weights, given.truth, given.asked) for weights in layers]
    joint = [found(w.mean(dim=1, keepdim=True), given.truth, given.asked) for w in layers]
    return Alignment(
        mass=torch.stack([mass for mass, _ in each]).numpy(),
        hits=torch.stack([hits for _, hits in each]).numpy(),
        joint_hits=torch.cat([hits for _, hits in joint]).numpy(),
    )


@torch.no_grad()
def cross_maps(model: Transformer, pair: AlignedPair) -> np.ndarray:
    """Cross-attention of every head on one pair.  -> (L, H, T, S) uint8"""
    model.eval()
    trace = model(
        torch.tensor([pair.target[:-1]]), context=torch.tensor([pair.source]), trace=True
    ).trace
    layers = range(model.config.num_layers)
    maps = torch.cat([trace[f"layers.{layer}.cross.weights"] for layer in layers])
    return (maps * 255).round().to(torch.uint8).numpy()


def read_pair(model: Transformer, probe: int) -> PairReading:
    """What `model` does with one held-out pair."""
    tokenizer, pair = world().tokenizer, held_out().pairs[probe]
    label = tokenizer.label
    written = translate(model, pair)
    return PairReading(
        queries=[f"→ {label(token)}" for token in pair.target[1:]],
        keys=[label(token) for token in pair.source],
        truth=pair.truth[1:],
        cross=cross_maps(model, pair),
        need=needed(model, pair.source, pair.target).float().numpy(),
        source=pair.pair.en,
        reference=pair.pair.zh,
        written=tokenizer.decode(written),
        possible=world().translation_nats(pair.source, [*pair.target[:2], *written]) is not None,
    )


def translate(model: Transformer, pair: AlignedPair) -> list[int]:
    """The model's own translation after `<|bos|> <|zh|>`, always its likeliest token; with `<|eos|>`."""
    sampling = SamplingConfig(temperature=0, max_new_tokens=MOST_WRITTEN)
    stop = {world().tokenizer.eos_id}
    written = generate(model, pair.target[:2], sampling, stop, pair.source)
    return [step.token for step in written]


# ----- the bundled translator, as the finished state


@lab_config
class FinishedConfig:
    probe: int = PROBE  # which held-out pair is pictured

    def __post_init__(self):
        if not 0 <= self.probe < PROBES:
            raise LabInputError("probe", self.probe, "between", low=0, high=PROBES - 1)


@dataclass(frozen=True, slots=True, eq=False)
class FinishedResult:
    alignment: Alignment
    reading: PairReading
    need_hits: float  # share of words whose most needed source token is a true one, over the probes
    steps: int  # that the translator was trained for


def finished(config: FinishedConfig) -> FinishedResult:
    """`world-translator`, which had several times as many steps as a run of this lab."""
    loaded = load("world-translator")
    return FinishedResult(
        align(loaded.model),
        read_pair(loaded.model, config.probe),
        need_hits(loaded.model),
        int(loaded.card.training["steps"]),
    )


def need_hits(model: Transformer) -> float:
    """How often the most needed source token is a true one."""
    hits = []
    for pair in held_out().pairs[: 2 * PROBES]:
        need, truth = needed(model, pair.source, pair.target), torch.tensor(pair.truth[1:])
        asked = truth.any(dim=1)
        hits.append(truth[asked].gather(1, need[asked].argmax(dim=1, keepdim=True)))
    return float(torch.cat(hits).float().mean())
