"""One training step: the lab's Transformer, transformers' GPT-2 and Llama, torch's own encoder layers.

Everybody has the same sizes, reads the same stories of the micro-world (padded rows, as the labs' own
batches), is asked for the same next tokens and moved by the same fused AdamW after the same clipping; the
output table is the embedding table. What differs is the model: how forward and backward are carried out.
torch has no embedding of tokens and places in its encoder; it gets the simplest that one would write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from benchmarks.operators import spent
from benchmarks.rounds import Contestants, Spread, alternate, at_least, table
from labcore.architecture.build_train import BuildTrainConfig
from labcore.model import counting
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.world import micro_world
from labcore.training import optimiser as optimisers
from labcore.training.loop import update
from labcore.training.objectives import Batch, causal_batch

BATCHES, ROUNDS = 4, 15
RATE, CLIP = 1e-3, 1.0
AIM_FASTEST, AIM_SHARE = 1.2, 0.6
MATRIX = 1024  # side of the square matrices whose product is this machine's speed


@dataclass(frozen=True, slots=True)
class Size:
    name: str
    width: int
    layers: int
    heads: int
    rows: int  # stories in a batch


SIZES = (
    Size("lab default", 64, 2, 4, 16),
    Size("width 128 (world-decoder)", 128, 4, 4, 16),
    Size("width 256", 256, 4, 4, 16),
)


class TorchDecoder(nn.Module):
    """`torch.nn.TransformerEncoder` with a causal mask: the least that makes it a language model."""

    def __init__(self, size: Size, vocabulary: int, longest: int):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, size.width)
        self.places = nn.Embedding(longest, size.width)
        layer = nn.TransformerEncoderLayer(
            size.width, size.heads, 4 * size.width, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True, bias=False,
        )  # fmt: skip
        norm = nn.LayerNorm(size.width)
        self.layers = nn.TransformerEncoder(layer, size.layers, norm, enable_nested_tensor=False)
        for weight in (self.tokens.weight, self.places.weight):
            nn.init.normal_(weight, std=0.02)

    def forward(self, tokens: Tensor, real: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.tokens(tokens) + self.places(torch.arange(length))
        mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        x = self.layers(x, mask=mask, src_key_padding_mask=~real, is_causal=True)
        return F.linear(x, self.tokens.weight)


def gpt2(size: Size, vocabulary: int) -> nn.Module:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary, n_positions=256, n_embd=size.width, n_layer=size.layers,
            n_head=size.heads, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
        )
    )  # fmt: skip


def llama(size: Size, vocabulary: int) -> nn.Module:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=size.width, num_hidden_layers=size.layers,
            num_attention_heads=size.heads, num_key_value_heads=size.heads,
            intermediate_size=4 * size.width, tie_word_embeddings=True, use_cache=False,
            max_position_embeddings=256,
        )
    )  # fmt: skip


def ours(size: Size, vocabulary: int) -> ModelConfig:
    """The lab's default architecture at this size."""
    default = BuildTrainConfig().model(vocabulary)
    return default.with_(
        hidden_size=size.width, num_layers=size.layers, num_heads=size.heads, max_positions=256
    )


def as_gpt2(size: Size, vocabulary: int) -> ModelConfig:
    return ours(size, vocabulary).with_(
        positions="learned", activation="gelu_tanh", qkv_bias=True, attention_out_bias=True,
        mlp_bias=True,
    )  # fmt: skip


def as_llama(size: Size, vocabulary: int) -> ModelConfig:
    return ours(size, vocabulary).with_(norm="rmsnorm", activation="swiglu")


def our_step(config: ModelConfig, batches: Iterator[Batch]) -> Callable[[], object]:
    model = Transformer(config)
    optimiser = optimisers.adamw(model, RATE, 0.01, (0.9, 0.95))
    return lambda: update(model, next(batches), optimiser, RATE, CLIP)


