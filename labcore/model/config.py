"""What a Transformer is made of, as one frozen record.

The names are those of the published `config.json` files, so that a learner who knows one knows the
other. Every choice that the lab can turn is a field here; everything else is derived.

Letters for the axes, used in all of `labcore.model`:
B batch, T query position, S key position, D hidden_size, H num_heads, K key/value heads,
d head_dim, F intermediate_size, V vocab_size, L layers, E experts.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices

Kind = Literal["decoder", "encoder", "encoder_decoder"]
Positions = Literal["learned", "sinusoidal", "rope", "alibi", "t5", "none"]
Activation = Literal["relu", "gelu", "gelu_tanh", "swiglu", "geglu"]

CHOICES: dict[str, tuple[str, ...]] = {
    "kind": ("decoder", "encoder", "encoder_decoder"),
    "positions": ("learned", "sinusoidal", "rope", "alibi", "t5", "none"),
    "norm": ("layernorm", "rmsnorm", "none"),
    "norm_placement": ("pre", "post"),
    "activation": ("relu", "gelu", "gelu_tanh", "swiglu", "geglu"),
    "head": ("lm", "mlm", "none"),
}


@lab_config
class RopeScaling:
    """How RoPE's angles are stretched so that a model reads further than it was trained to.

    kind: "linear" (position interpolation), "dynamic" (NTK-aware, by the length at hand), "yarn"
    (arXiv:2309.00071) or "llama3" (Llama 3.1's smooth mix of both ends of the spectrum).
    """

    kind: Literal["linear", "dynamic", "yarn", "llama3"]
    factor: float = 1.0  # new length / trained length
    original_max_positions: int = 2048  # the trained length, in tokens
    beta_fast: float = 32.0  # yarn: rotations above which a frequency is left alone
    beta_slow: float = 1.0  # yarn: rotations below which it is fully interpolated
    attention_factor: float | None = None  # yarn: scale of cos and sin; None takes the paper's
    truncate: bool = True  # yarn: round the ramp's ends to whole pairs
    low_freq_factor: float = 1.0  # llama3
    high_freq_factor: float = 4.0  # llama3

    def __post_init__(self):
        if self.kind not in ("linear", "dynamic", "yarn", "llama3"):
            raise LabInputError("rope_scaling", self.kind, "known_choice")
        if not self.factor >= 1:
            raise LabInputError("rope_scaling_factor", self.factor, "at_least", limit=1)


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): keys and values from one small latent.

    The cache holds `kv_lora_rank + rope_head_dim` numbers per token instead of 2·H·d.
    """

    kv_lora_rank: int = 16  # width of the latent that keys and values are rebuilt from
    q_lora_rank: int | None = None  # width of the query's latent; None projects queries directly
    rope_head_dim: int = (
        8  # the part of each head that carries RoPE; its key is shared by all heads
    )
    nope_head_dim: int = 8  # the part without position
    value_head_dim: int = 16


@dataclass(frozen=True, slots=True)
class MixtureOfExperts:
    """A router that sends each token to `experts_per_token` of `num_experts` MLPs."""

    num_experts: int = 4
    experts_per_token: int = 1
    load_balance_weight: float = 0.01  # weight of the auxiliary loss (Switch, arXiv:2101.03961)
    normalise_weights: bool = True  # the chosen experts' weights sum to 1 (Mixtral)


@lab_config
class ModelConfig:
    """One Transformer. The defaults are the lab's smallest decoder, of about 100,000 parameters."""

    kind: Kind = "decoder"
    vocab_size: int = 512
    hidden_size: int = 64  # D
    num_layers: int = 2  # L; of the decoder in an encoder-decoder
    num_encoder_layers: int | None = None  # encoder-decoder only; None means num_layers
    num_heads: int = 4  # H
    num_key_value_heads: int | None = None  # K; None means H (MHA), 1 is MQA, between is GQA
    head_dim: int | None = None  # d; None means D / H, but published models differ (T5, Qwen 3)
    intermediate_size: int | None = None  # F; None means 4·D, 0 leaves attention alone
    max_positions: int = 256  # rows of learned positions; trained length elsewhere, no limit

    positions: Positions = "rope"
    rope_theta: float = 10000.0
    rope_scaling: RopeScaling | None = None
    t5_buckets: int = 32
    t5_max_distance: int = 128

    norm: Literal["layernorm", "rmsnorm", "none"] = "layernorm"
    norm_placement: Literal["pre", "post"] = "pre"
    norm_eps: float = 1e-5
    norm_bias: bool = True  # layernorm's shift
    activation: Activation = "gelu"  # exact; "geglu" gates by the tanh form, as T5 v1.1 does
    qkv_bias: bool = False
    attention_out_bias: bool = False
    mlp_bias: bool = False

    attention_scale: float | None = None  # factor on q·k; None means 1/√d, T5 uses 1
    # Two switches for experiments. Without its mask a decoder sees the very tokens it should predict.
    causal: bool = True  # decoders only
    residual: bool = True  # False: each part replaces the stream instead of adding to it
    sliding_window: int | None = None  # keys a query may look back on, itself included
    latent: LatentAttention | None = None
    moe: MixtureOfExperts | None = None

    head: Literal["lm", "mlm", "none"] = (
        "lm"  # "mlm" adds BERT's dense + norm before the vocabulary
    )
    tie_embeddings: bool = True
    head_bias: bool = False
    logit_scale: float = 1.0  # factor on the hidden state before the head; tied T5 uses D^-1/2
    token_types: int = 0  # BERT's segment embeddings; 0 has none
    embedding_norm: bool = False  # BERT normalises the embeddings
    embedding_scale: float | None = None  # factor on the token embeddings; None: see token_scale
    dropout: float = 0.0

    def __post_init__(self):
        check_choices(self, CHOICES)
        for name in ("vocab_size", "hidden_size", "num_layers", "num_heads", "max_positions"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)
        for name, limit in (("num_encoder_layers", 1), ("head_dim", 1), ("intermediate_size", 0)):
            if getattr(self, name) is not None and getattr(self, name) < limit:
                raise LabInputError(name, getattr(self, name), "at_least", limit=limit)
        if not self.rope_theta > 1:
            raise LabInputError("rope_theta", self.rope_theta, "above", limit=1)
        # Half of the buckets are exact, per direction: one of those at least, and a far end beyond.
        if self.t5_buckets < 4:
            raise LabInputError("t5_buckets", self.t5_buckets, "at_least", limit=4)
        if self.t5_max_distance <= self.t5_buckets // 2:
            raise LabInputError(
                "t5_max_distance", self.t5_max_distance, "above", limit=self.t5_buckets // 2
            )
        if self.head_dim is None and self.latent is None and self.hidden_size % self.num_heads:
            raise LabInputError(
                "num_heads", self.num_heads, "divides_hidden_size", hidden_size=self.hidden_size
            )
        if self.key_value_heads < 1 or self.num_heads % self.key_value_heads:
            raise LabInputError(
                "num_key_value_heads", self.key_value_heads, "divides_heads", heads=self.num_heads
            )
        if self.positions == "rope" and self.rope_dim % 2:
            raise LabInputError("head_dim", self.rope_dim, "even_for_rope")
        if not 0 <= self.dropout < 1:
            raise LabInputError("dropout", self.dropout, "between", low=0, high=1)
        if self.sliding_window is not None and self.sliding_window < 1:
            raise LabInputError("sliding_window", self.sliding_window, "at_least", limit=1)
        if self.moe and not 1 <= self.moe.experts_per_token <= self.moe.num_experts:
            raise LabInputError(
                "experts_per_token", self.moe.experts_per_token, "between",
                low=1, high=self.moe.num_experts,
            )  # fmt: skip

    # Derived sizes: the one place where None is resolved.

    @property
    def key_value_heads(self) -> int:
        return self.num_heads if self.num_key_value_heads is None else self.num_key_value_heads

    @property
    def size_per_head(self) -> int:
        """d, the width of one query or key."""
        if self.latent:
            return self.latent.rope_head_dim + self.latent.nope_head_dim
        return self.hidden_size // self.num_heads if self.head_dim is None else self.head_dim

    @property
    def rope_dim(self) -> int:
        """How many of a head's d numbers RoPE turns."""
        return self.latent.rope_head_dim if self.latent else self.size_per_head

    @property
    def token_scale(self) -> float:
        """Factor on the token embeddings: √D beside sinusoids (Vaswani et al.), else 1.

        Sinusoids have amplitude 1 and do not learn: unscaled embeddings would drown beside them.
        """
        if self.embedding_scale is not None:
            return self.embedding_scale
        return self.hidden_size**0.5 if self.positions == "sinusoidal" else 1.0

    @property
    def mlp_size(self) -> int:
        return 4 * self.hidden_size if self.intermediate_size is None else self.intermediate_size

    @property
    def encoder_layers(self) -> int:
        """Layers of the encoder stack; a decoder has none."""
        if self.kind == "decoder":
            return 0
        if self.kind == "encoder":
            return self.num_layers
        return self.num_layers if self.num_encoder_layers is None else self.num_encoder_layers

    @property
    def decoder_layers(self) -> int:
        return 0 if self.kind == "encoder" else self.num_layers

    @property
    def gated(self) -> bool:
        """SwiGLU and GeGLU have a third matrix that gates the second."""
        return self.activation in ("swiglu", "geglu")

    def with_(self, **changes: Any) -> "ModelConfig":
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """Inverse of `to_dict`; an unknown field is an error, not a silent loss."""
        nested = {"rope_scaling": RopeScaling, "latent": LatentAttention, "moe": MixtureOfExperts}
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise LabInputError("config", sorted(unknown), "known_fields")
        return cls(
            **{
                name: nested[name](**value) if name in nested and value is not None else value
                for name, value in values.items()
            }
        )
