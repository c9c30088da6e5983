"""The bill of an architecture, block by block: shapes, parameters, operations, bytes.

It needs a configuration and no weights, so the knobs may describe a model of any size; every number
is a formula of `labcore.model.counting`. Layers of a stack are alike and stand in one row.

Axes: T tokens of the text, D hidden_size, V vocab_size.
"""

from dataclasses import dataclass

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.counting import (
    Part,
    Work,
    cache_numbers_per_token,
    count_flops,
    count_parameters,
    kv_cache_bytes,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of block. Parameters and FLOPs are of one copy; there are `repeat` of them."""

    block: str  # "embed", "encoder.attn", "encoder.mlp", "attn", "cross", "mlp", "norm", "head"
    repeat: int
    output: tuple[int, int]  # (T, D), or (T, V) for the head
    parts: tuple[Part, ...]  # its weights, named as in layer 0
    work: tuple[Work, ...]  # its matrix products
    parameters: int
    flops: int


@dataclass(frozen=True, slots=True)
class Ledger:
    config: ModelConfig
    tokens: int
    rows: tuple[Row, ...]  # in the order in which the data meets them
    parameters: int
    flops: int  # of one pass over `tokens` tokens
    flops_next_token: int  # of one more token, with the cache; an encoder has none: 0
    weight_bytes: float
    cache_bytes_per_token: float
    cache_bytes: float  # after `tokens` tokens


def ledger(
    config: ModelConfig,
    tokens: int = 64,
    bytes_per_number: float = 2,
    context: int | None = None,  # an encoder-decoder's input, in tokens; None: as long as `tokens`
) -> Ledger:
    """The bill for reading `tokens` tokens.

    Raises LabInputError("tokens", …) beyond what learned positions reach.
    """
    context = tokens if context is None else context
    longest = max(tokens, context) if config.kind == "encoder_decoder" else tokens
    if config.positions == "learned" and longest > config.max_positions:
        raise LabInputError("tokens", longest, "max_positions", limit=config.max_positions)
    parts, work = count_parameters(config), count_flops(config, tokens, context=context)
    blocks = dict.fromkeys(block_of(part.name) for part in parts)
    rows = tuple(
        row(config, context if block.startswith("encoder.") else tokens, block, parts, work)
        for block in blocks
    )
    parameters = sum(part.parameters for part in parts)
    grows = config.kind != "encoder"
    following = count_flops(config, 1, tokens, context) if grows else []
    return Ledger(
        config=config,
        tokens=tokens,
        rows=rows,
        parameters=parameters,
        flops=sum(one.flops for one in work),
        flops_next_token=sum(one.flops for one in following),
        weight_bytes=parameters * bytes_per_number,
        cache_bytes_per_token=cache_numbers_per_token(config) * bytes_per_number,
        cache_bytes=kv_cache_bytes(config, tokens, bytes_per_number, context=context),
    )


def row(config: ModelConfig, tokens: int, block: str, parts: list[Part], work: list[Work]) -> Row:
    own = [part for part in parts if block_of(part.name) == block]
    done = [one for one in work if block_of(one.name) == block]
    repeat = len({layer_of(part.name) for part in own})
    first = tuple(part for part in own if layer_of(part.name) in ("", "0"))
    once = tuple(one for one in done if layer_of(one.name) in ("", "0"))
    return Row(
        block=block,
        repeat=repeat,
        output=(tokens, config.vocab_size if block == "head" else config.hidden_size),
        parts=first,
        work=once,
        parameters=sum(part.parameters for part in first),
        flops=sum(one.flops for one in once),
    )


def block_of(name: str) -> str:
    """The kind of block that a weight or a product belongs to, whichever its layer.

    >>> block_of("stack.layers.3.attn_norm.weight"), block_of("encoder.layers.0.mlp.hidden")
    ('attn', 'encoder.mlp')
    """
    side = "encoder." if name.startswith("encoder.") else ""
    if ".layers." in f".{name}":
        after = name.split("layers.", 1)[1].split(".")[1]
        return side + after.removesuffix("_norm")
    if name.startswith(("head", "logits")):
        return "head"
    return side + ("norm" if "final_norm" in name else "embed")


def layer_of(name: str) -> str:
    """The number of the layer in a name; "" outside the layers."""
    return name.split("layers.", 1)[1].split(".")[0] if ".layers." in f".{name}" else ""
