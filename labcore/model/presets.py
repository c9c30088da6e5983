"""Published models as `ModelConfig`s: the values of their own `config.json` files.

The parameter count that falls out of each (`counting.parameter_total`) equals the published one; that
is the proof that a preset is right, and the tests hold them all to it.

Two departures, both outside the Transformer proper: the pooler of BERT and MiniLM (D² + D parameters
on the first token, used by no lab) is left out, and dropout is 0, as when a model is only read.
"""

from dataclasses import dataclass

from labcore.model.config import MixtureOfExperts, ModelConfig, RopeScaling


@dataclass(frozen=True, slots=True)
class Preset:
    """A published model: `title` as its makers write it, `source` where its sizes are stated."""

    title: str
    config: ModelConfig
    year: int
    source: str


def gpt2(hidden_size: int, num_layers: int, num_heads: int) -> ModelConfig:
    return ModelConfig(
        vocab_size=50257,
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=num_heads,
        max_positions=1024,
        positions="learned",
        activation="gelu_tanh",
        qkv_bias=True,
        attention_out_bias=True,
        mlp_bias=True,
    )


def gpt3(hidden_size: int, num_layers: int, num_heads: int) -> ModelConfig:
    """GPT-2 with twice the context; GPT-3's sparse layers have the same weights as dense ones."""
    return gpt2(hidden_size, num_layers, num_heads).with_(max_positions=2048)


def bert(hidden_size: int, num_layers: int, num_heads: int) -> ModelConfig:
    return ModelConfig(
        kind="encoder",
        vocab_size=30522,
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=num_heads,
        max_positions=512,
        positions="learned",
        norm_placement="post",
        norm_eps=1e-12,
        qkv_bias=True,
        attention_out_bias=True,
        mlp_bias=True,
        head="mlm",
        head_bias=True,
        token_types=2,
        embedding_norm=True,
    )


def t5(hidden_size: int, num_layers: int, num_heads: int, intermediate_size: int) -> ModelConfig:
    return ModelConfig(
        kind="encoder_decoder",
        vocab_size=32128,
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=num_heads,
        head_dim=64,
        intermediate_size=intermediate_size,
        max_positions=512,
        positions="t5",
        norm="rmsnorm",
        norm_eps=1e-6,
        activation="relu",
        attention_scale=1.0,
        logit_scale=hidden_size**-0.5,
    )


def t5_v1_1(
    hidden_size: int, num_layers: int, num_heads: int, intermediate_size: int
) -> ModelConfig:
    """T5 1.1 gates its MLP and gives the head a matrix of its own, hence no scale before it."""
    original = t5(hidden_size, num_layers, num_heads, intermediate_size)
    return original.with_(activation="geglu", tie_embeddings=False, logit_scale=1.0)


def llama(
    vocab_size: int,
    hidden_size: int,
    num_layers: int,
    heads: tuple[int, int],
    intermediate_size: int,
    max_positions: int,
    rope_theta: float = 10000.0,
    tied: bool = False,
) -> ModelConfig:
    """The Llama family; `heads` is (query heads, key/value heads)."""
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=heads[0],
        num_key_value_heads=heads[1],
        intermediate_size=intermediate_size,
        max_positions=max_positions,
        rope_theta=rope_theta,
        norm="rmsnorm",
        activation="swiglu",
        tie_embeddings=tied,
    )


def qwen2(
    vocab_size: int,
    hidden_size: int,
    num_layers: int,
    heads: tuple[int, int],
    intermediate_size: int,
    max_positions: int,
    tied: bool,
) -> ModelConfig:
    """Llama with a bias on queries, keys and values."""
    base = llama(
        vocab_size, hidden_size, num_layers, heads, intermediate_size, max_positions, 1e6, tied
    )
    return base.with_(qkv_bias=True, norm_eps=1e-6)


LLAMA_3_1_ROPE = RopeScaling("llama3", factor=8.0, original_max_positions=8192)
LLAMA_3_2_ROPE = RopeScaling("llama3", factor=32.0, original_max_positions=8192)
MINILM_L6 = bert(384, 6, 12).with_(head="none", head_bias=False)
MISTRAL_7B = llama(32000, 4096, 32, (32, 8), 14336, 32768).with_(sliding_window=4096)
MIXTRAL_8X7B = llama(32000, 4096, 32, (32, 8), 14336, 32768, 1e6).with_(
    moe=MixtureOfExperts(num_experts=8, experts_per_token=2, load_balance_weight=0.02)
)

