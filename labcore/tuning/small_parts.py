"""Other ways to tune a little of a model: scales, bottlenecks, virtual tokens, a learned cache.

All leave the weights as they are. (IA)³ multiplies keys, values and the MLP's inner layer by learned
numbers; an adapter is a narrow MLP behind each part; prompt tuning learns the embeddings of tokens that
nobody wrote; prefix tuning learns what such tokens would have left in the key/value cache.

Sources: (IA)³ arXiv:2205.05638; adapters arXiv:1902.00751; prompt tuning arXiv:2104.08691; prefix tuning
arXiv:2101.00190 (without its reparametrising MLP).
Axes: B batch, T position, D width, K key/value heads, d head width, P virtual tokens.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.model.cache import KVCache
from labcore.model.transformer import Output, Transformer
from labcore.tuning.lora import replace, target_linears


class ScaledLinear(nn.Module):
    """(IA)³: a frozen linear map whose outputs, or inputs, are multiplied by learned numbers."""

    def __init__(self, base: nn.Linear, scale_inputs: bool):
        super().__init__()
        self.base, self.scale_inputs = base.requires_grad_(False), scale_inputs
        size = base.in_features if scale_inputs else base.out_features
        self.factors = nn.Parameter(torch.ones(size))  # one: step 0 changes nothing

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x * self.factors) if self.scale_inputs else self.base(x) * self.factors


def attach_ia3(model: nn.Module) -> nn.Module:
    """Scales on keys, values and the MLP's inner layer; the model is changed."""
    model.requires_grad_(False)
    for name, linear in list(target_linears(model, ("k", "v", "down"))):
        replace(model, name, ScaledLinear(linear, scale_inputs=name.endswith(".down")))
    return model


class Bottleneck(nn.Module):
    """An adapter behind a frozen linear map: y + widen(bend(narrow(y)))."""

    def __init__(self, base: nn.Linear, width: int, generator: torch.Generator):
        super().__init__()
        self.base, outputs = base.requires_grad_(False), base.out_features
        self.narrow = nn.Parameter(torch.empty(width, outputs))
        nn.init.normal_(self.narrow, std=outputs**-0.5, generator=generator)
        self.widen = nn.Parameter(torch.zeros(outputs, width))  # zero: step 0 changes nothing

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        return y + F.linear(F.gelu(F.linear(y, self.narrow)), self.widen)


def attach_adapters(model: nn.Module, width: int, generator: torch.Generator) -> nn.Module:
    """An adapter behind each attention and each MLP; the model is changed."""
    model.requires_grad_(False)
    for name, linear in list(target_linears(model, ("out", "down"))):
        replace(model, name, Bottleneck(linear, width, generator))
    return model


class PromptTuned(nn.Module):
    """A frozen decoder that reads P learned vectors before every text."""

    def __init__(self, model: Transformer, tokens: int, generator: torch.Generator):
        super().__init__()
        self.model, self.config = model.requires_grad_(False), model.config
        # Begun as embeddings of random tokens, in whose midst the model knows its way.
        table = model.token_embedding.weight
        drawn = torch.randint(len(table), (tokens,), generator=generator)
        self.prompt = nn.Parameter(table[drawn].detach().clone())  # (P, D)

    def forward(
        self, tokens: Tensor, padding_mask: Tensor | None = None, asked: Tensor | None = None,
        **more: Any,
    ) -> Output:  # fmt: skip
        """Like the model's own; what it says at the virtual tokens is cut off."""
        size = len(self.prompt)
        stand_ins = tokens.new_zeros(len(tokens), size)  # their embeddings are put in below
        if padding_mask is not None:
            padding_mask = torch.cat(
                [torch.ones_like(stand_ins, dtype=torch.bool), padding_mask], 1
            )

        def put_in(embedded: Tensor) -> Tensor:  # (B, P + T, D)
            prompt = self.prompt.expand(len(embedded), -1, -1)
            return torch.cat([prompt * self.config.token_scale, embedded[:, size:]], dim=1)

        output = self.model(
            torch.cat([stand_ins, tokens], dim=1), padding_mask=padding_mask,
            asked=None if asked is None else F.pad(asked, (size, 0)),
            interventions={"embed.tokens": put_in}, **more,
        )  # fmt: skip
        logits = output.logits[:, size:] if asked is None else output.logits
        return Output(logits, output.hidden[:, size:], output.trace, output.balance_loss)


class PrefixTuned(nn.Module):
    """A frozen decoder whose key/value cache begins with P learned entries in every layer."""

    def __init__(self, model: Transformer, tokens: int, generator: torch.Generator):
        super().__init__()
        self.model, self.config = model.requires_grad_(False), model.config
        # Begun as what random tokens leave in the cache.
        drawn = torch.randint(model.config.vocab_size, (1, tokens), generator=generator)
        with torch.no_grad():
            cache = KVCache()
            model(drawn, cache=cache)
        self.names = tuple(cache.entries)
        self.keys, self.values = (
            nn.ParameterList([cache.entries[name][part].clone() for name in self.names])
            for part in (0, 1)
        )  # each (1, K, P, d)

    def forward(self, tokens: Tensor, padding_mask: Tensor | None = None, **more: Any) -> Output:
        cache = KVCache()
        for name, keys, values in zip(self.names, self.keys, self.values, strict=True):
            cache.entries[name] = tuple(
                part.expand(len(tokens), -1, -1, -1) for part in (keys, values)
            )
        cache.positions = torch.arange(self.keys[0].shape[2])[None]
        return self.model(tokens, padding_mask=padding_mask, cache=cache, **more)


def trained_parameters(model: nn.Module) -> int:
    """Numbers that learn."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
