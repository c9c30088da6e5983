"""The ward of the model itself: a trained decoder that answers, its attention, its norms, its padding.

The patient is a copy of the bundled `world-decoder`, which was trained in health. A bug in it is therefore
one that somebody meets when they write the forward pass again, or load weights into it.

Axes: B batch, T tokens, H heads, d head width, D width.
"""

import copy
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.bugs.by_loops import decoder_logits
from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal, floored, followed
from labcore.compression.judged import loss_nats
from labcore.model.attention import Attention, masked_softmax
from labcore.model.blocks import Dropout
from labcore.model.norms import Norm, layer_norm
from labcore.model.transformer import Output, Transformer
from labcore.text.world import micro_world
from labcore.training.objectives import Batch, causal_batch
from labcore.zoo import load

MODEL = "world-decoder"
STORIES = 48  # that the floor is measured on
DROPOUT = 0.1  # as if the model had been trained with it

# The parts, and what people wrote in their place.


def head_scale(head_width: int, width: int) -> float:
    """The factor on q·k: the dot product has as many terms as a head has channels."""
    return head_width**-0.5


def model_scale(head_width: int, width: int) -> float:
    return width**-0.5


def rows_as_stored(weight: Tensor, head_width: int) -> Tensor:
    """W_q and W_k as the file has them: channels i and i + d/2 of a head turn together."""
    return weight


