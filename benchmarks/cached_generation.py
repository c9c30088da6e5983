"""Cached generation: the lab's writers and `transformers.generate`, with the same weights.

The likeliest token each time, so both must write the same text; the tables say whether they do. One
text by `labcore.model.generation.generate`, sixteen at once by `labcore.tuning.rollouts`, the loops that
the labs themselves use. "Products alone" is the time of the matrix products that any writer has to make in
torch, on weights of these shapes and with nothing in between: the ratio that nobody can pass.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.operators import spent
from benchmarks.peers import in_transformers
from benchmarks.rounds import alternate, at_least, table
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.text.world import micro_world
from labcore.tuning.rollouts import sample_responses
from labcore.zoo import load

AIM, ROUNDS = 1.5, 7
SMOLLM = "smollm2-135m-instruct"
WRITTEN = {"world-decoder": 64, SMOLLM: 32}  # tokens
PROMPT = {"world-decoder": 24, SMOLLM: 32}
NOWHERE = -1  # an end that no token is: every text gets its full length


def models(name: str) -> tuple[Transformer, nn.Module]:
    """Ours and the peer's, with the same weights."""
    mine = load(name).model.eval()
    return mine, in_transformers(mine, attention="sdpa")


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


def products_alone(model: Transformer, asked: Tensor, tokens: int) -> Callable[[], object]:
    """Every weight matrix times vectors: once for the whole prompts, then for one token of each text."""
    weights = [part.weight for part in model.modules() if isinstance(part, nn.Linear)]
    head = model.token_embedding.weight  # tied: reads the last token alone
    rows, length = asked.shape
    inputs = {
        width: (torch.randn(rows * length, width), torch.randn(rows, width))
        for width in {weight.shape[1] for weight in (*weights, head)}
    }

    def multiply() -> None:
        for weight in weights:
            F.linear(inputs[weight.shape[1]][0], weight)
        for _ in range(tokens - 1):
            for weight in weights:
                F.linear(inputs[weight.shape[1]][1], weight)
        for _ in range(tokens):
            F.linear(inputs[head.shape[1]][1], head)

    return torch.no_grad()(multiply)


def section() -> str:
    torch.set_num_threads(1)
    rows, verdicts = [], []
    for name, tokens in WRITTEN.items():
        mine, peer = models(name)
        for batch in (1, 16):
            asked = prompts(name, batch)
            writers = {
                "ours": our_writer(mine, asked, tokens),
                "peer": peer_writer(peer, asked, tokens),
            }
            equal = (writers["ours"]() == writers["peer"]()).float().mean()
            writers["products alone"] = products_alone(mine, asked, tokens)
            seconds = alternate(writers, ROUNDS, warm=1)
            ratio, most = (seconds["peer"].over(seconds[who]) for who in ("ours", "products alone"))
            steps = (s.text(" ms", 1e3 / tokens) for s in seconds.values())
            rows.append((name, batch, *steps, ratio.text("×"), f"{equal:.0%}"))
            verdict = at_least(ratio.median, AIM)
            reason = ""
            if verdict != "met":
                own, theirs = (spent(writers[who], 1) for who in ("ours", "peer"))
                reason = (
                    f"; the products alone would give {most.median:.2f}×. Of the time in torch's operators "
                    f"{own.products:.0%} are products and attention, {theirs.products:.0%} in transformers; "
                    f"a token takes {own.count / tokens:.0f} operators, {theirs.count / tokens:.0f} there"
                )
            verdicts.append(
                f"- {name}, batch {batch}: {ratio.text('×')}; aim {AIM}: {verdict}{reason}."
            )
    head = (
        "model", "texts at once", "ours, a step", "transformers, a step", "products alone",
        "ratio", "equal tokens",
    )  # fmt: skip
    return "\n\n".join(
        [
            "## 2. Cached generation", " ".join(__doc__.split("\n\n", 1)[1].split()),
            table(head, rows), "\n".join(verdicts),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    print(section())
