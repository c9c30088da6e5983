"""Reading the residual stream: what would the model say if it stopped here, and who said it?

The logit lens (nostalgebraist 2020; cf. arXiv:2303.08112) sends the stream after each block straight
to the vocabulary. Direct logit attribution (arXiv:2211.00593) takes the last step apart: the stream is
a sum, so a token's logit is one as well, once the final norm's divisor is held at its true value.

Axes: R stages (the embedding, then each block), P positions, N candidates, D width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.dataflow import Walk
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.text.tokenizer import Tokenizer

LENS_CANDIDATES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """What each stage would say at each position; the last stage is the model itself."""

    stages: tuple[str, ...]  # (R,) trace names of the streams read
    positions: tuple[int, ...]  # (P,)
    ids: np.ndarray  # (R, P, N) likeliest tokens, best first
    labels: tuple[tuple[tuple[str, ...], ...], ...]  # (R, P, N)
    probabilities: np.ndarray  # (R, P, N)
    answers: tuple[int, ...]  # (P,) the model's own first choice
    answer_labels: tuple[str, ...]  # (P,)
    answer_probability: np.ndarray  # (R, P) of that choice, at each stage
    answer_rank: np.ndarray  # (R, P) 1 where the stage already says it
    divergence_nats: np.ndarray  # (R, P) KL(model || stage), 0 at the last stage


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """A logit as a sum over what was added to the stream."""

    position: int
    token: int
    against: int | None  # the token whose logit is subtracted, if any
    parts: tuple[str, ...]  # (C,) "embed", "layers.0.attn", "layers.0.mlp", …, "bias"
    contributions: np.ndarray  # (C,) add up to `total`
    heads: np.ndarray  # (L, H) attention's contributions by head, without attention's output bias
    total: float  # the logit, or the difference of two


def stream_names(walk: Walk) -> tuple[str, ...]:
    """The stream entering the first block, then leaving each."""
    layers = range(walk.config.num_layers)
    return ("layers.0.resid_pre", *(f"layers.{i}.resid_post" for i in layers))


def unembed(model: Transformer, stream: Tensor) -> Tensor:
    """Final norm and vocabulary head, applied to any stage of the stream.  (…, D) -> (…, V)"""
    norm = model.stack.final_norm
    hidden = stream if norm is None else norm(stream)
    return model.head(hidden, model.token_embedding.weight)


def logit_lens(
    model: Transformer,
    tokenizer: Tokenizer,
    walk: Walk,
    positions: Sequence[int] | None = None,
) -> Lens:
    """Every stage's guess at the given positions (None: where the lesson looks).

    Raises LabInputError("model", …, "needs_vocabulary_head") where the model cannot name tokens.
    """
    require_head(model, walk)
    positions = [walk.position] if positions is None else list(positions)
    final = torch.from_numpy(walk.arrays["logits"][positions]).log_softmax(-1)  # (P, V)
    answers = final.argmax(-1)
    stages = stream_names(walk)
    rows = [
        lens_row(model, torch.from_numpy(walk.arrays[name][positions]), final, answers)
        for name in stages
    ]
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    ids, probabilities, answer, rank, divergence = columns
    return Lens(
        stages=stages,
        positions=tuple(positions),
        ids=ids,
        labels=tuple(
            tuple(tuple(tokenizer.label(token) for token in cell) for cell in row)
            for row in ids.tolist()
        ),
        probabilities=probabilities,
        answers=tuple(answers.tolist()),
        answer_labels=tuple(tokenizer.label(token) for token in answers.tolist()),
        answer_probability=answer,
        answer_rank=rank,
        divergence_nats=divergence,
    )


def lens_row(
    model: Transformer, stream: Tensor, final: Tensor, answers: Tensor
) -> tuple[np.ndarray, ...]:
    """One stage: candidates and their probability, the answer's probability and rank, divergence.

    (P, D), (P, V) log-probabilities of the model itself, (P,) -> (P, N), (P, N), (P,), (P,), (P,)
    """
    with torch.no_grad():
        guess = unembed(model, stream).log_softmax(-1)  # (P, V)
    best = guess.topk(min(LENS_CANDIDATES, guess.shape[-1]))
    own = guess.gather(-1, answers[:, None])  # (P, 1)
    rank = (guess > own).sum(-1) + 1
    divergence = (final.exp() * (final - guess)).sum(-1).clamp(min=0)
    found = best.indices, best.values.exp(), own[:, 0].exp(), rank, divergence
    return tuple(tensor.numpy() for tensor in found)


def settled_at(lens: Lens) -> np.ndarray:
    """The stage from which on each position's answer stands first, to the end.  -> (P,) from 0 to R - 1"""
    lost = lens.answer_rank > 1  # (R, P)
    after = len(lost) - np.argmax(
        lost[::-1], axis=0
    )  # one behind the last stage that says otherwise
    return np.where(lost.any(axis=0), after, 0)


