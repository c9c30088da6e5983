"""A stack: positions, blocks, final norm. An encoder is one, a decoder is one, a translator has both."""

import torch
from torch import Tensor, nn

from labcore.errors import LabInputError
from labcore.model import positions as place
from labcore.model.attention import Rope, View, attention_mask
from labcore.model.blocks import Block, Dropout
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.norms import Norm
from labcore.model.trace import Probe


class Stack(nn.Module):
    """Token vectors in, hidden states out.

    `causal`: no token sees a later one. `cross`: each block also reads an encoder's output.
    """

    def __init__(
        self, config: ModelConfig, layers: int, causal: bool, cross: bool, dropout: Dropout
    ):
        super().__init__()
        self.config, self.causal = config, causal
        width, heads = config.hidden_size, config.num_heads
        learned, t5 = config.positions == "learned", config.positions == "t5"
        self.position_embedding = nn.Embedding(config.max_positions, width) if learned else None
        self.embedding_norm = Norm(config) if config.embedding_norm else None
        # subtle: T5 keeps one table per stack, which all its layers share.
        self.relative_bias = nn.Embedding(config.t5_buckets, heads) if t5 else None
        self.layers = nn.ModuleList(Block(config, cross, dropout) for _ in range(layers))
        # Post-norm blocks end in a norm of their own.
        self.final_norm = Norm(config) if config.norm_placement == "pre" else None
        self.dropout = dropout

    def forward(
        self,
        x: Tensor,
        probe: Probe,
        padding_mask: Tensor | None = None,
        positions: Tensor | None = None,
        cache: KVCache | None = None,
        context: Tensor | None = None,
        context_padding_mask: Tensor | None = None,
        documents: Tensor | None = None,
        prefix_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | float]:
        """(B, T, D) embedded tokens -> (B, T, D) hidden states, the sum of the balance losses"""
        past = 0 if cache is None else cache.length
        index = torch.arange(past, past + x.shape[1], device=x.device)
        places = index[None] if positions is None else positions  # (B or 1, T)
        x = self.enter(x, places, probe.within("embed"))
        view = self.view(index, places, padding_mask, cache, documents, prefix_mask)
        context_view = self.context_view(x.shape[1], context_padding_mask, cache)
        balance = 0.0
        for number, layer in enumerate(self.layers):
            name = f"layers.{number}"
            x, more = layer(x, view, name, probe.within(name), context, context_view)
            balance = balance + more
        return probe("final.norm", x if self.final_norm is None else self.final_norm(x)), balance

    def enter(self, x: Tensor, places: Tensor, probe: Probe) -> Tensor:
        """Add what is added to the embeddings, normalise if the config says so."""
        if self.position_embedding is not None:
            limit = self.config.max_positions
            if int(places.max()) >= limit:
                raise LabInputError("tokens", int(places.max()) + 1, "max_positions", limit=limit)
            x = x + self.placed(self.position_embedding(places), x, probe)
        elif self.config.positions == "sinusoidal":
            x = x + self.placed(place.sinusoidal(places, x.shape[-1]).to(x.dtype), x, probe)
        return self.dropout(x if self.embedding_norm is None else self.embedding_norm(x))

    def placed(self, vectors: Tensor, x: Tensor, probe: Probe) -> Tensor:
        return probe("positions", vectors.expand_as(x))

    def view(
        self,
        index: Tensor,
        places: Tensor,
        padding_mask: Tensor | None,
        cache: KVCache | None,
        documents: Tensor | None,
        prefix_mask: Tensor | None,
    ) -> View:
        """Masks, biases and turns, worked out once for all layers."""
        real, key_places = padding_mask, places
        if cache is not None:
            key_places, padding_mask = cache.read_on(places, padding_mask)
        key_index = torch.arange(key_places.shape[1], device=index.device)
        # A single new token stands behind all that it could see: nothing to hide from it.
        causal = self.causal and len(index) > 1
        mask = attention_mask(
            index, key_index, causal, self.config.sliding_window, padding_mask, documents,
            prefix_mask,
        )  # fmt: skip
        bias, rope = self.bias(places, key_places), self.rope(places, key_places)
        return View(mask, bias, rope, real, cache)

    def context_view(
        self, queries: int, padding_mask: Tensor | None, cache: KVCache | None
    ) -> View:
        """Every query sees every real token of the context."""
        if cache is not None and padding_mask is None:
            padding_mask = cache.context_padding_mask
        if cache is not None:
            cache.context_padding_mask = padding_mask
        if padding_mask is None:
            return View(None, cache=cache)
        return View(padding_mask[:, None, None, :].expand(-1, 1, queries, -1), cache=cache)

    def bias(self, places: Tensor, key_places: Tensor) -> Tensor | None:
        """What positions add to the scores.  (B or 1, T), (B or 1, S) -> (B or 1, H, T, S)"""
        config = self.config
        if config.positions == "alibi":
            return place.alibi_bias(places, key_places, config.num_heads).to(self.dtype)
        if self.relative_bias is None:
            return None
        relative = key_places[:, None, :] - places[:, :, None]  # (B or 1, T, S)
        bucket = place.t5_bucket(
            relative, config.t5_buckets, config.t5_max_distance, bidirectional=not self.causal
        )
        return self.relative_bias(bucket).permute(0, 3, 1, 2)

    def rope(self, places: Tensor, key_places: Tensor) -> Rope | None:
        config = self.config
        if config.positions != "rope":
            return None
        frequencies, amplitude = place.scaled_frequencies(
            config.rope_dim, config.rope_theta, config.rope_scaling, int(key_places.max()) + 1
        )
        frequencies = frequencies.to(places.device)
        query = place.rotation(places, frequencies, amplitude, self.dtype)
        if config.rope_scaling is None or config.rope_scaling.kind != "dynamic":
            return Rope(query, query)
        key = place.rotation(key_places, frequencies, amplitude, self.dtype)
        return Rope(query, key, after_cache=True)

    @property
    def dtype(self) -> torch.dtype:
        # Of any weight that is a plain matrix: others may be packed, or stand inside an adapter.
        return next(weight.dtype for weight in self.parameters() if weight.is_floating_point())
