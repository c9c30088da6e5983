"""The roofline: an operator takes the time of its arithmetic or of its traffic, whichever is longer.

A device does so many operations a second and moves so many bytes. An operator that does many operations
with each byte is bound by the first, one that does few by the second; the ridge between them is where both
take the same time. Reading a prompt is bound by arithmetic; writing token after token, where all weights
are read for a few products each, is bound by traffic, until the batch is large.

This is a lower bound: no kernel reaches both limits, and nothing is said of launching, waiting and
sending. Relations between plans are worth more than the seconds.

Sources: Williams et al. 2009; for language models Yuan et al., arXiv:2402.16363.
Axes: B sequences of a batch, T new tokens of each, S tokens each looks back at, itself included.
"""

from dataclasses import dataclass

from labcore.configs import lab_config
from labcore.distributed.cluster import Device
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig


@lab_config
class Load:
    """What is asked of a model in one step, and how its numbers are kept."""

    batch: int = 1
    tokens: int = 1  # new tokens of each sequence: a prompt's length, or 1 when writing
    cached: int = 0  # tokens of each sequence that were read before
    weight_bytes: float = 2.0
    cache_bytes: float = 2.0
    activation_bytes: float = 2.0
    fused: bool = True  # attention's scores never leave the chip

    def __post_init__(self):
        for name, least in (("batch", 1), ("tokens", 1), ("cached", 0)):
            if getattr(self, name) < least:
                raise LabInputError(name, getattr(self, name), "at_least", limit=least)
        for name in ("weight_bytes", "cache_bytes", "activation_bytes"):
            if not getattr(self, name) > 0:
                raise LabInputError(name, getattr(self, name), "positive")


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of work, over all layers."""

    name: str
    flops: float
    weights: float  # bytes read
    cache: float  # bytes read and written
    activations: float  # bytes read and written

    @property
    def bytes(self) -> float:
        return self.weights + self.cache + self.activations

    @property
    def intensity(self) -> float:
        """Operations for each byte moved."""
        return self.flops / self.bytes

    def seconds(self, device: Device) -> float:
        return max(self.flops / device.peak_flops, self.bytes / device.memory_bandwidth)

    def bound(self, device: Device) -> str:
        """ "arithmetic" or "traffic": what the time is spent on."""
        return "arithmetic" if self.intensity > ridge(device) else "traffic"


def ridge(device: Device) -> float:
    """Operations per byte at which both limits take the same time: 312e12 / 2.039e12 = 153 on an A100."""
    return device.peak_flops / device.memory_bandwidth


def matrix(name: str, inputs: int, outputs: int, times: float, load: Load) -> Operator:
    """A linear map on every token of the batch, `times` over (layers).

    Worked by hand: 4096 × 4096 in 16 bits. One token: 2 · 4096² operations on 2 · 4096² bytes, one for each
    byte. 2048 tokens: 2048 times the operations on the same weights and 2 · 2 · 2048 · 4096 bytes of
    activations: 1024.
    """
    rows = load.batch * load.tokens
    return Operator(
        name,
        2.0 * rows * inputs * outputs * times,
        inputs * outputs * times * load.weight_bytes,
        0.0,
        rows * (inputs + outputs) * times * load.activation_bytes,
    )


def attention(config: ModelConfig, load: Load) -> Operator:
    """Scores and their weighted sum, over all layers; new keys and values are written, all are read."""
    layers, width = config.num_layers, config.num_heads * config.size_per_head
    new, keys = load.tokens, load.cached + load.tokens
    seen = keys if config.sliding_window is None else min(keys, config.sliding_window)
    per_token = 2 * config.key_value_heads * config.size_per_head * load.cache_bytes
    scores = 0 if load.fused else 4 * config.num_heads * new * keys  # out and in, twice
    moved = 2 * new * width + scores
    return Operator(
        "attention",
        4.0 * load.batch * layers * new * keys * width,
        0.0,
        load.batch * layers * (seen + new) * per_token,
        load.batch * layers * moved * load.activation_bytes,
    )


def experts_read(experts: int, per_token: int, tokens: int) -> float:
    """How many experts some token is sent to, if all are equally likely: E · (1 − (1 − k/E)^N)."""
    return experts * (1 - (1 - per_token / experts) ** tokens)


def feed_forward(config: ModelConfig, load: Load) -> list[Operator]:
    """The MLP's maps. Of a mixture only the experts that are called are read; k of them work on a token."""
    inward = 2 if config.gated else 1
    called, per_token = 1.0, 1
    if config.moe:
        tokens, per_token = load.batch * load.tokens, config.moe.experts_per_token
        called = experts_read(config.moe.num_experts, per_token, tokens)
    width, inner, layers = config.hidden_size, config.mlp_size, config.num_layers
    made = []
    for one in (
        matrix("mlp in", width, inner, inward * layers, load),
        matrix("mlp out", inner, width, layers, load),
    ):
        moved = one.activations * per_token
        made.append(Operator(one.name, one.flops * per_token, one.weights * called, 0.0, moved))
    return made


def operators(config: ModelConfig, load: Load) -> list[Operator]:
    """All matrix products of one step of a decoder, in the order in which they are done.

    Norms, rotations and additions are left out: they are fused into their neighbours or small.
    """
    if config.kind != "decoder" or config.latent:
        raise LabInputError("model", config.kind, "plannable")
    width, inner, layers = (
        config.hidden_size,
        config.num_heads * config.size_per_head,
        config.num_layers,
    )
    shared = 2 * config.key_value_heads * config.size_per_head
    found = [
        matrix("q, k, v", width, inner + shared, layers, load),
        attention(config, load),
        matrix("attention out", inner, width, layers, load),
        *feed_forward(config, load),
    ]
    if config.head == "lm":
        found.append(matrix("logits", width, config.vocab_size, 1, load))
    return [one for one in found if one.flops]


def step_seconds(config: ModelConfig, load: Load, device: Device) -> float:
    """One step at the roofline, operator after operator."""
    return sum(one.seconds(device) for one in operators(config, load))
