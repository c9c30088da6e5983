"""From dense to GQA to experts to latents: what an architecture weighs, computes and remembers.

Four quantities tell architectures apart when they are put to work: all parameters (what must be stored),
those that a token meets (what training pays for), operations per token, and the cache per token of context.
A design here is a `ModelConfig` and what DeepSeek's models add to it: first layers without experts, of a
width of their own, and experts that every token visits.

Left out: biases that only steer a router, and DeepSeek-V3's extra layer for predicting a second token.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.config import LatentAttention, MixtureOfExperts, ModelConfig
from labcore.model.counting import (
    cache_numbers_per_token,
    count_flops,
    count_parameters,
    kv_cache_bytes,
    mlp,
    mlp_work,
)
from labcore.model.presets import PRESETS, llama, qwen2


@dataclass(frozen=True, slots=True)
class Design:
    title: str
    year: int
    config: ModelConfig  # of the layers with experts, where there are any
    source: str
    dense_layers: int = 0  # first layers whose MLP is an ordinary one …
    dense_size: int = 0  # … of this inner width
    shared_experts: int = 0  # visited by every token, beside those that the router picks

    @property
    def attention(self) -> str:
        """ "mha", "gqa", "mqa" or "mla"."""
        if self.config.latent:
            return "mla"
        shared = self.config.key_value_heads
        return {self.config.num_heads: "mha", 1: "mqa"}.get(shared, "gqa")


def deepseek(
    vocab_size: int, hidden_size: int, num_layers: int, experts: int, chosen: int, expert_size: int
) -> ModelConfig:
    """DeepSeek-V2 and V3: latent attention with 128 heads, many narrow experts."""
    base = llama(vocab_size, hidden_size, num_layers, (128, 128), expert_size, 4096)
    return base.with_(
        latent=LatentAttention(512, 1536, 64, 128, 128),
        moe=MixtureOfExperts(experts, chosen),
    )


V2 = Design(
    "DeepSeek-V2", 2024, deepseek(102400, 5120, 60, 160, 6, 1536), "arXiv:2405.04434", 1, 12288, 2
)
V3 = Design(
    "DeepSeek-V3", 2024, deepseek(129280, 7168, 61, 256, 8, 2048), "arXiv:2412.19437", 3, 18432, 1
)
QWEN_72B = qwen2(152064, 8192, 80, (64, 8), 29568, 131072, tied=False)


def published(*names: str) -> dict[str, Design]:
    rows = {name: PRESETS[name] for name in names}
    return {name: Design(row.title, row.year, row.config, row.source) for name, row in rows.items()}


PUBLISHED: dict[str, Design] = {
    **published("gpt2-xl", "gpt3-175b", "llama-2-7b", "llama-2-13b", "llama-2-70b", "mistral-7b"),
    **published("mixtral-8x7b", "llama-3-8b", "llama-3.1-405b"),
    "qwen2.5-72b": Design("Qwen2.5 72B", 2024, QWEN_72B, "arXiv:2412.15115"),
    "deepseek-v2": V2,
    "deepseek-v3": V3,
}

# One skeleton, one change at a time: "gqa" is Mistral 7B without its window, "moe" Mixtral 8x7B; the latent
# is DeepSeek's. Two dense models stand beside "moe": "twin" makes as many operations per token, "giant" has
# as many parameters.
SKELETON = llama(32000, 4096, 32, (32, 32), 14336, 32768)
_GROUPED = SKELETON.with_(num_key_value_heads=8)
_FINE = _GROUPED.with_(moe=MixtureOfExperts(64, 16), intermediate_size=14336 // 8)
STEPS: dict[str, Design] = {
    name: Design(name, 0, config, "")
    for name, config in {
        "dense": SKELETON,
        "gqa": _GROUPED,
        "moe": _GROUPED.with_(moe=MixtureOfExperts(8, 2)),
        "twin": _GROUPED.with_(intermediate_size=2 * 14336),
        "giant": _GROUPED.with_(intermediate_size=8 * 14336),
        "fine": _FINE,
        "mla": _FINE.with_(
            num_key_value_heads=None, latent=LatentAttention(512, 1536, 64, 128, 128)
        ),
    }.items()
}
SETS = {"published": PUBLISHED, "steps": STEPS}


# Counting.


@cache
def parameters(design: Design) -> int:
    """All layers but the exceptions are equal: one is counted, by what a second one adds."""
    config = design.config
    one, two = (
        sum(part.parameters for part in count_parameters(config.with_(num_layers=layers)))
        for layers in (1, 2)
    )
    return one + (config.num_layers - 1) * (two - one) + in_other_layers(design, mlp_parameters)


def in_other_layers(design: Design, count: Callable[[ModelConfig], int]) -> int:
    """What first layers without experts and shared experts change, by a count of one MLP."""
    config, dense = design.config, design.dense_layers
    changed = 0
    if dense:
        ordinary = config.with_(moe=None, intermediate_size=design.dense_size)
        changed += dense * (count(ordinary) - count(config))
    if design.shared_experts:
        shared = config.with_(moe=None, intermediate_size=design.shared_experts * config.mlp_size)
        changed += (config.num_layers - dense) * count(shared)
    return changed


def mlp_parameters(config: ModelConfig) -> int:
    return sum(part.parameters for part in mlp(config, "mlp"))


def active_parameters(design: Design) -> int:
    """Those that one token meets: the experts that the router leaves out are missing."""
    config = design.config
    if config.moe is None:
        return parameters(design)
    idle = config.moe.num_experts - config.moe.experts_per_token
    return parameters(design) - idle * expert_parameters(design) * expert_layers(design)


def expert_layers(design: Design) -> int:
    return design.config.num_layers - design.dense_layers if design.config.moe else 0


def expert_parameters(design: Design) -> int:
    """One routed expert of one layer."""
    matrices = 3 if design.config.gated else 2
    return matrices * design.config.hidden_size * design.config.mlp_size


def reading_flops(design: Design, context: int) -> float:
    """Forward, per token, while a text of `context` tokens is read at once; masked scores left out.

    Three times that is what training takes per token.
    """
    work = count_flops(design.config, context)
    scores = sum(part.flops for part in work if part.name.endswith((".scores", ".heads")))
    return (sum(part.flops for part in work) - scores / 2) / context + other_flops(design)


def other_flops(design: Design) -> int:
    """Per token, of first layers without experts and of shared experts."""
    return in_other_layers(design, lambda one: sum(part.flops for part in mlp_work(one, "mlp", 1)))


def writing_flops(design: Design, context: int) -> float:
    """Forward, for one new token after `context` cached ones.

    With latents the keys and values are not rebuilt: what rebuilds them is multiplied into the query and
    into the result ("absorbed", arXiv:2405.04434, section 2.1.2), so heads look at latents themselves.
    """
    config, latent = design.config, design.config.latent
    total = sum(part.flops for part in count_flops(config, 1, context)) + other_flops(design)
    if latent is None:
        return total
    heads, keys, rank = config.num_heads, context + 1, latent.kv_lora_rank
    widths = latent.nope_head_dim + latent.value_head_dim
    rebuilt = 2 * keys * rank * heads * widths  # keys and values of the whole context
    plain = 2 * keys * heads * (config.size_per_head + latent.value_head_dim)
    absorbed = 2 * heads * rank * widths + 2 * keys * heads * (2 * rank + latent.rope_head_dim)
    return total + config.num_layers * (absorbed - rebuilt - plain)


def cache_bytes(design: Design, context: int, bits: float = 16) -> float:
    """Of one sequence."""
    return kv_cache_bytes(design.config, context, bits / 8)


# A whole row of the comparison.


@lab_config
class EvolutionConfig:
    designs: str = "published"  # key of SETS
    context: int = 4096
    batch: int = 1  # sequences served at once
    weight_bits: int = 16
    cache_bits: int = 16

    def __post_init__(self):
        if self.designs not in SETS:
            raise LabInputError("designs", self.designs, "known_choice", allowed=tuple(SETS))
        for name in ("context", "batch", "weight_bits", "cache_bits"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    title: str
    year: int
    attention: str
    experts: str  # "8 · 2": all · visited by a token, shared ones included; empty without
    parameters: int
    active: int
    reading_flops: float  # per token
    writing_flops: float
    cache_token_bytes: float  # per token of context, while no window is full
    cache_bytes: float  # of the whole batch
    weight_bytes: float
    beyond: bool  # learned positions end before this context
    source: str


def run(config: EvolutionConfig) -> tuple[Row, ...]:
    return tuple(row(name, design, config) for name, design in SETS[config.designs].items())


def row(name: str, design: Design, config: EvolutionConfig) -> Row:
    """Everything that is compared, of one design."""
    moe, model = design.config.moe, design.config
    experts = "" if moe is None else (
        f"{moe.num_experts + design.shared_experts} · "
        f"{moe.experts_per_token + design.shared_experts}"
    )  # fmt: skip
    total = parameters(design)
    return Row(
        name=name, title=design.title, year=design.year, attention=design.attention, experts=experts,
        parameters=total, active=active_parameters(design),
        reading_flops=reading_flops(design, config.context),
        writing_flops=writing_flops(design, config.context),
        cache_token_bytes=cache_numbers_per_token(model) * config.cache_bits / 8,
        cache_bytes=config.batch * cache_bytes(design, config.context, config.cache_bits),
        weight_bytes=total * config.weight_bits / 8,
        beyond=model.positions == "learned" and config.context > model.max_positions,
        source=design.source,
    )  # fmt: skip
