"""A small mixture of experts, trained before one's eyes beside dense models.

Four decoders learn the same text from the same batches: a mixture with the balance loss, the same without it,
a dense one that does as many operations per token, and a dense one that has as many parameters. Three
questions: does a router use all its experts, what do experts buy, and what do they cost in time?

Axes: N variants, R those with experts, S seeds, M looks, L layers, E experts, P judged positions.
"""

import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.config import MixtureOfExperts, ModelConfig
from labcore.model.counting import flops_total, parameter_total
from labcore.model.mlp import route
from labcore.model.transformer import Transformer
from labcore.scaling.experts_text import TEXTS, Text, chinese, text_of, tokens_per_step
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch

VARIANTS = ("dense", "moe", "free", "wide")
ROUTED = ("moe", "free")
LAYERS = 2
WIDTHS = {"facts": 32, "stories": 64}  # D
EXPERT_SIZE = 32  # F of one expert
LIMITS = {"experts": (2, 32), "chosen": (1, 4), "steps": (5, 1000), "balance": (0.0, 1.0)}
MOST_SEEDS = 8


@lab_config
class ExpertsConfig:
    text: str = "facts"
    experts: int = 16
    chosen: int = 1  # experts per token
    balance: float = 0.01  # weight of the balance loss, for "moe"
    # Whether the weights of the chosen experts are made to sum to 1. A trap: with one chosen expert that
    # weight is 1 whatever the router says, so no gradient of the loss ever reaches the router.
    normalise: bool = False
    steps: int = 250
    look_every: int = 25
    seeds: tuple[int, ...] = (0,)
    variants: tuple[str, ...] = VARIANTS

    def __post_init__(self):
        if self.text not in TEXTS:
            raise LabInputError("text", self.text, "known_choice", allowed=TEXTS)
        check_limits(self, LIMITS)
        if self.chosen > self.experts:
            raise LabInputError("chosen", self.chosen, "at_most", limit=self.experts)
        if self.look_every < 1:
            raise LabInputError("look_every", self.look_every, "at_least", limit=1)
        for name in ("seeds", "variants"):
            if not getattr(self, name):
                raise LabInputError(name, (), "required")
        if len(self.seeds) > MOST_SEEDS:
            raise LabInputError("seeds", len(self.seeds), "at_most", limit=MOST_SEEDS)
        for name in self.variants:
            if name not in VARIANTS:
                raise LabInputError("variants", name, "known_choice", allowed=VARIANTS)

    @property
    def routed(self) -> tuple[str, ...]:
        return tuple(name for name in self.variants if name in ROUTED)

    def training(self, seed: int) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, learning_rate=0.01, warmup_steps=min(30, self.steps // 5),
            weight_decay=0.0, eval_every=0, seed=seed,
        )  # fmt: skip


def model_of(config: ExpertsConfig, name: str, vocab_size: int) -> ModelConfig:
    """One of the four: they differ in their MLPs alone."""
    width = WIDTHS[config.text]
    base = ModelConfig(
        vocab_size=vocab_size, hidden_size=width, num_layers=LAYERS, num_heads=width // 16,
        intermediate_size=EXPERT_SIZE, max_positions=64, norm="rmsnorm",
    )  # fmt: skip
    if name == "dense":  # as many operations per token
        return base.with_(intermediate_size=EXPERT_SIZE * config.chosen)
    if name == "wide":  # as many parameters
        return base.with_(intermediate_size=EXPERT_SIZE * config.experts)
    weight = config.balance if name == "moe" else 0.0
    return base.with_(moe=MixtureOfExperts(config.experts, config.chosen, weight, config.normalise))


