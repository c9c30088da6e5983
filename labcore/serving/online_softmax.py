"""Online softmax on one real row: a head's scores for one query, taken in a few keys at a time.

The textbook's softmax takes e to the power of the scores as they come, and overflows. The safe one takes
the largest score off first, so it needs the whole row before it can begin. The online one begins at once:
it takes off the largest so far and mends what it has summed when a larger one comes.

Source: Milakov & Gimelshein, arXiv:1805.02867.
Axes: S keys, d head width, N tiles of keys.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.prompt import read_for
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.serving.tiled_attention import Running, nothing_seen, take_in, tiles
from labcore.zoo import load

MODEL = "world-decoder"
FORMATS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
MOST_SCORES = 64
MOST_SCORE = 10_000  # 16 bits end at 65,504
LIMITS = {"layer": (0, 99), "head": (0, 99), "key_tile": (1, MOST_SCORES), "offset": (-200, 200)}


@lab_config
class OnlineConfig:
    text: str = (
        "One morning, Emma walked to the forest with a yellow hat. "
        "She played with Gang there and forgot the hat."
    )
    layer: int = 1
    head: int = 1
    query: int = -1  # the token that asks; -1 is the last one
    own: tuple[float, ...] = ()  # a row of one's own instead of a head's
    key_tile: int = 4
    offset: float = 0.0  # added to every score: a softmax should not notice
    format: str = "fp32"

    def __post_init__(self):
        check_limits(self, LIMITS)
        if self.format not in FORMATS:
            raise LabInputError("format", self.format, "known_choice")
        if len(self.own) > MOST_SCORES:
            raise LabInputError("own", len(self.own), "at_most", limit=MOST_SCORES)
        for score in self.own:
            if not abs(score) <= MOST_SCORE:
                raise LabInputError("own", score, "between", low=-MOST_SCORE, high=MOST_SCORE)


@dataclass(frozen=True, slots=True, eq=False)
class OnlineResult:
    tokens: tuple[str, ...]  # of the whole text; nameless in a row of one's own
    keys: tuple[str, ...]  # (S,) what is looked at
    query: str  # who looks; "" for a row of one's own
    layers: int
    heads: int
    scores: np.ndarray  # (S,) offset included, in the format chosen
    weights: np.ndarray  # (S,) the softmax in 64 bits
    seen: np.ndarray  # (N,) keys taken in after each tile
    largest: np.ndarray  # (N,) running maximum
    shrink: np.ndarray  # (N,) what the sum so far was multiplied by
    total: np.ndarray  # (N,) running sum
    distance: np.ndarray  # (N,) ‖output so far − final output‖ / ‖final output‖
    errors: dict[
        str, float
    ]  # largest difference to the output in 64 bits; NaN where it is no number
    sums: dict[str, float]  # what each divides by


def naive_softmax(scores: Tensor) -> Tensor:
    """As the formula is written.  (S,) -> (S,)

    e^89 is beyond the largest number of 32 bits, e^12 beyond that of 16: ∞ / ∞ is not a number. Scores
    far below zero all become 0, and 0 / 0 is none either.
    """
    powers = scores.exp()
    return powers / powers.sum()


def safe_softmax(scores: Tensor) -> Tensor:
    """The largest score taken off first: the largest power is 1.  (S,) -> (S,)"""
    powers = (scores - scores.max()).exp()
    return powers / powers.sum()


def online(
    scores: Tensor, values: Tensor, key_tile: int
) -> Generator[tuple[int, Running], None, Running]:
    """The row tile by tile.  scores (S,), values (S, d); after each tile: keys seen, what is carried"""
    running = nothing_seen(scores.new_zeros(1, 1), values.shape[-1])
    for columns in tiles(len(scores), key_tile):
        running = take_in(running, scores[None, columns], values[columns])
        yield columns.stop, running
    return running


def run(config: OnlineConfig) -> OnlineResult:
    """Three softmaxes over one row; the online one with all that it carries."""
    tokens, at, size, exact, values = own_row(config) if config.own else row_of_a_head(config)
    dtype = FORMATS[config.format]
    scores = (exact + config.offset).to(dtype)
    weights = safe_softmax(exact.double() + config.offset)
    final = weights @ values.double()  # (d,)
    seen, states = zip(*online(scores, values.to(dtype), config.key_tile), strict=True)
    outputs = torch.stack([state.output[0].double() for state in states])  # (N, d)
    largest = np.array([state.largest.item() for state in states])
    mixed = {
        "naive": naive_softmax(scores) @ values.to(dtype),
        "safe": safe_softmax(scores) @ values.to(dtype),
        "online": states[-1].output[0],
    }
    return OnlineResult(
        tokens=tokens, keys=tokens[: at + 1], query="" if config.own else tokens[at],
        layers=size[0], heads=size[1],
        scores=scores.double().numpy(), weights=weights.numpy(),
        seen=np.array(seen), largest=largest,
        shrink=np.exp(np.append(-np.inf, largest[:-1]) - largest),
        total=np.array([state.total.item() for state in states]),
        distance=((outputs - final).norm(dim=-1) / final.norm()).numpy(),
        errors={name: (mixed[name].double() - final).abs().max().item() for name in mixed},
        sums={
            "naive": scores.exp().sum().item(),
            "safe": (scores - scores.max()).exp().sum().item(),
            "online": states[-1].total.item(),
        },
    )  # fmt: skip


def own_row(config: OnlineConfig) -> tuple:
    """The learner's scores. Their values are the rows of 1 (S, S), so the output is the weights."""
    count = len(config.own)
    return ("",) * count, count - 1, (1, 1), torch.tensor(config.own), torch.eye(count)


@torch.no_grad()
def row_of_a_head(config: OnlineConfig) -> tuple:
    """One query's scores (S,) at the keys that it may see, and their values (S, d), in a real head.

    With them the tokens, the query's place among them, and how many layers and heads there are.
    """
    loaded = load(MODEL)
    prompt, _ = read_for(loaded, config.text)
    shape = loaded.model.config
    for name, count in (("layer", shape.num_layers), ("head", shape.num_heads)):
        if getattr(config, name) >= count:
            raise LabInputError(name, getattr(config, name), "between", low=0, high=count - 1)
    trace = loaded.model(torch.tensor([prompt.ids]), trace=True).trace
    place = f"layers.{config.layer}.attn"
    at = config.query if -1 < config.query < len(prompt.ids) else len(prompt.ids) - 1
    shared = shape.num_heads // shape.key_value_heads
    scores = trace[f"{place}.scores"][0, config.head, at, : at + 1]
    values = trace[f"{place}.v"][0, config.head // shared, : at + 1]
    size = shape.num_layers, shape.num_heads
    return prompt.labels, at, size, scores, values


def read_scores(text: str) -> tuple[float, ...]:
    """A row typed by the learner: numbers with commas, semicolons or spaces between them."""
    parts = text.replace(",", " ").replace("，", " ").replace(";", " ").replace("、", " ").split()
    if not parts:
        raise LabInputError("own", text, "not_empty")
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise LabInputError("own", text[:60], "numbers_in_a_row") from None