def rows_interleaved(weight: Tensor, head_width: int) -> Tensor:
    """In the order of the other layout, in which channels 2i and 2i + 1 turn together."""
    heads = weight.unflatten(0, (-1, 2, head_width // 2))  # (H, 2, d/2, D)
    return heads.transpose(1, 2).flatten(0, 2)


def softmax_over_queries(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-2).nan_to_num()


def norm_by_sample_deviation(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    x = x - x.mean(dim=-1, keepdim=True)
    return x / (x.std(dim=-1, keepdim=True) + eps) * weight + bias


def padding_told(padding_mask: Tensor) -> Tensor | None:
    """What the model is told of the padding."""
    return padding_mask


def padding_not_told(padding_mask: Tensor) -> Tensor | None:
    return None


def set_to_answer(model: nn.Module) -> nn.Module:
    """Before anybody asks: no dropout."""
    return model.eval()


def left_in_training(model: nn.Module) -> nn.Module:
    return model.train()


PARTS: Parts = {
    "scale": head_scale,
    "rows": rows_as_stored,
    "softmax": masked_softmax,
    "norm": layer_norm,
    "padding": padding_told,
    "mode": set_to_answer,
}

# The patient.


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    model: Transformer
    parts: Parts

    def __call__(self, tokens: Tensor, padding_mask: Tensor | None = None, **more: Any) -> Output:
        mask = None if padding_mask is None else self.parts["padding"](padding_mask)
        changes = {}
        for layer in range(self.model.config.num_layers):
            changes |= softmax_change(f"layers.{layer}.attn", self.parts["softmax"])
        return self.model(tokens, padding_mask=mask, interventions=changes, **more)


def softmax_change(name: str, softmax: Any) -> dict[str, Any]:
    """The interventions that let `softmax` make a layer's weights out of its scores and mask."""
    seen: dict[str, Tensor] = {}

    def keep(what: str, tensor: Tensor) -> Tensor:
        seen[what] = tensor
        return tensor

    return {
        f"{name}.scores": partial(keep, "scores"),
        f"{name}.mask": partial(keep, "mask"),
        f"{name}.weights": lambda _: softmax(seen["scores"], seen["mask"]),
    }


def patient(parts: Parts) -> Patient:
    model = copy.deepcopy(load(MODEL).model).requires_grad_(False)
    for module in model.modules():
        if isinstance(module, Attention):
            module.scale = parts["scale"](module.size, model.config.hidden_size)
            for linear in (module.q, module.k):
                linear.weight = nn.Parameter(parts["rows"](linear.weight, module.size), False)
        elif isinstance(module, Norm):
            module.forward = partial(normalise, parts["norm"], module)
        elif isinstance(module, Dropout):
            module.rate = DROPOUT
    return Patient(parts["mode"](model), parts)


def normalise(norm: Any, module: Norm, x: Tensor) -> Tensor:
    return norm(x, module.weight, module.bias, module.eps)


# The tests.


@cache
def stories() -> tuple[tuple[Batch, ...], float]:
    """Held-out stories and what they leave to chance, exactly, in nats per token."""
    world = micro_world()
    told = world.dataset(STORIES, seed=2, split="held_out")
    return (causal_batch(told, world.tokenizer.pad_id),), world.causal_floor(told).nats_per_token


def story(seed: int) -> list[int]:
    return micro_world().dataset(1, seed=900 + seed, split="held_out")[0]


@cache
def healthy_weights() -> dict[str, np.ndarray]:
    model = load(MODEL).model
    return {name: weight.double().numpy() for name, weight in model.state_dict().items()}


@torch.no_grad()
def gaps(parts: Parts, seed: int) -> np.ndarray:
    """The largest difference of a logit at each place of a story, against the loops.  -> (T,)"""
    tokens = story(seed)
    said = patient(parts)(torch.tensor([tokens])).logits[0].double().numpy()
    return np.abs(said - decoder_logits(healthy_weights(), load(MODEL).model.config, tokens)).max(1)


def against_loops(parts: Parts, seed: int) -> Reading:
    return equal(gaps(parts, seed).max(), 1e-3)


def place_by_place(parts: Parts, seed: int) -> Reading:
    gap = gaps(parts, seed)
    return followed(np.arange(len(gap)), gap, np.zeros(len(gap)), 1e-3)


@torch.no_grad()
def traced(parts: Parts, seed: int) -> dict[str, Tensor]:
    return patient(parts)(torch.tensor([story(seed)]), trace=True).trace


def against_the_kernel(parts: Parts, seed: int) -> Reading:
    """Every layer's heads against torch's attention on the same queries, keys and values."""
    trace = traced(parts, seed)
    layers = range(load(MODEL).model.config.num_layers)
    differences = []
    for layer in layers:
        q, k, v, heads = (trace[f"layers.{layer}.attn.{name}"] for name in ("q", "k", "v", "heads"))
        right = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        differences.append(float((heads - right).abs().max()))
    return equal(max(differences), 1e-4)


def rows_sum_to_one(parts: Parts, seed: int) -> Reading:
    """How far the weights of any query are from summing to 1."""
    trace = traced(parts, seed)
    sums = [w.sum(dim=-1) for name, w in trace.items() if name.endswith("attn.weights")]
    return equal(max(float((row - 1).abs().max()) for row in sums), 1e-5)


def against_torch_norm(parts: Parts, seed: int) -> Reading:
    """What attention reads in each layer against torch's LayerNorm of the same stream."""
    trace, differences = traced(parts, seed), []
    for layer, block in enumerate(load(MODEL).model.stack.layers):
        norm = block.attn_norm
        stream = trace[f"layers.{layer}.resid_pre"]
        right = F.layer_norm(stream, stream.shape[-1:], norm.weight, norm.bias, norm.eps)
        differences.append(float((trace[f"layers.{layer}.attn.norm"] - right).abs().max()))
    return equal(max(differences), 1e-4)


@torch.no_grad()
def alone_and_in_company(parts: Parts, seed: int) -> Reading:
    """The last logits of a story alone, and in a batch where it is padded on the left."""
    model, tokens = patient(parts), torch.tensor([story(seed)])
    width = tokens.shape[1] + 12
    padded = torch.full((1, width), load(MODEL).tokenizer.pad_id)
    padded[:, 12:] = tokens
    real = torch.arange(width)[None] >= 12
    alone = model(tokens, torch.ones_like(tokens, dtype=torch.bool)).logits[:, -1]
    return equal(float((alone - model(padded, real).logits[:, -1]).abs().max()), 1e-3)


@torch.no_grad()
def asked_twice(parts: Parts, seed: int) -> Reading:
    model, tokens = patient(parts), torch.tensor([story(seed)])
    return equal(float((model(tokens).logits - model(tokens).logits).abs().max()), 1e-6)


def against_the_floor(parts: Parts, seed: int) -> Reading:
    """Held-out loss against what the stories leave to chance; in health 5 % above it."""
    batches, floor = stories()
    return floored(loss_nats(patient(parts), batches), floor, slack=0.1 * floor)


WARD = Ward(
    "inside", "transformer", PARTS,
    (
        Test("loops", "equality", against_loops),
        Test("kernel", "equality", against_the_kernel),
        Test("rows", "equality", rows_sum_to_one),
        Test("norm", "equality", against_torch_norm),
        Test("company", "equality", alone_and_in_company),
        Test("twice", "equality", asked_twice),
        Test("story_floor", "floor", against_the_floor),
        Test("places", "curve", place_by_place),
    ),
    (
        Bug("sqrt_d_model", "scale", model_scale,
            ("lucidrains/vit-pytorch#65", "karpathy/ng-video-lecture#6"), "by_hand", "kernel"),
        Bug("rope_layout", "rows", rows_interleaved,
            ("huggingface/transformers#47403", "huggingface/transformers#25199"), "positions",
            "places"),
        Bug("softmax_axis", "softmax", softmax_over_queries,
            ("PetrochukM/PyTorch-NLP#2", "labmlai/annotated_deep_learning_paper_implementations#146"),
            "attention", "rows"),
        Bug("layer_norm", "norm", norm_by_sample_deviation,
            ("harvardnlp/annotated-transformer#119", "hyunwoongko/transformer#7"), "depth", "norm"),
        Bug("padding_seen", "padding", padding_not_told,
            ("Blaizzy/mlx-vlm#1946",), "families", "company"),
        Bug("dropout_left_on", "mode", left_in_training,
            ("karpathy/nanoGPT#240",), "training", "twice"),
    ),
)  # fmt: skip