def peer_step(
    model: nn.Module, logits: Callable[[nn.Module, Batch], Tensor], batches: Iterator[Batch]
) -> Callable[[], object]:
    """The step that one would write for a peer: the same loss, clipping and optimiser."""
    optimiser = optimisers.adamw(model, RATE, 0.01, (0.9, 0.95))
    model.train()

    def step() -> float:
        batch = next(batches)
        optimiser.zero_grad()
        loss = F.cross_entropy(logits(model, batch).flatten(0, 1), batch.targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        return loss.item()

    return step


def hf_logits(model: nn.Module, batch: Batch) -> Tensor:
    return model(batch.tokens, attention_mask=batch.padding_mask.long()).logits


def product(side: int = MATRIX) -> Callable[[], object]:
    one, other = torch.randn(side, side), torch.randn(side, side)
    return lambda: one @ other


def measure(size: Size, rounds: int = ROUNDS) -> tuple[Contestants, dict[str, Spread], float]:
    """The contestants, seconds per step of each and per matrix product; our step's FLOPs, in thousand
    millions."""
    world = micro_world()
    vocabulary, pad = world.tokenizer.vocab_size, world.tokenizer.pad_id
    stories = world.dataset(BATCHES * size.rows, seed=1)
    batches = [
        causal_batch(stories[at : at + size.rows], pad) for at in range(0, len(stories), size.rows)
    ]
    turns = partial(cycle, batches)  # each contestant reads all of them in turn
    longest = max(batch.tokens.shape[1] for batch in batches)
    torch_decoder = TorchDecoder(size, vocabulary, longest)
    contestants = {
        "ours": our_step(ours(size, vocabulary), turns()),
        "ours as GPT-2": our_step(as_gpt2(size, vocabulary), turns()),
        "ours as Llama": our_step(as_llama(size, vocabulary), turns()),
        "transformers GPT-2": peer_step(gpt2(size, vocabulary), hf_logits, turns()),
        "transformers Llama": peer_step(llama(size, vocabulary), hf_logits, turns()),
        "torch encoder": peer_step(
            torch_decoder, lambda model, batch: model(batch.tokens, batch.padding_mask), turns()
        ),
        "product": product(),
    }
    seconds = alternate(contestants, rounds, least_seconds=0.05 * BATCHES)
    flops = [step_flops(ours(size, vocabulary), batch) for batch in batches]
    return contestants, seconds, sum(flops) / len(flops) / 1e9


def step_flops(config: ModelConfig, batch: Batch) -> float:
    """Forward and backward: three times what the forward passes of the rows need."""
    rows, length = batch.tokens.shape
    return 3 * rows * counting.flops_total(config, length)


WHY = (
    "Where the aim is missed: the products and the loss over the whole vocabulary, most of a step, are the "
    "same work in both; what can be saved is what stands between them."
)


def section() -> str:
    torch.set_num_threads(1)
    rows, shares, verdicts = [], [], []
    for size in SIZES:
        contestants, seconds, flops = measure(size)
        own = seconds["ours"]
        peers = {name: s for name, s in seconds.items() if " " in name and "ours" not in name}
        fastest = min(peers, key=lambda name: peers[name].median)
        ratio = peers[fastest].over(own)
        for name, spread in seconds.items():
            if name != "product":
                versus = "–" if name == "ours" else spread.over(own).text("×")
                rows.append((size.name, name, spread.text(" ms", 1e3), versus))
        roof = Spread(2 * MATRIX**3 / seconds["product"].values / 1e9)
        share = Spread(flops / own.values).over(roof)
        shares.append((size.name, f"{flops:.2f}", roof.text(digits=0), share.text("%", 100, 0)))
        verdicts.append(
            f"- {size.name}: {ratio.text('×')} the fastest peer ({fastest}); "
            f"aim {AIM_FASTEST}: {at_least(ratio.median, AIM_FASTEST)}. Where the time in torch's operators "
            f"goes: ours, {spent(contestants['ours'], BATCHES).text()}; theirs, "
            f"{spent(contestants[fastest], BATCHES).text()}."
        )
        if size.width == 256:
            verdicts.append(
                f"- Share of the matrix-product speed at width 256: {share.text('%', 100, 0)}; "
                f"aim {AIM_SHARE:.0%}: {at_least(share.median, AIM_SHARE)}."
            )
    return "\n\n".join(
        [
            "## 1. A training step",
            " ".join(__doc__.split("\n\n", 1)[1].split()),
            table(("size", "model", "a step", "time by ours"), rows),
            table(
                ("size", "10⁹ FLOPs a step", f"10⁹ FLOPs/s of a product of {MATRIX}²", "our share"),
                shares,
            ),
            "\n".join(verdicts),
            WHY,
        ]
    )


if __name__ == "__main__":
    print(section())
