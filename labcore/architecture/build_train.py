"""Build and train your own: choose an architecture, watch it learn the micro-world.

Each step reads a batch and moves every weight a little downhill. Every few steps the run looks at
held-out text, keeps the attention maps of one fixed sentence, and lets the model speak. On the
micro-world the lowest possible loss is known: a loss below it would prove that the model sees what it
should predict.

Axes: N steps made, M evaluations, L layers, H heads, T query positions, S key positions.
"""

import hashlib
import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import torch

from labcore.architecture.build_train_corpus import (
    CORPORA,
    LANGUAGES,
    OWN_TEXT_LIMIT,
    Corpus,
    own_corpus,
    world_corpus,
)
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.training import checkpoints
from labcore.training.checkpoints import Card, Sample
from labcore.training.loop import TrainConfig, TrainResult, train
from labcore.training.objectives import held_out_loss

# The ends of the knobs; every combination of them works.
LIMITS: dict[str, tuple[float, float]] = {
    "num_layers": (1, 4),
    "num_heads": (1, 8),
    "hidden_size": (16, 128),
    "learning_rate": (1e-5, 1.0),
    "steps": (10, 2000),
    "batch_size": (1, 64),
    "snapshot_every": (5, 500),
}
OBJECTIVES = {"decoder": "causal", "encoder": "masked", "encoder_decoder": "translation"}
MAX_POSITIONS = 128  # rows of learned positions; the longest story has about 90 tokens
SAMPLE_TOKENS = 48
SAMPLE_TEMPERATURE = 0.8


