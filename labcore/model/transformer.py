"""The Transformer: tokens in, logits out; decoder, encoder, or both.

B batch, T position, S position in the context, D hidden_size, V vocab_size.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.errors import LabInputError
from labcore.model.blocks import Dropout
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.initialisation import initialise
from labcore.model.mlp import activate
from labcore.model.norms import Norm
from labcore.model.stack import Stack
from labcore.model.trace import Interventions, Probe


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    logits: Tensor | None  # (B, T, V); (N, V) if only N places were asked; None for head="none"
    hidden: Tensor  # (B, T, D), after the last norm
    trace: dict[str, Tensor] | None
    balance_loss: Tensor  # scalar, times its weight, summed over layers; 0 without experts


class Head(nn.Module):
    """From hidden states to a score per vocabulary entry; tied, it reuses the token embedding."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, masked = config.hidden_size, config.head == "mlm"
        self.scale, self.activation = config.logit_scale, config.activation
        self.dense = nn.Linear(width, width) if masked else None
        self.norm = Norm(config) if masked else None
        untied = not config.tie_embeddings
        self.output = nn.Linear(width, config.vocab_size, bias=False) if untied else None
        self.bias = nn.Parameter(torch.zeros(config.vocab_size)) if config.head_bias else None

    def forward(self, hidden: Tensor, token_embedding: Tensor) -> Tensor:
        """(B, T, D), (V, D) -> (B, T, V)"""
        if self.dense is not None:
            hidden = self.norm(activate(self.dense(hidden), self.activation))
        weight = token_embedding if self.output is None else self.output.weight
        return F.linear(scaled(hidden, self.scale), weight, self.bias)