GPT2 = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"
BERT = "arXiv:1810.04805"
T5 = "arXiv:1910.10683"
GLU = "arXiv:2002.05202"  # GLU variants improve Transformer: what T5 1.1 adopted
GPT3 = "arXiv:2005.14165"
LLAMA_2 = "arXiv:2307.09288"
LLAMA_3 = "arXiv:2407.21783"
QWEN_2_5 = "arXiv:2412.15115"
SMOLLM2 = "arXiv:2502.02737"

PRESETS: dict[str, Preset] = {
    "gpt2": Preset("GPT-2 124M", gpt2(768, 12, 12), 2019, GPT2),
    "gpt2-medium": Preset("GPT-2 355M", gpt2(1024, 24, 16), 2019, GPT2),
    "gpt2-large": Preset("GPT-2 774M", gpt2(1280, 36, 20), 2019, GPT2),
    "gpt2-xl": Preset("GPT-2 1.5B", gpt2(1600, 48, 25), 2019, GPT2),
    "gpt3-175b": Preset("GPT-3 175B", gpt3(12288, 96, 96), 2020, GPT3),
    "bert-base": Preset("BERT base", bert(768, 12, 12), 2018, BERT),
    "bert-large": Preset("BERT large", bert(1024, 24, 16), 2018, BERT),
    "minilm-l6": Preset("all-MiniLM-L6-v2", MINILM_L6, 2021, "arXiv:2002.10957"),
    "t5-small": Preset("T5 small", t5(512, 6, 8, 2048), 2019, T5),
    "t5-base": Preset("T5 base", t5(768, 12, 12, 3072), 2019, T5),
    "t5-v1.1-small": Preset("T5 1.1 small", t5_v1_1(512, 8, 6, 1024), 2020, GLU),
    "t5-v1.1-base": Preset("T5 1.1 base", t5_v1_1(768, 12, 12, 2048), 2020, GLU),
    "llama-2-7b": Preset(
        "Llama 2 7B", llama(32000, 4096, 32, (32, 32), 11008, 4096), 2023, LLAMA_2
    ),
    "llama-2-13b": Preset(
        "Llama 2 13B", llama(32000, 5120, 40, (40, 40), 13824, 4096), 2023, LLAMA_2
    ),
    "llama-2-70b": Preset(
        "Llama 2 70B", llama(32000, 8192, 80, (64, 8), 28672, 4096), 2023, LLAMA_2
    ),
    "llama-3-8b": Preset(
        "Llama 3 8B", llama(128256, 4096, 32, (32, 8), 14336, 8192, 500000.0), 2024, LLAMA_3
    ),
    "llama-3-70b": Preset(
        "Llama 3 70B", llama(128256, 8192, 80, (64, 8), 28672, 8192, 500000.0), 2024, LLAMA_3
    ),
    "llama-3.1-405b": Preset(
        "Llama 3.1 405B",
        llama(128256, 16384, 126, (128, 8), 53248, 131072, 500000.0).with_(
            rope_scaling=LLAMA_3_1_ROPE
        ),
        2024,
        LLAMA_3,
    ),
    "llama-3.2-1b": Preset(
        "Llama 3.2 1B",
        llama(128256, 2048, 16, (32, 8), 8192, 131072, 500000.0, tied=True).with_(
            rope_scaling=LLAMA_3_2_ROPE
        ),
        2024,
        "https://huggingface.co/meta-llama/Llama-3.2-1B",
    ),
    "mistral-7b": Preset("Mistral 7B v0.1", MISTRAL_7B, 2023, "arXiv:2310.06825"),
    "mixtral-8x7b": Preset("Mixtral 8x7B", MIXTRAL_8X7B, 2023, "arXiv:2401.04088"),
    "qwen2.5-0.5b": Preset(
        "Qwen2.5 0.5B", qwen2(151936, 896, 24, (14, 2), 4864, 32768, tied=True), 2024, QWEN_2_5
    ),
    "qwen2.5-7b": Preset(
        "Qwen2.5 7B", qwen2(152064, 3584, 28, (28, 4), 18944, 131072, tied=False), 2024, QWEN_2_5
    ),
    "smollm2-135m": Preset(
        "SmolLM2 135M", llama(49152, 576, 30, (9, 3), 1536, 8192, 1e5, tied=True), 2025, SMOLLM2
    ),
    "smollm2-360m": Preset(
        "SmolLM2 360M", llama(49152, 960, 32, (15, 5), 2560, 8192, 1e5, tied=True), 2025, SMOLLM2
    ),
    "smollm2-1.7b": Preset(
        "SmolLM2 1.7B",
        llama(49152, 2048, 24, (32, 32), 8192, 8192, 1.3e5, tied=True),
        2025,
        SMOLLM2,
    ),
}
