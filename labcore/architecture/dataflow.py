"""A learner's sentence on its way through a real model: every step a matrix with its true numbers.

`run` reads the sentence once, with a trace; what the page opens, turns or slides after that only cuts
views out of the `Walk`, so a knob answers without the model running again.

Axes: T tokens, S keys, D hidden_size, H heads, V vocabulary, L layers. The batch axis is gone.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.prompt import Prompt, read_for
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.generation import next_token_probs, sample
from labcore.text.tokenizer import Tokenizer
from labcore.zoo import load
from labcore.zoo.cards import LoadedModel

CANDIDATES = 20  # tokens shown of a distribution over the whole vocabulary


@lab_config
class DataflowConfig:
    """What is read, and by whom. Sampling knobs are arguments of `next_token`: they need no run."""

    model: str = "world-decoder"
    text: str = (
        "One morning, Emma walked to the forest with a yellow hat. "
        "She played with Gang there and forgot the"
    )
    target: str = ""  # what a translator has written so far


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """One forward pass, every intermediate kept."""

    model: str
    config: ModelConfig
    tokens: Prompt  # what the rows of most matrices stand for
    context: Prompt | None  # the encoder's input, encoder-decoder only
    arrays: dict[str, np.ndarray]  # by trace name, float32 (mask: bool), in the order of the pass
    masked: tuple[int, ...]  # positions of mask tokens, where an encoder is asked
    position: int  # where the lesson looks: the first masked token, else the last one


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """One named intermediate as a table of numbers."""

    name: str
    values: np.ndarray  # (rows, columns)
    rows: tuple[str, ...]  # token labels
    columns: (
        tuple[str, ...] | None
    )  # token labels where the columns are tokens, else None: channels


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The likeliest next tokens, before and after the sampling knobs. Axis: N candidates."""

    ids: np.ndarray  # (N,)
    labels: tuple[str, ...]
    logits: np.ndarray  # (N,)
    before: np.ndarray  # (N,) softmax of the logits as they are
    after: np.ndarray  # (N,) what is drawn from; 0 where a knob cut the token off
    kept: int  # of all V tokens, how many can still be drawn
    entropy_before_nats: float
    entropy_after_nats: float


def run(config: DataflowConfig) -> Walk:
    """Load the model and let it read the text once."""
    return run_model(load(config.model), config)


def run_model(loaded: LoadedModel, config: DataflowConfig) -> Walk:
    """One forward pass of `loaded` over the text, with a trace.

    Raises LabInputError("text", …, "not_empty") for an empty text.
    """
    tokens, context = read_for(loaded, config.text, config.target)
    with torch.no_grad():
        output = loaded.model(
            torch.tensor([tokens.ids]),
            context=torch.tensor([context.ids]) if context else None,
            trace=True,
        )
    # An expert sees the tokens it was given, not the text: its inside is no row per token.
    arrays = {
        name: tensor[0].numpy() for name, tensor in output.trace.items() if ".experts." not in name
    }
    masked = tuple(i for i, token in enumerate(tokens.ids) if token == loaded.tokenizer.mask_id)
    return Walk(
        model=config.model,
        config=loaded.model.config,
        tokens=tokens,
        context=context,
        arrays=arrays,
        masked=masked,
        position=masked[0] if masked else len(tokens.ids) - 1,
    )


def view(walk: Walk, name: str, head: int = 0) -> Matrix:
    """One intermediate as a matrix; of those with one matrix per head, that of query head `head`.

    A key/value head that several query heads share stands for each of them, as the one mask does.
    Raises LabInputError for a name or head that the model does not have.
    """
    if name not in walk.arrays:
        raise LabInputError("name", name, "known_name")
    if not 0 <= head < walk.config.num_heads:
        raise LabInputError("head", head, "between", low=0, high=walk.config.num_heads - 1)
    values = walk.arrays[name]
    if values.ndim == 3:
        values = values[head * len(values) // walk.config.num_heads]
    rows, columns = labels_of(walk, name)
    return Matrix(name, values, rows, columns)


def labels_of(walk: Walk, name: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """What a matrix's rows and columns stand for; columns of channels have no names."""
    context = walk.context.labels if walk.context else ()
    own = context if name.startswith("encoder.") else walk.tokens.labels
    seen = context if ".cross." in name else own
    part = name.rsplit(".", 1)[-1]
    if part in ("scores", "mask", "weights"):
        return own, seen
    return (seen if part in ("k", "v", "k_unrotated", "latent") else own), None


def next_token(
    walk: Walk,
    tokenizer: Tokenizer,
    position: int | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Candidates:
    """The distribution at `position` (None: where the lesson looks), before and after the knobs.

    Raises LabInputError for knobs out of range, a position that is not there, a model without a head.
    """
    logits = logits_at(walk, position)
    before = logits.softmax(dim=-1)
    after = next_token_probs(logits, temperature, top_k, top_p)
    ids = logits.topk(min(CANDIDATES, len(logits))).indices
    return Candidates(
        ids=ids.numpy(),
        labels=tuple(tokenizer.label(token) for token in ids.tolist()),
        logits=logits[ids].numpy(),
        before=before[ids].numpy(),
        after=after[ids].numpy(),
        kept=int((after > 0).sum()),
        entropy_before_nats=entropy_nats(before),
        entropy_after_nats=entropy_nats(after),
    )


def draw(
    walk: Walk,
    seed: int,
    position: int | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> int:
    """One token from the distribution that the knobs leave; the same seed draws the same token."""
    probabilities = next_token_probs(logits_at(walk, position), temperature, top_k, top_p)
    return sample(probabilities, torch.Generator().manual_seed(seed))


def draw_many(
    walk: Walk,
    count: int,
    seed: int,
    position: int | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> np.ndarray:
    """`count` independent draws from what the knobs leave, the first of them as `draw`'s.  -> (count,)"""
    probabilities = next_token_probs(logits_at(walk, position), temperature, top_k, top_p)
    rng = torch.Generator().manual_seed(seed)
    return np.array([sample(probabilities, rng) for _ in range(count)], dtype=np.int64)


def logits_at(walk: Walk, position: int | None) -> torch.Tensor:
    """(V,) what the model says at one position."""
    if "logits" not in walk.arrays:
        raise LabInputError("model", walk.model, "needs_vocabulary_head")
    position = walk.position if position is None else position
    last = len(walk.tokens.ids) - 1
    if not 0 <= position <= last:
        raise LabInputError("position", position, "between", low=0, high=last)
    return torch.from_numpy(walk.arrays["logits"][position])


def entropy_nats(probabilities: torch.Tensor) -> float:
    """-Σ p ln p; a token cut off adds nothing."""
    return float(torch.special.entr(probabilities).sum())