class Transformer(nn.Module):
    """One Transformer, as `config` says.

    `generator` is the only source of its weights (None: a fresh one, seed 0); dropout draws from a
    generator of the model's own, seeded by it. `weights`, a full state dict, takes the place of
    drawn weights and is used as it is, not copied.
    """

    def __init__(
        self,
        config: ModelConfig,
        generator: torch.Generator | None = None,
        weights: dict[str, Tensor] | None = None,
    ):
        super().__init__()
        self.config = config
        self.dropout_generator = torch.Generator()
        with torch.device("meta"):  # shapes only: torch's own initialisation draws globally
            self._build(config)
        if weights is not None:
            self.load_state_dict(weights, assign=True)
            return
        if generator is None:
            generator = torch.Generator().manual_seed(0)
        self.to_empty(device="cpu")
        initialise(self, config, generator)
        self.dropout_generator.manual_seed(
            int(torch.randint(2**62, (), generator=generator, device="cpu"))
        )

    def _build(self, config: ModelConfig) -> None:
        dropout = Dropout(config.dropout, self.dropout_generator)
        both = config.kind == "encoder_decoder"
        layers = config.encoder_layers if config.kind == "encoder" else config.decoder_layers
        types = config.token_types
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.type_embedding = nn.Embedding(types, config.hidden_size) if types else None
        self.encoder = Stack(config, config.encoder_layers, False, False, dropout) if both else None
        causal = config.causal and config.kind != "encoder"
        self.stack = Stack(config, layers, causal, both, dropout)
        self.head = None if config.head == "none" else Head(config)

    def forward(
        self,
        tokens: Tensor,
        padding_mask: Tensor | None = None,
        token_types: Tensor | None = None,
        context: Tensor | None = None,
        context_padding_mask: Tensor | None = None,
        cache: KVCache | None = None,
        trace: bool = False,
        interventions: Interventions | None = None,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        prefix_mask: Tensor | None = None,
        asked: Tensor | None = None,
    ) -> Output:
        """See ARCHITECTURE.md, "The model", for each argument and the names in a trace.

        `positions` (B, T) or (1, T): where each token stands. None counts from 0, or on from the
        cache, whatever the padding; for learned positions after left padding, count real tokens.
        `padding_mask` speaks of `tokens`; what it said of those in the cache is remembered there.
        `documents` (B, T): the number of the document that each token belongs to, where several share
        a row; no token then looks into another document. `positions` should restart with each.
        `prefix_mask` (B, T) bool, decoders only: tokens that see each other both ways (a prefix LM).
        `asked` (B, T) bool: where logits are wanted; they come as (N, V), in reading order. A vocabulary
        is wide, and a loss asks nothing of padding or of words that were not hidden.
        Raises LabInputError: an empty sequence, an id outside the vocabulary, a text longer than
        learned positions reach, a mask of another shape, a missing or superfluous context, a cache
        for an encoder, an unknown intervention.
        """
        probe = Probe(dict(interventions or {}), {} if trace else None)
        check_ids(tokens, "tokens", self.config.vocab_size)
        padding_mask = as_mask(padding_mask, tokens, "padding_mask")
        context_padding_mask = as_mask(context_padding_mask, context, "context_padding_mask")
        if cache is not None and self.config.kind == "encoder":
            raise LabInputError("cache", "encoder", "decoder_only")
        if documents is not None and documents.shape != tokens.shape:
            shape, expected = tuple(documents.shape), tuple(tokens.shape)
            raise LabInputError("documents", shape, "same_shape", expected=expected)
        if documents is not None and cache is not None:
            raise LabInputError("documents", "cache", "without_cache")
        prefix_mask = as_mask(prefix_mask, tokens, "prefix_mask")
        if prefix_mask is not None and self.config.kind == "encoder":
            raise LabInputError("prefix_mask", "encoder", "decoder_only")
        if prefix_mask is not None and cache is not None:
            raise LabInputError("prefix_mask", "cache", "without_cache")
        memory, balance = self.read_context(context, context_padding_mask, cache, probe)
        x = self.embed(tokens, probe.within("embed"))
        if self.type_embedding is not None:
            types = torch.zeros_like(tokens) if token_types is None else token_types
            check_ids(types, "token_types", self.config.token_types)
            x = x + probe("embed.types", self.type_embedding(types))
        hidden, more = self.stack(
            x, probe, padding_mask, positions, cache, memory, context_padding_mask, documents,
            prefix_mask,
        )  # fmt: skip
        logits = None
        if self.head is not None:
            read = hidden if asked is None else hidden[asked]
            logits = probe("logits", self.head(read, self.token_embedding.weight))
        probe.check_all_met()
        balance = torch.as_tensor(balance + more, dtype=hidden.dtype, device=hidden.device)
        return Output(logits, hidden, probe.trace, balance)

    def embed(self, tokens: Tensor, probe: Probe) -> Tensor:
        """(B, T) -> (B, T, D)"""
        return probe("tokens", scaled(self.token_embedding(tokens), self.config.token_scale))

    def read_context(
        self,
        context: Tensor | None,
        padding_mask: Tensor | None,
        cache: KVCache | None,
        probe: Probe,
    ) -> tuple[Tensor | None, Tensor | float]:
        """The encoder's half: (B, S) -> (B, S, D). A cache that has read it once is enough."""
        if self.encoder is None:
            if context is not None:
                raise LabInputError("context", tuple(context.shape), "encoder_decoder_only")
            return None, 0.0
        if cache is not None and cache.length > 0:
            probe.excuse("encoder")
            return None, 0.0
        if context is None:
            raise LabInputError("context", None, "required")
        check_ids(context, "context", self.config.vocab_size)
        probe = probe.within("encoder")
        x = self.embed(context, probe.within("embed"))
        return self.encoder(x, probe, padding_mask)


def scaled(x: Tensor, factor: float) -> Tensor:
    """x · factor, without a pass over x for the factor that most models have: 1."""
    return x if factor == 1 else x * factor


def check_ids(ids: Tensor, field: str, limit: int) -> None:
    """Raises LabInputError unless `ids` is a table (B, T) that is not empty, of numbers below `limit`."""
    if ids.dim() != 2 or ids.numel() == 0:
        raise LabInputError(field, tuple(ids.shape), "not_empty")
    low, high = (int(end) for end in ids.aminmax())
    if low < 0 or high >= limit:
        raise LabInputError(field, low if low < 0 else high, "in_vocabulary", limit=limit)


def as_mask(mask: Tensor | None, tokens: Tensor | None, field: str) -> Tensor | None:
    """The padding mask as bool (0 and 1 will do), if it has the tokens' shape."""
    if mask is None:
        return None
    if tokens is not None and mask.shape != tokens.shape:
        shape, expected = tuple(mask.shape), tuple(tokens.shape)
        raise LabInputError(field, shape, "same_shape", expected=expected)
    return mask.bool()