@lab_config
class BuildTrainConfig:
    """The defaults make a decoder of 222,000 parameters: 99,000 in its two blocks, which do the
    thinking, and 123,000 in the table of its 1,920 tokens.
    """

    kind: str = "decoder"
    num_layers: int = 2  # of each stack in an encoder-decoder
    num_heads: int = 4
    num_key_value_heads: int | None = None  # None: as many as heads
    hidden_size: int = 64
    positions: str = "rope"
    norm: str = "layernorm"
    norm_placement: str = "pre"
    activation: str = "gelu"
    learning_rate: float = 5e-3  # the highest of the schedule
    schedule: str = "cosine"
    steps: int = 200
    batch_size: int = 16  # stories per step
    corpus: str = "world-both"  # or "world-zh", "world-en", "own"
    own_text: str = ""  # for corpus "own"
    snapshot_every: int = 20  # steps between two looks at held-out text, maps and samples
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)
        if self.corpus not in CORPORA:
            raise LabInputError("corpus", self.corpus, "known_choice", allowed=CORPORA)
        if self.kind == "encoder_decoder" and self.corpus != "world-both":
            raise LabInputError("corpus", self.corpus, "needs_translations")
        if len(self.own_text) > OWN_TEXT_LIMIT:
            raise LabInputError("own_text", len(self.own_text), "at_most", limit=OWN_TEXT_LIMIT)
        if self.corpus == "own" and not self.own_text.strip():
            raise LabInputError("own_text", self.own_text, "not_empty")
        self.model(vocab_size=2), self.training()  # their own rules, told before the run starts

    def model(self, vocab_size: int) -> ModelConfig:
        """The architecture that these knobs stand for."""
        names = (
            "kind", "num_layers", "num_heads", "num_key_value_heads", "hidden_size", "positions",
            "norm", "norm_placement", "activation",
        )  # fmt: skip
        return ModelConfig(
            **{name: getattr(self, name) for name in names},
            vocab_size=vocab_size,
            max_positions=MAX_POSITIONS,
            head="mlm" if self.kind == "encoder" else "lm",
        )

    def training(self) -> TrainConfig:
        return TrainConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            warmup_steps=min(20, self.steps // 10),
            eval_every=self.snapshot_every,
            snapshot_every=self.snapshot_every,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The model after `step` updates."""

    step: int
    attention: np.ndarray  # (L, H, T, T) uint8, weight · 255; the probe looks at itself
    cross_attention: np.ndarray | None  # (L, H, T, S) uint8; a translation looks at its source
    sample: str  # what the model says


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One event. Step 0 is the untrained model, which has no training loss yet."""

    step: int
    share: float  # of the run done, 0 to 1
    loss_nats: float | None  # per target token, on the step's own batch
    validation_nats: float | None  # None between two evaluations
    floor_nats: float | None  # None for natural text
    learning_rate: float
    grad_norm: float | None  # before clipping
    snapshot: Snapshot | None
    diverged: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BuildTrainResult:
    parameters: int
    embedding_parameters: int  # of them in the table of tokens, which is also the output
    loss_nats: np.ndarray  # (N,)
    learning_rate: np.ndarray  # (N,)
    grad_norm: np.ndarray  # (N,)
    validation_steps: np.ndarray  # (M,) from 0
    validation_nats: np.ndarray  # (M,)
    floor_nats: float | None
    uniform_nats: float  # of a guess that knows nothing: ln V
    probe_tokens: list[str]  # (T,) labels of the sentence in the maps
    context_tokens: list[str]  # (S,) of its source, for an encoder-decoder
    snapshots: list[Snapshot]  # (M,)
    checkpoint: np.ndarray  # uint8: the bytes of a safetensors file, see `checkpoints.load_bytes`
    tokens_seen: int
    seconds: float
    diverged: bool  # the loss is not finite, or held-out text is worse than guessed


def run(config: BuildTrainConfig) -> BuildTrainResult:
    return drain(build_and_train(config))


def build_and_train(config: BuildTrainConfig) -> Generator[Progress, None, BuildTrainResult]:
    """Build the model, train it, and keep what it looked like on the way."""
    started = time.perf_counter()
    corpus = corpus_of(config)
    model = build(config, corpus.tokenizer.vocab_size)
    untrained = Progress(
        0, 0.0, None, held_out_loss(model, [corpus.held_out]), corpus.floor_nats, 0.0, None,
        take_snapshot(model, corpus, config.seed, 0),
    )  # fmt: skip
    yield untrained
    looks = [untrained]
    steps = train(
        model,
        corpus.batches,
        config.training(),
        evaluate=lambda model: held_out_loss(model, [corpus.held_out]),
        snapshot=lambda model, step: take_snapshot(model, corpus, config.seed, step),
    )
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return _result(config, model, corpus, looks, stop.value, time.perf_counter() - started)
        progress = Progress(
            step.step, step.share, step.loss_nats, step.validation_nats, corpus.floor_nats,
            step.learning_rate, step.grad_norm, step.snapshot, step.diverged,
        )  # fmt: skip
        if progress.snapshot is not None:
            looks.append(progress)
        yield progress


def build(config: BuildTrainConfig, vocab_size: int) -> Transformer:
    """The untrained model; the seed alone decides its weights."""
    return Transformer(config.model(vocab_size), torch.Generator().manual_seed(config.seed))


def corpus_of(config: BuildTrainConfig) -> Corpus:
    if config.corpus == "own":
        return own_corpus(config.kind, config.own_text, config.batch_size, config.seed)
    languages = LANGUAGES[config.corpus]
    return world_corpus(config.kind, languages, config.batch_size, config.seed)


@torch.no_grad()
def take_snapshot(model: Transformer, corpus: Corpus, seed: int, step: int) -> Snapshot:
    """What the model attends to on the probe, and what it says, after `step` updates."""
    model.eval()
    probe = corpus.probe
    trace = model(probe.tokens, context=probe.context, trace=True).trace
    layers = range(model.config.num_layers)
    cross = probe.context is not None
    return Snapshot(
        step,
        np.stack([quantised(trace[f"layers.{i}.attn.weights"]) for i in layers]),
        np.stack([quantised(trace[f"layers.{i}.cross.weights"]) for i in layers])
        if cross
        else None,
        speak(model, corpus, seed),
    )


def quantised(weights: torch.Tensor) -> np.ndarray:
    """Attention weights of one text as bytes: a step of 1/255 is finer than the eye.

    (1, H, T, S) in 0…1 -> (H, T, S) in 0…255
    """
    return (weights[0] * 255).round().to(torch.uint8).numpy()


def speak(model: Transformer, corpus: Corpus, seed: int) -> str:
    """What the model says now: a text of its own, the probe's gaps filled, or its translation."""
    if model.config.kind == "encoder":
        return fill_gaps(model, corpus)
    source = corpus.probe.context
    sampling = SamplingConfig(
        temperature=SAMPLE_TEMPERATURE if source is None else 0.0,
        max_new_tokens=SAMPLE_TOKENS,
        seed=seed,
    )
    context = None if source is None else source[0].tolist()
    written = generate(model, corpus.opening, sampling, {corpus.tokenizer.eos_id}, context)
    return corpus.tokenizer.decode(step.token for step in written)


def fill_gaps(model: Transformer, corpus: Corpus) -> str:
    """The probe with the model's first guess in each gap, in brackets."""
    tokens = corpus.probe.tokens
    guesses = model(tokens).logits[0].argmax(dim=-1).tolist()
    tokenizer, said = corpus.tokenizer, []
    for token, guess in zip(tokens[0].tolist(), guesses, strict=True):
        gap = token == tokenizer.mask_id
        said.append(f"[{tokenizer.label(guess)}]" if gap else tokenizer.decode([token]))
    return "".join(said)


def _result(
    config: BuildTrainConfig,
    model: Transformer,
    corpus: Corpus,
    looks: list[Progress],
    trained: TrainResult,
    seconds: float,
) -> BuildTrainResult:
    validation = np.array([look.validation_nats for look in looks])
    uniform_nats = math.log(corpus.tokenizer.vocab_size)
    probe, label = corpus.probe, corpus.tokenizer.label
    context = [] if probe.context is None else probe.context[0].tolist()
    card = _card(config, model, corpus, looks[-1], trained, seconds)
    data = checkpoints.save_bytes(model, corpus.tokenizer, card)
    return BuildTrainResult(
        parameters=card.parameters,
        embedding_parameters=model.token_embedding.weight.numel(),
        loss_nats=trained.loss_nats,
        learning_rate=trained.learning_rate,
        grad_norm=trained.grad_norm,
        validation_steps=np.array([look.step for look in looks]),
        validation_nats=validation,
        floor_nats=corpus.floor_nats,
        uniform_nats=uniform_nats,
        probe_tokens=[label(token) for token in probe.tokens[0].tolist()],
        context_tokens=[label(token) for token in context],
        snapshots=[look.snapshot for look in looks],
        checkpoint=np.frombuffer(data, dtype=np.uint8),
        tokens_seen=trained.tokens_seen,
        seconds=seconds,
        diverged=trained.diverged or not validation[-1] <= uniform_nats,
    )


def _card(
    config: BuildTrainConfig,
    model: Transformer,
    corpus: Corpus,
    last: Progress,
    trained: TrainResult,
    seconds: float,
) -> Card:
    """What a downloaded model says of itself."""
    language = "zh" if config.corpus == "world-zh" else "en"
    return Card(
        name=f"own-{config.kind}",
        objective=OBJECTIVES[config.kind],
        config=model.config,
        parameters=sum(weight.numel() for weight in model.parameters()),
        corpus=config.corpus,
        data_sha256=hashlib.sha256(config.own_text.encode(errors="replace")).hexdigest(),
        seed=config.seed,
        command="labcore.architecture.build_train",
        steps=last.step,
        tokens_seen=trained.tokens_seen,
        train_nats=float(trained.loss_nats[-1]),
        held_out_nats=float(last.validation_nats),
        floor_nats=corpus.floor_nats,
        samples=(Sample("", last.snapshot.sample, language),),
        torch_version=torch.__version__,
        date=datetime.now(timezone.utc).date().isoformat(),
        seconds=seconds,
    )