def attribute(
    model: Transformer,
    walk: Walk,
    token: int,
    position: int | None = None,
    against: int | None = None,
) -> Attribution:
    """How much each block added to `token`'s logit, or to its lead over `against`.

    Exact for pre-norm models: the norm's divisor depends on the whole stream, so it is held at its
    value here; what a block would do to it is the one effect not shown. A post-norm model rescales
    the stream after every block, and a masked model's head is not linear: neither comes apart.

    Raises LabInputError("model", …, "needs_pre_norm") for those.
    """
    require_head(model, walk)
    if model.stack.final_norm is None or model.head.dense is not None:
        raise LabInputError("model", walk.model, "needs_pre_norm")
    position = walk.position if position is None else position
    direction, constant = logit_direction(model, token, against)
    reader = norm_reader(model, torch.from_numpy(walk.arrays[stream_names(walk)[-1]][position]))
    parts = block_outputs(walk)
    added = torch.stack([torch.from_numpy(walk.arrays[name][position]) for name in parts.values()])
    contributions = [*(reader(added) @ direction).tolist(), constant]
    return Attribution(
        position=position,
        token=token,
        against=against,
        parts=(*parts, "bias"),
        contributions=np.array(contributions),
        heads=(reader(head_outputs(model, walk, position)) @ direction).numpy(),
        total=float(sum(contributions)),
    )


def block_outputs(walk: Walk) -> dict[str, str]:
    """Who adds to the stream: {part: trace name of what it adds}."""
    parts = {"embed": "layers.0.resid_pre"}
    for i in range(walk.config.num_layers):
        for part in ("attn", "cross", "mlp"):
            if f"layers.{i}.{part}.out" in walk.arrays:
                parts[f"layers.{i}.{part}"] = f"layers.{i}.{part}.out"
    return parts


def logit_direction(model: Transformer, token: int, against: int | None) -> tuple[Tensor, float]:
    """The row of the vocabulary that reads a token's logit, and what is added whatever the text.

    -> (D,), scalar
    """
    head, norm = model.head, model.stack.final_norm
    rows = (model.token_embedding if head.output is None else head.output).weight.detach()
    bias = torch.zeros(len(rows)) if head.bias is None else head.bias.detach()
    row, constant = rows[token], bias[token]
    if against is not None:
        row, constant = row - rows[against], constant - bias[against]
    direction = row * head.scale
    if norm.bias is not None:
        constant = constant + norm.bias.detach() @ direction
    return direction, float(constant)


def norm_reader(model: Transformer, stream: Tensor):
    """The final norm as the linear map that it is for this stream: same divisor for every part.

    (D,) -> function (…, D) -> (…, D); the shift is left to `logit_direction`.
    """
    norm = model.stack.final_norm
    centred = norm.kind == "layernorm"
    spread = stream - stream.mean() if centred else stream
    divisor = (spread.pow(2).mean() + norm.eps).sqrt()

    def read(parts: Tensor) -> Tensor:
        parts = parts - parts.mean(-1, keepdim=True) if centred else parts
        return parts / divisor * norm.weight.detach()

    return read


def head_outputs(model: Transformer, walk: Walk, position: int) -> Tensor:
    """What each self-attention head adds to the stream at one position.  -> (L, H, D)"""
    outputs = []
    for i, block in enumerate(model.stack.layers):
        heads = torch.from_numpy(walk.arrays[f"layers.{i}.attn.heads"][:, position])  # (H, d)
        weight = block.attn.out.weight.detach()  # (D, H·d)
        by_head = weight.unflatten(1, heads.shape)  # (D, H, d)
        outputs.append(torch.einsum("dhk,hk->hd", by_head, heads))
    return torch.stack(outputs)


def require_head(model: Transformer, walk: Walk) -> None:
    if model.head is None:
        raise LabInputError("model", walk.model, "needs_vocabulary_head")
