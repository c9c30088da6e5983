"""Counting: a Transformer's parameters, operations and bytes, by formula, without building it.

One multiply and one add are two FLOPs. Only matrix products are counted, masked scores included, as
`torch.utils.flop_counter` does, to which the tests hold these numbers: what is left out (norms, softmax,
activations, sums) costs a few operations per number, a matrix product D of them. Parameters are held
to the lab's own model and, for the published presets, to `transformers`' classes.

Axes: T new tokens, S keys they look at, D hidden_size, H heads, K key/value heads, d head_dim,
F intermediate_size, V vocab_size, C tokens of an encoder-decoder's input.
"""

from dataclasses import dataclass
from math import prod

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig

EMBEDDING = "token_embedding.weight"


@dataclass(frozen=True, slots=True)
class Part:
    """One weight tensor, named as in the state dict of `Transformer`.

    `tied_to` names the tensor whose numbers it shares; it then adds no parameters of its own.
    """

    name: str
    shape: tuple[int, ...]  # as stored: (out, in) for a linear map
    tied_to: str = ""

    @property
    def parameters(self) -> int:
        return 0 if self.tied_to else prod(self.shape)


@dataclass(frozen=True, slots=True)
class Work:
    """One matrix product of a forward pass, named as its result is named in a trace."""

    name: str
    shape: tuple[int, ...]  # of the result, batch left out
    flops: int


# Parameters.


def linear(name: str, width_in: int, width_out: int, bias: bool) -> list[Part]:
    """A linear map: width_in · width_out weights, and width_out shifts if it has a bias."""
    weight = Part(f"{name}.weight", (width_out, width_in))
    return [weight, Part(f"{name}.bias", (width_out,))] if bias else [weight]


def norm(config: ModelConfig, name: str, width: int | None = None) -> list[Part]:
    """A gain per channel; a layernorm may shift as well."""
    if config.norm == "none":
        return []
    size = (config.hidden_size if width is None else width,)
    shifted = config.norm == "layernorm" and config.norm_bias
    return [Part(f"{name}.weight", size)] + ([Part(f"{name}.bias", size)] if shifted else [])


def attention(config: ModelConfig, name: str) -> list[Part]:
    """Queries for H heads, keys and values for K, and the map that mixes the heads back."""
    if config.latent and ".cross" not in name:
        return latent_attention(config, name)
    width, queries = config.hidden_size, config.num_heads * config.size_per_head
    keys = config.key_value_heads * config.size_per_head
    return [
        *linear(f"{name}.q", width, queries, config.qkv_bias),
        *linear(f"{name}.k", width, keys, config.qkv_bias),
        *linear(f"{name}.v", width, keys, config.qkv_bias),
        *linear(f"{name}.out", queries, width, config.attention_out_bias),
    ]


def mlp(config: ModelConfig, name: str) -> list[Part]:
    """Up and down, 2·D·F, with a gate 3·D·F; for a mixture E times that, and a router."""
    if config.moe:
        experts = range(config.moe.num_experts)
        router = linear(f"{name}.router", config.hidden_size, config.moe.num_experts, False)
        return router + [
            part for e in experts for part in feed_forward(config, f"{name}.experts.{e}")
        ]
    return feed_forward(config, name)


def feed_forward(config: ModelConfig, name: str) -> list[Part]:
    width, inner = config.hidden_size, config.mlp_size
    gate = linear(f"{name}.gate", width, inner, config.mlp_bias) if config.gated else []
    return [
        *gate,
        *linear(f"{name}.up", width, inner, config.mlp_bias),
        *linear(f"{name}.down", inner, width, config.mlp_bias),
    ]


def latent_attention(config: ModelConfig, name: str) -> list[Part]:
    """Keys and values are rebuilt from one narrow latent; a small shared key carries RoPE."""
    latent, width, heads = config.latent, config.hidden_size, config.num_heads
    rank, queries = latent.kv_lora_rank, heads * config.size_per_head
    if latent.q_lora_rank is None:
        parts = linear(f"{name}.q", width, queries, False)
    else:
        parts = [
            *linear(f"{name}.q_down", width, latent.q_lora_rank, False),
            *norm(config, f"{name}.q_norm", latent.q_lora_rank),
            *linear(f"{name}.q_up", latent.q_lora_rank, queries, False),
        ]
    return [
        *parts,
        *linear(f"{name}.kv_down", width, rank, False),
        *norm(config, f"{name}.kv_norm", rank),
        *linear(f"{name}.k_rope", width, latent.rope_head_dim, False),
        *linear(f"{name}.k_up", rank, heads * latent.nope_head_dim, False),
        *linear(f"{name}.v_up", rank, heads * latent.value_head_dim, False),
        *linear(f"{name}.out", heads * latent.value_head_dim, width, config.attention_out_bias),
    ]


