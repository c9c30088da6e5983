"""The smallest model under a loss: a learner's file is measured on stories that it cannot have read.

Each class has held-out stories of its own, drawn from its seed, so nobody can train on the exam. The
number of parameters is counted on the weights, and a model that looks at what it should predict is turned
away: its answers would change with the words that follow.

Axes: B stories, T tokens.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch

from labcore.architecture.build_train_corpus import draw_story, floor, world
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.training import checkpoints
from labcore.training.objectives import Batch, causal_batch, held_out_loss

LIMIT_NATS = 1.5  # per token; the default model of "Build and train your own" ends at 1.09
EXAM_STORIES = 64
LANGUAGES = ("en", "zh")
# What a file may ask this machine for; far above anything that could win.
MOST_PARAMETERS, MOST_LAYERS = 2_000_000, 12


@dataclass(frozen=True, slots=True)
class Verdict:
    parameters: int  # counted, tied weights once
    nats: float  # per token, on the stories of this class
    floor_nats: float  # the lowest possible on them

    @property
    def passes(self) -> bool:
        return self.nats < LIMIT_NATS


def judge(data: bytes, seed: int) -> Verdict:
    """Measure a model saved by "Build and train your own" on the stories of the class with this `seed`.

    Whatever cannot be judged is a LabInputError.
    """
    kept = checkpoints.load_bytes(data)
    model = kept.model.requires_grad_(False).eval()
    parameters = sum(weight.numel() for weight in model.parameters())
    if model.config.kind != "decoder":
        raise LabInputError("upload", model.config.kind, "decoder_only")
    if parameters > MOST_PARAMETERS or model.config.num_layers > MOST_LAYERS:
        raise LabInputError("upload", parameters, "too_large")
    ours = world().tokenizer
    if (kept.tokenizer.merges, kept.tokenizer.special_tokens) != (ours.merges, ours.special_tokens):
        raise LabInputError("upload", "tokenizer", "tokenizer_of_the_world")
    batch, lowest = exam(seed)
    if looks_ahead(model, batch.tokens[:4]):
        raise LabInputError("upload", "causal", "reads_forward")
    nats = held_out_loss(model, [batch])
    if not math.isfinite(nats):
        raise LabInputError("upload", nats, "finite")
    return Verdict(parameters, nats, lowest)


@lru_cache(maxsize=64)
def exam(seed: int) -> tuple[Batch, float]:
    """The stories of a class, and the lowest loss that any model could have on them."""
    rng = torch.Generator().manual_seed(seed)
    rows = [draw_story(LANGUAGES, "stories", "held_out", rng) for _ in range(EXAM_STORIES)]
    batch = causal_batch(rows, world().tokenizer.pad_id)
    return batch, floor("decoder", LANGUAGES, rows, batch)


@torch.no_grad()
def looks_ahead(model: Transformer, tokens: torch.Tensor) -> bool:
    """Whether what the model says at some place changes with the tokens after it.  (B, T)

    Every other place is asked: all that follows is replaced, and the logits up to there must stay.
    """
    told = model(tokens).logits
    for place in range(1, tokens.shape[1], 2):
        other = tokens.clone()
        other[:, place:] = (other[:, place:] + 1) % model.config.vocab_size
        if not torch.allclose(model(other).logits[:, :place], told[:, :place], atol=1e-4):
            return True
    return False
