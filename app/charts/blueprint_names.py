"""The names and numbers of a blueprint: which step stands in which block, and how each is written.

A *stop* is a place that a walk may halt at. Its id is a trace name without the number of its layer
("attn.q" for "layers.3.attn.q"), or the name of a weight with "*" for that number
("stack.layers.*.attn.q.weight").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ONCE = ("embed", "final", "logits")  # first words of trace names that stand outside the layers
ATTENTION = (
    "norm", "q_unrotated", "q", "k_unrotated", "k", "v", "scores", "mask", "weights", "heads", "out",
)  # fmt: skip
STEPS = {
    "embed": ("embed.tokens", "embed.positions", "embed.types"),
    "attn": tuple(f"attn.{part}" for part in ATTENTION),
    "cross": tuple(f"cross.{part}" for part in ATTENTION if "unrotated" not in part),
    "mlp": ("mlp.norm", "mlp.router", "mlp.hidden", "mlp.out"),
    "norm": ("final.norm",),
    "head": ("logits",),
}
SYMBOLS = {
    "embed.tokens": "E", "embed.positions": "P", "embed.types": "S",
    "norm": "x̂", "q_unrotated": "Q°", "k_unrotated": "K°", "q": "Q", "k": "K", "v": "V",
    "scores": "S", "mask": "M", "weights": "A", "heads": "Z", "attn.out": "O", "cross.out": "O",
    "router": "R", "hidden": "H", "mlp.out": "Y", "logits": "ℓ",
    "resid_pre": "x", "resid_mid": "x′", "resid_post": "x″",
}  # fmt: skip
WEIGHTS = {
    "q": "W_Q", "k": "W_K", "v": "W_V", "attn.out": "W_O", "cross.out": "W_O",
    "up": "W_up", "gate": "W_gate", "down": "W_down", "router": "W_r",
    "token_embedding": "W_E", "position_embedding": "W_P", "type_embedding": "W_S",
    "relative_bias": "W_B", "head.dense": "W_D", "head.output": "W_U", "head": "b_U",
}  # fmt: skip
# Which step a weight works in, where it is not called alike.
HOME = {
    "attn_norm": "attn.norm", "cross_norm": "cross.norm", "mlp_norm": "mlp.norm",
    "mlp.up": "mlp.hidden", "mlp.gate": "mlp.hidden", "mlp.down": "mlp.out",
    "token_embedding": "embed.tokens", "position_embedding": "embed.positions",
    "type_embedding": "embed.types", "final_norm": "final.norm",
    "head.output": "logits", "head": "logits",
}  # fmt: skip


def block_of(stop: str) -> str | None:
    """The block in which a stop stands.

    >>> block_of("encoder.attn.q"), block_of("stack.layers.*.mlp_norm.weight"), block_of("logits")
    ('encoder.attn', 'mlp', 'head')
    """
    side = "encoder." if stop.startswith("encoder.") else ""
    inner = local_name(stop) if stop.endswith((".weight", ".bias")) else stop.removeprefix(side)
    step = HOME.get(inner, inner)
    for block, steps in STEPS.items():
        if step in steps or (block in ("attn", "cross", "mlp") and step.startswith(f"{block}.")):
            return side + block
    return None


def weight_stop(name: str) -> str:
    """The stop of a weight, the same for every layer.

    >>> weight_stop("stack.layers.7.attn.q.weight")
    'stack.layers.*.attn.q.weight'
    """
    return re.sub(r"layers\.\d+\.", "layers.*.", name)


def local_name(name: str, side: str = "") -> str:
    """A weight or product by its place within a layer or stack.

    >>> local_name("stack.layers.0.attn.q.weight"), local_name("stack.final_norm.bias")
    ('attn.q', 'final_norm')
    """
    name = re.sub(r"\.(weight|bias)$", "", name.removeprefix(side))
    if "layers." in name:
        return re.sub(r"^.*layers\.[\d*]+\.", "", name)
    return re.sub(r"^(stack|encoder)\.", "", name)


def symbol_of(name: str, symbols: dict[str, str]) -> str:
    """By the full name, else by its last word."""
    return symbols.get(name) or symbols.get(name.rsplit(".", 1)[-1], "")


def dims(shape: Sequence[int]) -> str:
    """
    >>> dims((4, 24, 16))
    '4 × 24 × 16'
    """
    return " × ".join(f"{size:,}" for size in shape)


def compact(count: float) -> str:
    """A count that fits a card: exact below 100,000, then three digits with a unit.

    >>> compact(33088), compact(124439808), compact(1.5e12)
    ('33,088', '124 M', '1.50 T')
    """
    if count < 1e5:
        return f"{count:,.0f}"
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if count >= size:
            digits = max(0, 2 - len(f"{count / size:.0f}") + 1)
            return f"{count / size:.{digits}f} {unit}"
    return f"{count:,.0f}"


def percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "<1%"
