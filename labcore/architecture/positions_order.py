"""The same words in another order: who notices?

Without positions, attention sees a set. An encoder then gives every word the same vector wherever it
stands: reorder the input and the outputs are reordered with it, no more. A causal decoder differs, since
each word sees only those before it: its mask is a kind of position.

Axes: T positions, N texts, D width, L layers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world
from labcore.architecture.positions_length import ENCODINGS
from labcore.architecture.prompt import read_text
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer

ORDERS = ("swap", "reverse", "shuffle")
KINDS = ("encoder", "decoder")
NOTICED = 1e-4  # outputs are about 1 in size and rounding about 1e-6: this is no rounding
MOST_LAYERS = 4
PROBE_TEXTS, PROBE_TOKENS = 128, 48
RIDGE = 1e-3


@lab_config
class OrderConfig:
    text: str = "The dog bites the man and the cat sees it all."
    order: str = "swap"  # two neighbours in the middle; or "reverse", "shuffle"
    encoding: str = "rope"  # beside "none", for comparison
    layers: int = 2
    seed: int = 0  # of the shuffle and of the untrained weights

    def __post_init__(self):
        if self.order not in ORDERS:
            raise LabInputError("order", self.order, "known_choice", allowed=ORDERS)
        if self.encoding not in ENCODINGS:
            raise LabInputError("encoding", self.encoding, "known_choice", allowed=ENCODINGS)
        if not 1 <= self.layers <= MOST_LAYERS:
            raise LabInputError("layers", self.layers, "between", low=1, high=MOST_LAYERS)


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """How one model's output for each token changed when the order did."""

    kind: str  # "encoder" or "decoder"
    encoding: str
    change: np.ndarray  # (T,) largest |difference| of a token's vector, by its new place
    first_noticed: int | None  # the first new place whose vector changed by more than rounding


@dataclass(frozen=True, slots=True, eq=False)
class OrderResult:
    before: list[str]  # (T,) labels
    after: list[str]  # (T,)
    moved: np.ndarray  # (T,) bool: another token stands at this place now
    dropped_tokens: int
    readers: list[Reader]


def run(config: OrderConfig) -> OrderResult:
    """Read both orders with an encoder and a decoder, without positions and with them."""
    prompt = read_text(config.text, world().tokenizer)
    if len(prompt.ids) < 2:
        raise LabInputError("text", config.text, "two_tokens")
    order = reordered(len(prompt.ids), config.order, config.seed)
    encodings = dict.fromkeys(("none", config.encoding))
    readers = [
        reader(kind, encoding, torch.tensor([prompt.ids]), order, config)
        for kind in KINDS
        for encoding in encodings
    ]
    return OrderResult(
        before=list(prompt.labels),
        after=[prompt.labels[place] for place in order],
        moved=np.array([prompt.ids[old] != prompt.ids[new] for new, old in enumerate(order)]),
        dropped_tokens=prompt.dropped_tokens,
        readers=readers,
    )


def reordered(count: int, order: str, seed: int) -> list[int]:
    """Which token comes to stand at each place.  -> (T,) a permutation"""
    places = list(range(count))
    if order == "reverse":
        return places[::-1]
    if order == "shuffle":
        return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    middle = (count - 1) // 2
    places[middle], places[middle + 1] = middle + 1, middle
    return places


def reader(
    kind: str, encoding: str, tokens: Tensor, order: list[int], config: OrderConfig
) -> Reader:
    model = untrained(kind, encoding, config.layers, config.seed)
    change = equivariance_error(model, tokens, order)
    noticed = np.flatnonzero(change > NOTICED)
    return Reader(kind, encoding, change, int(noticed[0]) if len(noticed) else None)


def untrained(kind: str, encoding: str, layers: int, seed: int) -> Transformer:
    """Drawn weights will do: what a model cannot see it cannot see with any weights."""
    config = ModelConfig(
        kind=kind, vocab_size=world().tokenizer.vocab_size, num_layers=layers, positions=encoding,
        max_positions=64, head="none",
    )  # fmt: skip
    return Transformer(config, torch.Generator().manual_seed(seed)).eval()


@torch.no_grad()
def equivariance_error(model: Transformer, tokens: Tensor, order: list[int]) -> np.ndarray:
    """Reorder the outputs, or reorder the inputs: does it make a difference?  (1, T) -> (T,)"""
    outputs_reordered = model(tokens).hidden[0, order]  # (T, D)
    inputs_reordered = model(tokens[:, order]).hidden[0]
    return (inputs_reordered - outputs_reordered).abs().amax(dim=-1).numpy()


# Where do I stand? A linear probe asks the vectors inside.


@lab_config
class PlaceConfig:
    layers: int = 2
    seed: int = 0

    def __post_init__(self):
        if not 1 <= self.layers <= MOST_LAYERS:
            raise LabInputError("layers", self.layers, "between", low=1, high=MOST_LAYERS)


@dataclass(frozen=True, slots=True, eq=False)
class PlaceResult:
    errors: dict[str, np.ndarray]  # {kind: (L + 1,)} places, before and after each layer
    chance: float  # of a guess that is always the middle


def ask_places(config: PlaceConfig) -> PlaceResult:
    """How well a linear probe reads a token's place from its vector, in models without positions."""
    texts, errors = random_texts(config.seed), {}
    for kind in KINDS:
        model = untrained(kind, "none", config.layers, config.seed)
        with torch.no_grad():
            trace = model(texts, trace=True).trace
        names = ["layers.0.resid_pre", *(f"layers.{i}.resid_post" for i in range(config.layers))]
        errors[kind] = np.array([place_error(trace[name][:, 1:]) for name in names])
    places = np.arange(PROBE_TOKENS - 1)
    return PlaceResult(errors, float(np.abs(places - places.mean()).mean()))


def random_texts(seed: int) -> Tensor:
    """<|bos|>, then random tokens: which word it is says nothing about where it stands.  (N, T)"""
    rng, tokenizer = torch.Generator().manual_seed(seed), world().tokenizer
    texts = torch.randint(tokenizer.bos_id, (PROBE_TEXTS, PROBE_TOKENS), generator=rng)
    texts[:, 0] = tokenizer.bos_id
    return texts


def place_error(hidden: Tensor) -> float:
    """Mean distance between a token's place and what a linear map of its vector says.  (N, T, D)

    Ridge regression on the first half of the texts, judged on the second.
    """
    texts, length, width = hidden.shape
    x = torch.cat([hidden, torch.ones(texts, length, 1)], dim=-1).double()
    place = torch.arange(length).double().repeat(texts // 2)
    known, asked = x[: texts // 2].flatten(0, 1), x[texts // 2 : texts // 2 * 2].flatten(0, 1)
    gram = known.T @ known
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(width + 1, dtype=torch.double)
    weights = torch.linalg.solve(gram + ridge, known.T @ place)
    return float((asked @ weights - place).abs().mean())