# What comes with the lab: several seeds, to tell luck from merit.
RECORDED = {
    "facts": ExpertsConfig(seeds=(0, 1, 2, 3, 4)),
    "stories": ExpertsConfig(text="stories", seeds=(0, 1, 2)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One variant judged: on every fact, or on held-out stories."""

    loss_nats: float
    right: float  # share of answers whose likeliest token is the true one
    load: np.ndarray  # (L, E) share of the judged tokens' choices; (L, 0) without experts
    chosen: np.ndarray  # (L, P) uint8, the first choice of each judged token; (L, 0) without


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """All variants of a seed have made one step more."""

    names: tuple[str, ...]  # (N,)
    seed: int
    step: int
    share: float  # of the whole run
    looks: tuple[Look, ...]  # (N,), empty between two looks
    seconds: tuple[float, ...]  # (N,) processor time of training so far


@dataclass(frozen=True, slots=True, eq=False)
class ExpertsResult:
    text: str
    names: tuple[str, ...]  # (N,)
    routed: tuple[str, ...]  # (R,)
    seeds: tuple[int, ...]  # (S,)
    experts: int
    chosen: int
    steps: np.ndarray  # (M,) from 0
    loss_nats: np.ndarray  # (N, S, M)
    right: np.ndarray  # (N, S, M)
    load: np.ndarray  # (R, S, M, L, E)
    floor_nats: float
    parameters: np.ndarray  # (N,)
    flops_per_token: np.ndarray  # (N,) of training: three forward passes
    step_seconds: np.ndarray  # (N, S) processor time
    # Who went where at the end, first seed: the tokens that were judged, and the expert of each.
    tokens: np.ndarray  # (P,) int32
    before: np.ndarray  # (P,) int32, the token before each; -1 at the beginning of a row
    labels: list[str]  # one per distinct token, in the order of np.unique(tokens)
    is_chinese: np.ndarray  # (P,) bool; all False for facts
    routes: np.ndarray  # (R, L, P) uint8
    seconds: float


def run(config: ExpertsConfig) -> ExpertsResult:
    return drain(train_side_by_side(config))


def train_side_by_side(config: ExpertsConfig) -> Generator[Progress, None, ExpertsResult]:
    """Train all variants with every seed, step by step in turn."""
    started, looks, spent = time.perf_counter(), [], []
    for number, seed in enumerate(config.seeds):
        seen = []
        for event in race(config, seed):
            share = (number + event.share) / len(config.seeds)
            yield replace(event, share=share)
            if event.looks:
                seen.append(event)
        looks.append([event.looks for event in seen])  # (M, N)
        spent.append([seconds / config.steps for seconds in seen[-1].seconds])
    first = dict(zip(config.variants, looks[0][-1], strict=True))
    text = text_of(config.text, config.seeds[0])
    asked = text.judged.targets != IGNORE
    tokens = text.judged.tokens[asked].numpy()
    told_in_chinese = (
        chinese(text.judged) if config.text == "stories" else np.zeros(len(asked), bool)
    )
    models = [model_of(config, name, text.vocab_size) for name in config.variants]
    return ExpertsResult(
        text=config.text, names=config.variants, routed=config.routed, seeds=config.seeds,
        experts=config.experts, chosen=config.chosen,
        steps=np.array([event.step for event in seen]),
        loss_nats=gathered(looks, "loss_nats"), right=gathered(looks, "right"),
        load=np.array(
            [
                [[row[config.variants.index(name)].load for row in rows] for rows in looks]
                for name in config.routed
            ],
            np.float32,
        ),
        floor_nats=text.floor_nats,
        parameters=np.array([parameter_total(model) for model in models]),
        flops_per_token=flops_per_token(config, text),
        step_seconds=np.array(spent).T,
        tokens=tokens.astype(np.int32),
        before=F.pad(text.judged.tokens, (1, -1), value=-1)[asked].numpy().astype(np.int32),
        labels=[text.label(int(token)) for token in np.unique(tokens)],
        is_chinese=np.repeat(told_in_chinese, asked.sum(dim=1).numpy()),
        routes=np.array([first[name].chosen for name in config.routed], np.uint8),
        seconds=time.perf_counter() - started,
    )  # fmt: skip


def flops_per_token(config: ExpertsConfig, text: Text) -> np.ndarray:
    """What each variant computes per token of training: a forward pass, and twice that backward.  (N,)"""
    length = text.judged.tokens.shape[1]
    models = [model_of(config, name, text.vocab_size) for name in config.variants]
    return np.array([3 * flops_total(model, length) / length for model in models])


def step_flops(config: ExpertsConfig) -> np.ndarray:
    """The same for a whole step.  (N,)"""
    text = text_of(config.text, config.seeds[0])
    return tokens_per_step(config.text) * flops_per_token(config, text)


def gathered(looks: list[list[tuple[Look, ...]]], field: str) -> np.ndarray:
    """(S, M, N) looks -> (N, S, M) of one number"""
    values = [[[getattr(look, field) for look in row] for row in rows] for rows in looks]
    return np.array(values, np.float32).transpose(2, 0, 1)


def race(config: ExpertsConfig, seed: int) -> Generator[Progress, None, None]:
    """One seed: every variant makes a step on the same batch, then the next. Only steps are timed."""
    text = text_of(config.text, seed)
    names = config.variants
    models = [
        Transformer(model_of(config, name, text.vocab_size), torch.Generator().manual_seed(seed))
        for name in names
    ]
    waiting = [deque() for _ in names]  # a batch is drawn once, before any clock runs
    runs = [
        train(model, iter(queue.popleft, None), config.training(seed))
        for model, queue in zip(models, waiting, strict=True)
    ]
    spent = [0.0] * len(names)
    yield Progress(names, seed, 0, 0.0, tuple(look(m, text.judged) for m in models), tuple(spent))
    for step in range(1, config.steps + 1):
        batch = next(text.batches)
        for number, training in enumerate(runs):
            waiting[number].append(batch)
            started = time.process_time()
            next(training)
            spent[number] += time.process_time() - started
        due = step % config.look_every == 0 or step == config.steps
        looks = tuple(look(model, text.judged) for model in models) if due else ()
        yield Progress(names, seed, step, step / config.steps, looks, tuple(spent))


@torch.no_grad()
def look(model: Transformer, judged: Batch) -> Look:
    """Loss, right answers, and who went to which expert, all at the positions that are asked."""
    model.eval()
    output = model(judged.tokens, padding_mask=judged.padding_mask, trace=True)
    asked = judged.targets != IGNORE  # (B, T)
    logits, targets = output.logits[asked], judged.targets[asked]  # (P, V), (P,)
    load, first = np.zeros((LAYERS, 0), np.float32), np.zeros((LAYERS, 0), np.uint8)
    if moe := model.config.moe:
        chosen = [
            route(output.trace[f"layers.{layer}.mlp.router"][asked], moe.experts_per_token, False)[
                1
            ]
            for layer in range(LAYERS)
        ]  # L of (P, C), likeliest first
        load = np.stack([loads(one.numpy(), moe.num_experts) for one in chosen])
        first = np.stack([one[:, 0].numpy().astype(np.uint8) for one in chosen])
    return Look(
        F.cross_entropy(logits, targets).item(),
        (logits.argmax(dim=-1) == targets).float().mean().item(), load, first,
    )  # fmt: skip


# What is read off the choices.


def loads(chosen: np.ndarray, experts: int) -> np.ndarray:
    """Which share of all choices fell on each expert.  (P, C) -> (E,)"""
    return (np.bincount(chosen.ravel(), minlength=experts) / chosen.size).astype(np.float32)


def experts_in_use(load: np.ndarray) -> np.ndarray:
    """How many evenly used experts would be as varied: e to the entropy.  (…, E) -> (…,)

    E if all are used alike, 1 if one gets everything.
    """
    shares = np.where(load > 0, load, 1.0)
    return np.exp(-(load * np.log(shares)).sum(axis=-1))


def busiest(load: np.ndarray) -> np.ndarray:
    """The busiest expert's load over an even share: with an expert per device all wait for it this long."""
    return load.max(axis=-1) * load.shape[-1]


def guessed(keys: np.ndarray, experts: np.ndarray) -> float:
    """Share of tokens whose expert can be named from a key alone: from what the token is, say.  (P,), (P,)

    The commonest expert of each key is learnt on every other token and tried on the rest; a key that did
    not occur gets the commonest expert of all. With equal keys that is the rate of always the same guess.
    """
    learnt, tried = slice(0, None, 2), slice(1, None, 2)
    usual = np.bincount(experts[learnt]).argmax()
    best = {
        key: np.bincount(experts[learnt][keys[learnt] == key]).argmax()
        for key in np.unique(keys[learnt])
    }
    named = np.array([best.get(key, usual) for key in keys[tried]])
    return float((named == experts[tried]).mean())
