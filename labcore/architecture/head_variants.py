"""How many heads, and how many keys and values for them? Small decoders trained side by side.

All variants of a seed start from the same seed, read the same batches in the same order and are judged
on the same held-out stories, so what differs is the attention. Several seeds tell how much is luck.

Axes: N variants, S seeds, M looks at held-out text.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import tee

import numpy as np
import torch

from labcore.architecture.build_train_corpus import world, world_corpus
from labcore.architecture.decode_speed import Speed, SpeedConfig, measure
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.config import LatentAttention, ModelConfig
from labcore.model.counting import kv_cache_bytes, parameter_total
from labcore.model.presets import PRESETS
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import held_out_loss

WIDTH, LAYERS = 64, 2
COUNTS = {f"heads-{count}": {"num_heads": count} for count in (1, 2, 4, 8, 16, 32)}
# Eight query heads of width 8. The latent is chosen so that MLA caches exactly as much as GQA:
# 24 + 8 numbers per token and layer, against 2 · 2 · 8.
SHARING = {
    "mha": {"num_heads": 8},
    "gqa": {"num_heads": 8, "num_key_value_heads": 2},
    "mqa": {"num_heads": 8, "num_key_value_heads": 1},
    "mla": {
        "num_heads": 8,
        "latent": LatentAttention(
            kv_lora_rank=24, rope_head_dim=8, nope_head_dim=8, value_head_dim=8
        ),
    },
}
VARIANTS = COUNTS | SHARING
LIMITS = {"steps": (10, 2000), "batch_size": (1, 32)}
MOST_SEEDS = 8


@lab_config
class VariantsConfig:
    names: tuple[str, ...] = ("heads-1", "heads-2", "heads-4", "heads-8")
    steps: int = 200
    batch_size: int = 8  # stories per step
    seeds: tuple[int, ...] = (0,)
    learning_rate: float = 5e-3
    look_every: int = 20  # steps

    def __post_init__(self):
        for name in ("names", "seeds"):
            if not getattr(self, name):
                raise LabInputError(name, (), "required")
        for name in self.names:
            if name not in VARIANTS:
                raise LabInputError("names", name, "known_choice", allowed=tuple(VARIANTS))
        if len(self.seeds) > MOST_SEEDS:
            raise LabInputError("seeds", len(self.seeds), "at_most", limit=MOST_SEEDS)
        check_limits(self, LIMITS)

    def training(self, seed: int) -> TrainConfig:
        return TrainConfig(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate,
            warmup_steps=min(20, self.steps // 10), eval_every=self.look_every, seed=seed,
        )  # fmt: skip


# What comes with the lab: five seeds, to tell luck from merit.
RECORDED_COUNTS = VariantsConfig(tuple(COUNTS), seeds=(0, 1, 2, 3, 4))
RECORDED_SHARING = VariantsConfig(tuple(SHARING), seeds=(0, 1, 2, 3, 4))


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """All variants of a seed have made one step more."""

    names: tuple[str, ...]  # (N,)
    seed: int
    step: int
    share: float  # of the run done
    loss_nats: tuple[float, ...]  # (N,) held-out; empty between two looks


@dataclass(frozen=True, slots=True, eq=False)
class VariantsResult:
    names: tuple[str, ...]  # (N,)
    seeds: tuple[int, ...]  # (S,)
    steps: np.ndarray  # (M,) from 0
    loss_nats: np.ndarray  # (N, S, M) on held-out stories
    floor_nats: float
    parameters: np.ndarray  # (N,)
    cache_bytes: np.ndarray  # (N,) per token, at two bytes a number
    speed: Speed | None  # how fast each kind of sharing writes, if it was timed
    seconds: float


def model_of(name: str) -> ModelConfig:
    """The architecture of a variant."""
    return ModelConfig(
        vocab_size=world().tokenizer.vocab_size, hidden_size=WIDTH, num_layers=LAYERS,
        max_positions=128, **VARIANTS[name],
    )  # fmt: skip


def published_caches() -> tuple[tuple[str, str, float], ...]:
    """What real models keep per token at two bytes a number: title, kind of sharing, bytes."""
    deepseek = ModelConfig(  # V2, 236 billion parameters: arXiv:2405.04434, section 3.1.2
        hidden_size=5120,
        num_layers=60,
        num_heads=128,
        latent=LatentAttention(512, 1536, 64, 128, 128),
    )
    kinds = {"gpt2": "mha", "llama-2-7b": "mha", "llama-3-8b": "gqa", "llama-3-70b": "gqa"}
    known = [(PRESETS[name].title, kind, PRESETS[name].config) for name, kind in kinds.items()]
    models = [*known, ("DeepSeek-V2", "mla", deepseek)]
    return tuple((title, kind, kv_cache_bytes(config, tokens=1)) for title, kind, config in models)


def run(config: VariantsConfig) -> VariantsResult:
    return drain(train_side_by_side(config))


def train_side_by_side(config: VariantsConfig) -> Generator[Progress, None, VariantsResult]:
    """Train every variant with every seed, all of them step by step in turn."""
    started, losses = time.perf_counter(), []
    for number, seed in enumerate(config.seeds):
        looks = []
        for step, loss in race(config, seed):
            share = (number + step / config.steps) / len(config.seeds)
            yield Progress(config.names, seed, step, share, loss)
            if loss:
                looks.append((step, loss))
        losses.append([loss for _, loss in looks])  # (M, N)
    models = [model_of(name) for name in config.names]
    return VariantsResult(
        names=config.names,
        seeds=config.seeds,
        steps=np.array([step for step, _ in looks]),
        loss_nats=np.array(losses, np.float32).transpose(2, 0, 1),
        floor_nats=world_corpus("decoder", ("en",), 1, 0).floor_nats,
        parameters=np.array([parameter_total(model) for model in models]),
        cache_bytes=np.array([kv_cache_bytes(model, tokens=1) for model in models]),
        speed=None,
        seconds=time.perf_counter() - started,
    )


def run_timed(config: VariantsConfig) -> VariantsResult:
    return drain(train_and_time(config))


def train_and_time(config: VariantsConfig) -> Generator[Progress, None, VariantsResult]:
    """The same, and at the end how long each kind of sharing takes to write a token."""
    result = yield from train_side_by_side(config)
    return replace(result, speed=measure(SpeedConfig()))


def chosen(result: VariantsResult, names: tuple[str, ...]) -> VariantsResult:
    """The result of some of its variants."""
    at = [result.names.index(name) for name in names]
    return replace(
        result, names=names, loss_nats=result.loss_nats[at], parameters=result.parameters[at],
        cache_bytes=result.cache_bytes[at],
    )  # fmt: skip


def race(config: VariantsConfig, seed: int) -> Generator[tuple[int, tuple[float, ...]], None, None]:
    """One seed: every variant makes a step on the same batch, then the next.  -> step, losses (N,)"""
    corpus = world_corpus("decoder", ("en",), config.batch_size, seed)
    streams = tee(corpus.batches, len(config.names))  # each story is told once, and read by all
    models = [
        Transformer(model_of(name), torch.Generator().manual_seed(seed)) for name in config.names
    ]

    def judge(model: Transformer) -> float:
        return held_out_loss(model, [corpus.held_out])

    yield 0, tuple(map(judge, models))
    runs = [
        train(model, batches, config.training(seed), judge)
        for model, batches in zip(models, streams, strict=True)
    ]
    for steps in zip(*runs, strict=True):
        losses = [step.validation_nats for step in steps]
        yield steps[0].step, () if None in losses else tuple(losses)
