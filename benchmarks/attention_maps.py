"""Looking inside: one pass with everything kept, ours beside transformers and transformer_lens.

Ours keeps, for each layer, what enters it, goes between its halves and leaves it, both normalised inputs,
queries and keys before and after RoPE, values, scores, mask, maps, what each head and each half says, the
MLP's inside, and at the end the last norm and the logits. transformers keeps maps, hidden states and logits
(`output_attentions`, `output_hidden_states`, attention "eager", which alone gives maps); transformer_lens
much the same as ours. All have the same weights.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.lens_peer import Lens
from benchmarks.peers import in_transformers
from benchmarks.rounds import Spread, alternate, at_least, table
from labcore.architecture.attention_maps import AttentionConfig
from labcore.zoo import load

AIM = 1.0
MODELS = {  # lengths in tokens, and rounds
    "world-decoder": ((16, 64, 128, 256, 512), 9),
    "smollm2-135m-instruct": ((16, 128, 512), 5),
}
PEERS = {
    "transformers": "transformers",
    "hooked": "HookedTransformer",
    "bridge": "TransformerBridge",
}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One model at one length."""

    model: str
    length: int
    seconds: dict[str, Spread]
    kept: dict[str, int]  # tensors
    apart: float  # the farthest logit of the last place, of all peers

    def cells(self) -> list[str]:
        ours = self.seconds["ours"]
        ratios = [self.seconds[peer].over(ours).text("×") for peer in PEERS]
        return [self.model, self.length, ours.text(" ms", 1e3), *ratios, f"{self.apart:.0e}"]

    def worst(self) -> float:
        """Against the fastest peer."""
        return min(self.seconds[peer].over(self.seconds["ours"]).median for peer in PEERS)


def text_of(name: str, length: int) -> list[int]:
    """The lab's opening text, told again and again until it is long enough."""
    ids = load(name).tokenizer.encode(AttentionConfig().text)
    return (ids * (length // len(ids) + 1))[:length]


def kept_by_transformers(output) -> int:
    return len(output.attentions) + len(output.hidden_states) + 1


def measure(name: str, length: int, rounds: int, theirs: torch.nn.Module, lens: Lens) -> Row:
    model, ids = load(name).model, text_of(name, length)
    tokens = torch.tensor([ids])

    def ours():
        return model(tokens, trace=True)

    def transformers():
        return theirs(tokens, output_attentions=True, output_hidden_states=True, use_cache=False)

    output, wanted = ours(), transformers()
    kept = {"ours": len(output.trace), "transformers": kept_by_transformers(wanted)}
    last = output.logits[0, -1]
    apart = [farthest(last, wanted.logits[0, -1])]
    for which in ("hooked", "bridge"):
        kept[which], logits = lens.run(which, ids)
        apart.append(farthest(last, torch.tensor(logits)))
    del output, wanted
    seconds = alternate(
        {
            "ours": ours,
            "transformers": transformers,
            "hooked": lambda: lens.run("hooked", ids),
            "bridge": lambda: lens.run("bridge", ids),
        },
        rounds,
        warm=1,
        # The other process counts its own processor time, of its runs alone.
        clock=lambda: time.process_time() + lens.spent,
    )
    return Row(name, length, seconds, kept, max(apart))


def farthest(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def rows() -> tuple[list[Row], str]:
    """All of them, and the version of transformer_lens."""
    torch.set_num_threads(1)
    found = []
    with torch.no_grad():
        for name, (lengths, rounds) in MODELS.items():
            theirs, lens = in_transformers(load(name).model), Lens(name)
            found += [measure(name, length, rounds, theirs, lens) for length in lengths]
            lens.close()
    return found, lens.version


def section() -> str:
    measured, version = rows()
    head = [
        "model",
        "tokens",
        "ours",
        *(f"{peer} / ours" for peer in PEERS.values()),
        "logits apart",
    ]
    kept = "; ".join(
        f"{model}: " + ", ".join(f"{count} {name}" for name, count in row.kept.items())
        for model, row in {row.model: row for row in measured}.items()
    )
    short = [row for row in measured if row.worst() < AIM]
    verdict = at_least(min(row.worst() for row in measured), AIM)
    told = verdict[0].upper() + verdict[1:]
    where = ", ".join(f"{row.model} at {row.length} ({row.worst():.2f}×)" for row in short)
    because = BECAUSE.format(where=where) if short else "."
    return f"""## 3. Attention maps with everything captured

One forward pass in one thread, all intermediates kept, against `transformers` (maps, hidden states and
logits) and `transformer_lens` {version} (`run_with_cache` of `HookedTransformer` and of
`TransformerBridge`), the same weights and text; processor time, and how many times as long a peer takes.

{table(head, [row.cells() for row in measured])}

Tensors kept: {kept}.

Aim: faster than every peer at every length. **{told}**{because}"""


BECAUSE = """: {where}.
`transformers` keeps two tensors a layer where ours keeps seventeen, queries, keys and scores among them: a
second table of T·T numbers per head, in memory that the system hands out anew and clears page by page. The
matrix products, most of a pass, are the same in both."""


if __name__ == "__main__":
    print(section())
