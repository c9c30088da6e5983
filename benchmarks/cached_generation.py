"""Cached generation: the lab's writers and `transformers.generate`, with the same weights.

The likeliest token each time, so both must write the same text; the tables say whether they do. One
text by `labcore.model.generation.generate`, sixteen at once by `labcore.tuning.rollouts`, the loops that
the labs themselves use. world-decoder stands in transformers as a GPT-NeoX whose biases are zero.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GPTNeoXConfig, GPTNeoXForCausalLM

from benchmarks.rounds import alternate, at_least, table
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.text.world import micro_world
from labcore.tuning.rollouts import sample_responses
from labcore.zoo import load
from labcore.zoo.cache import cache_root

AIM, ROUNDS = 1.5, 3
SMOLLM = "smollm2-135m-instruct"
WRITTEN = {"world-decoder": 64, SMOLLM: 32}  # tokens
PROMPT = {"world-decoder": 24, SMOLLM: 32}
NOWHERE = -1  # an end that no token is: every text gets its full length


def as_neox(model: Transformer) -> GPTNeoXForCausalLM:
    """Our weights in the class with the same parts: LayerNorm, rotated halves, GELU."""
    config = model.config
    peer = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=config.vocab_size, hidden_size=config.hidden_size,
            num_hidden_layers=config.num_layers, num_attention_heads=config.num_heads,
            intermediate_size=config.mlp_size, max_position_embeddings=config.max_positions,
            rotary_pct=1.0, use_parallel_residual=False, attention_bias=False, hidden_act="gelu",
            layer_norm_eps=config.norm_eps, tie_word_embeddings=True, bos_token_id=None,
            eos_token_id=None, hidden_dropout=0.0, attention_dropout=0.0,
        )
    )  # fmt: skip
    with torch.no_grad():
        copy(peer.gpt_neox.embed_in, model.token_embedding)
        copy(peer.gpt_neox.final_layer_norm, model.stack.final_norm)
        for theirs, mine in zip(peer.gpt_neox.layers, model.stack.layers, strict=True):
            copy(theirs.input_layernorm, mine.attn_norm)
            copy(theirs.post_attention_layernorm, mine.mlp_norm)
            parts = [
                part.weight.view(config.num_heads, 1, -1, config.hidden_size)
                for part in (mine.attn.q, mine.attn.k, mine.attn.v)
            ]
            theirs.attention.query_key_value.weight.copy_(torch.cat(parts, 1).flatten(0, 2))
            copy(theirs.attention.dense, mine.attn.out)
            copy(theirs.mlp.dense_h_to_4h, mine.mlp.up)
            copy(theirs.mlp.dense_4h_to_h, mine.mlp.down)
    return peer.eval()


def copy(theirs: nn.Module, mine: nn.Module) -> None:
    theirs.weight.copy_(mine.weight)
    if getattr(theirs, "bias", None) is not None:
        bias = getattr(mine, "bias", None)
        theirs.bias.zero_() if bias is None else theirs.bias.copy_(bias)


def models(name: str) -> tuple[Transformer, nn.Module]:
    """Ours and the peer's, with the same weights."""
    mine = load(name).model.eval()
    if name == SMOLLM:
        folder = cache_root() / "models" / name  # `load` has put it there
        return mine, AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return mine, as_neox(mine)


def prompts(name: str, rows: int) -> Tensor:
    """Beginnings of stories, all of one length.  -> (B, P)"""
    if name == SMOLLM:
        text = load(name).tokenizer.encode("The history of the sea is a long one, and " * 40)
        return torch.tensor([text[row : row + PROMPT[name]] for row in range(rows)])
    stories = [s for s in micro_world().dataset(200, seed=7) if len(s) > PROMPT[name]]
    return torch.tensor([story[: PROMPT[name]] for story in stories[:rows]])


def our_writer(model: Transformer, asked: Tensor, tokens: int) -> Callable[[], Tensor]:
    config, rng = SamplingConfig(temperature=0, max_new_tokens=tokens), torch.Generator()
    if len(asked) == 1:
        return lambda: torch.tensor(
            [[written.token for written in generate(model, asked[0].tolist(), config)]]
        )
    return lambda: sample_responses(model, asked, tokens, NOWHERE, 0, rng, temperature=0)


def peer_writer(model: nn.Module, asked: Tensor, tokens: int) -> Callable[[], Tensor]:
    more = {"max_new_tokens": tokens, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    mask = torch.ones_like(asked)
    return lambda: model.generate(asked, attention_mask=mask, **more)[:, asked.shape[1] :]


def section() -> str:
    torch.set_num_threads(1)
    rows, verdicts = [], []
    for name, tokens in WRITTEN.items():
        mine, peer = models(name)
        for batch in (1, 16):
            asked = prompts(name, batch)
            writers = {"ours": our_writer(mine, asked, tokens), "peer": peer_writer(peer, asked, tokens)}
            equal = (writers["ours"]() == writers["peer"]()).float().mean()
            seconds = alternate(writers, ROUNDS, warm=1)
            ratio = seconds["peer"].over(seconds["ours"])
            per_token = {who: s.text(" ms", 1e3 / tokens) for who, s in seconds.items()}
            rows.append((name, batch, *per_token.values(), ratio.text("×"), f"{equal:.0%}"))
            verdicts.append(
                f"- {name}, batch {batch}: {ratio.text('×')}; aim {AIM}: {at_least(ratio.median, AIM)}."
            )
    head = ("model", "texts at once", "ours, a step", "transformers, a step", "ratio", "equal tokens")
    return "\n\n".join(
        [
            "## 2. Cached generation", " ".join(__doc__.split("\n\n", 1)[1].split()),
            table(head, rows), "\n".join(verdicts),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    print(section())