def block(config: ModelConfig, name: str, cross: bool) -> list[Part]:
    """One layer: attention, cross-attention if any, MLP, and a norm before or after each."""
    parts = [*norm(config, f"{name}.attn_norm"), *attention(config, f"{name}.attn")]
    if cross:
        parts += [*norm(config, f"{name}.cross_norm"), *attention(config, f"{name}.cross")]
    if config.mlp_size == 0:
        return parts
    return [*parts, *norm(config, f"{name}.mlp_norm"), *mlp(config, f"{name}.mlp")]


def stack(config: ModelConfig, name: str, layers: int, cross: bool) -> list[Part]:
    """What positions need, the layers, and a pre-norm stack's last norm."""
    parts = []
    if config.positions == "learned":
        rows = (config.max_positions, config.hidden_size)
        parts.append(Part(f"{name}.position_embedding.weight", rows))
    if config.embedding_norm:
        parts += norm(config, f"{name}.embedding_norm")
    if config.positions == "t5":  # one table for all layers
        parts.append(Part(f"{name}.relative_bias.weight", (config.t5_buckets, config.num_heads)))
    for layer in range(layers):
        parts += block(config, f"{name}.layers.{layer}", cross)
    if config.norm_placement == "pre":
        parts += norm(config, f"{name}.final_norm")
    return parts


def vocabulary_head(config: ModelConfig) -> list[Part]:
    """From the last hidden state to V logits, through the embedding's own matrix where tied."""
    if config.head == "none":
        return []
    width, parts = config.hidden_size, []
    if config.head == "mlm":
        parts = [*linear("head.dense", width, width, True), *norm(config, "head.norm")]
    tied_to = EMBEDDING if config.tie_embeddings else ""
    parts.append(Part("head.output.weight", (config.vocab_size, width), tied_to))
    if config.head_bias:
        parts.append(Part("head.bias", (config.vocab_size,)))
    return parts


def count_parameters(config: ModelConfig) -> list[Part]:
    """Every weight tensor of the model, in the order in which the data meets them."""
    parts = [Part(EMBEDDING, (config.vocab_size, config.hidden_size))]
    if config.token_types:
        parts.append(Part("type_embedding.weight", (config.token_types, config.hidden_size)))
    both = config.kind == "encoder_decoder"
    if both:
        parts += stack(config, "encoder", config.encoder_layers, cross=False)
    parts += stack(config, "stack", config.num_layers, cross=both)
    return parts + vocabulary_head(config)


def parameter_total(config: ModelConfig) -> int:
    return sum(part.parameters for part in count_parameters(config))


# Operations.


def product(name: str, rows: int, inner: int, columns: int, shape: tuple[int, ...]) -> Work:
    """(rows, inner) · (inner, columns): one multiply and one add for each of rows·inner·columns."""
    return Work(name, shape, 2 * rows * inner * columns)


def attention_work(
    config: ModelConfig, name: str, tokens: int, keys: int, new_keys: int
) -> list[Work]:
    """`tokens` queries look at `keys` keys, of which `new_keys` are not in the cache yet."""
    if config.latent and not name.endswith("cross"):
        return latent_attention_work(config, name, tokens, keys, new_keys)
    width, heads, size = config.hidden_size, config.num_heads, config.size_per_head
    shared = config.key_value_heads
    return [
        product(f"{name}.q", tokens, width, heads * size, (heads, tokens, size)),
        product(f"{name}.k", new_keys, width, shared * size, (shared, new_keys, size)),
        product(f"{name}.v", new_keys, width, shared * size, (shared, new_keys, size)),
        product(f"{name}.scores", heads * tokens, size, keys, (heads, tokens, keys)),
        product(f"{name}.heads", heads * tokens, keys, size, (heads, tokens, size)),
        product(f"{name}.out", tokens, heads * size, width, (tokens, width)),
    ]


def latent_attention_work(
    config: ModelConfig, name: str, tokens: int, keys: int, new_keys: int
) -> list[Work]:
    """The cache holds latents, so the keys and values of all `keys` are rebuilt at every step."""
    latent, width, heads = config.latent, config.hidden_size, config.num_heads
    size, rank, q_rank = config.size_per_head, latent.kv_lora_rank, latent.q_lora_rank
    nope, rope, value = latent.nope_head_dim, latent.rope_head_dim, latent.value_head_dim
    queries = []
    if q_rank is not None:
        queries = [product(f"{name}.q_down", tokens, width, q_rank, (tokens, q_rank))]
    inner = width if q_rank is None else q_rank
    return [
        *queries,
        product(f"{name}.q", tokens, inner, heads * size, (heads, tokens, size)),
        product(f"{name}.latent", new_keys, width, rank, (new_keys, rank)),
        product(f"{name}.k_rope", new_keys, width, rope, (new_keys, rope)),
        product(f"{name}.k", keys, rank, heads * nope, (heads, keys, nope)),
        product(f"{name}.v", keys, rank, heads * value, (heads, keys, value)),
        product(f"{name}.scores", heads * tokens, size, keys, (heads, tokens, keys)),
        product(f"{name}.heads", heads * tokens, keys, value, (heads, tokens, value)),
        product(f"{name}.out", tokens, heads * value, width, (tokens, width)),
    ]


def mlp_work(config: ModelConfig, name: str, tokens: int) -> list[Work]:
    """Each token through one MLP, or through the few experts that the router picks for it."""
    width, inner = config.hidden_size, config.mlp_size
    if inner == 0:
        return []
    work, passes = [], tokens
    if config.moe:
        experts = config.moe.num_experts
        work = [product(f"{name}.router", tokens, width, experts, (tokens, experts))]
        passes = tokens * config.moe.experts_per_token
    inward = 2 if config.gated else 1  # the gate's matrix is as large as the one it gates
    return [
        *work,
        product(f"{name}.hidden", inward * passes, width, inner, (passes, inner)),
        product(f"{name}.out", passes, inner, width, (tokens, width)),
    ]


def vocabulary_work(config: ModelConfig, tokens: int) -> list[Work]:
    width, vocabulary = config.hidden_size, config.vocab_size
    if config.head == "none":
        return []
    dense = [product("head.dense", tokens, width, width, (tokens, width))]
    logits = product("logits", tokens, width, vocabulary, (tokens, vocabulary))
    return [*(dense if config.head == "mlm" else []), logits]


def count_flops(
    config: ModelConfig, tokens: int, cached: int = 0, context: int | None = None
) -> list[Work]:
    """Every matrix product of one forward pass of one sequence of `tokens` new tokens.

    `cached` tokens were read before: their keys and values are looked at, not made. One generated
    token with a cache of S costs `count_flops(config, 1, cached=S)`. `context` is the length of an
    encoder-decoder's input (default: `tokens`), encoded only when nothing is cached yet.
    """
    check_lengths(config, tokens, cached)
    work, context = [], tokens if context is None else context
    crossed = config.kind == "encoder_decoder"
    new_context = 0 if cached else context
    if crossed and new_context:
        for i in range(config.encoder_layers):
            work += attention_work(config, f"encoder.layers.{i}.attn", context, context, context)
            work += mlp_work(config, f"encoder.layers.{i}.mlp", context)
    for i in range(config.num_layers):
        work += attention_work(config, f"layers.{i}.attn", tokens, cached + tokens, tokens)
        if crossed:
            work += attention_work(config, f"layers.{i}.cross", tokens, context, new_context)
        work += mlp_work(config, f"layers.{i}.mlp", tokens)
    return work + vocabulary_work(config, tokens)


def flops_total(
    config: ModelConfig, tokens: int, cached: int = 0, context: int | None = None
) -> int:
    return sum(work.flops for work in count_flops(config, tokens, cached, context))


def check_lengths(config: ModelConfig, tokens: int, cached: int) -> None:
    if tokens < 1:
        raise LabInputError("tokens", tokens, "at_least", limit=1)
    if cached < 0:
        raise LabInputError("cached", cached, "at_least", limit=0)
    if cached and config.kind == "encoder":
        raise LabInputError("cached", cached, "needs_decoder")


# Bytes.


def cache_numbers_per_token(config: ModelConfig) -> int:
    """How many numbers one more token adds to the KV cache, over all decoder layers.

    2·K·d per layer: MHA has K = H, GQA shares keys and values among H/K heads, MQA has K = 1. MLA
    keeps the latent and the one rotated key instead (arXiv:2405.04434).
    """
    if config.latent:
        return config.decoder_layers * (config.latent.kv_lora_rank + config.latent.rope_head_dim)
    return config.decoder_layers * 2 * config.key_value_heads * config.size_per_head


def kv_cache_bytes(
    config: ModelConfig,
    tokens: int,
    bytes_per_number: float = 2,  # 2 for fp16 and bf16
    batch: int = 1,
    context: int = 0,
) -> float:
    """The cache after `tokens` tokens; a sliding window needs no more than its own length.

    An encoder-decoder keeps the keys and values of its `context` input tokens as well.
    """
    kept = tokens if config.sliding_window is None else min(tokens, config.sliding_window)
    numbers = kept * cache_numbers_per_token(config)
    if config.kind == "encoder_decoder":
        numbers += context * 2 * config.num_layers * config.key_value_heads * config.size_per_head
    return numbers * bytes_per_number * batch


def weight_bytes(config: ModelConfig, bytes_per_number: float = 2) -> float:
    """The weights alone: 4 bytes each in fp32, 2 in fp16 and bf16, 1 in int8, 0.5 in int4."""
    return parameter_total(config) * bytes_per_number
