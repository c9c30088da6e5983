"""A model as a planner sees it: how many parameters and operations a layer has, and what can be split.

Everything is read off a `ModelConfig` by `labcore.model.counting`, so published presets and a learner's
own design are planned alike. All layers are equal; that is what lets a pipeline deal them out.
"""

from dataclasses import dataclass
from functools import cache

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.counting import count_flops, count_parameters
from labcore.model.presets import PRESETS


@dataclass(frozen=True, slots=True)
class Workload:
    layers: int
    hidden: int  # D
    heads: int  # H
    key_value_heads: int  # K
    head_dim: int  # d
    mlp: int  # F
    gated: bool
    experts: int  # 1 for a dense MLP
    active_experts: int  # that a token visits
    vocabulary: int
    dropout: bool
    causal: bool  # half of all scores are masked
    # parameters of one layer
    split_parameters: int  # matrices that tensor parallelism cuts
    expert_parameters: int  # all experts together; expert parallelism deals them out
    whole_parameters: int  # norms and router: a copy everywhere
    # parameters outside the layers
    embedding_parameters: int  # first stage
    head_parameters: int  # last stage
    tied: bool  # one matrix serves both; a pipeline holds it on both its ends
    # operations of one forward pass, per token
    layer_flops: int  # products with weights
    score_flops_per_key: int  # products of attention, per key that a query looks at
    head_flops: int

    @property
    def total_parameters(self) -> int:
        layer = self.split_parameters + self.expert_parameters + self.whole_parameters
        shared = self.vocabulary * self.hidden if self.tied else 0
        return self.layers * layer + self.embedding_parameters + self.head_parameters - shared

    @property
    def active_parameters(self) -> int:
        """Those that one token meets: all of them, unless there are experts."""
        idle = self.expert_parameters * (1 - self.active_experts / self.experts)
        return round(self.total_parameters - self.layers * idle)

    def forward_flops(self, sequence: int, with_masked: bool) -> float:
        """Of one sequence; masked scores are needed by nobody, yet often counted."""
        keys = sequence / 2 if self.causal and not with_masked else sequence
        layer = self.layer_flops + keys * self.score_flops_per_key
        return sequence * (self.layers * layer + self.head_flops)


def workload(config: ModelConfig) -> Workload:
    """What a planner has to know of `config`; LabInputError for a model whose layers are not alike."""
    if config.kind == "encoder_decoder" or config.latent is not None:
        raise LabInputError("preset", config.kind, "plannable")
    one = config.with_(num_layers=1)
    parts = count_parameters(one)
    layer = {part.name: part.parameters for part in parts if ".layers.0." in part.name}
    experts = sum(size for name, size in layer.items() if ".experts." in name)
    whole = sum(size for name, size in layer.items() if "_norm." in name or ".router." in name)
    outside = {part.name: part.parameters for part in parts if ".layers." not in part.name}
    last = sum(
        size for name, size in outside.items() if name.startswith(("head.", "stack.final_norm"))
    )
    tied = config.tie_embeddings and config.head != "none"
    work = count_flops(one, tokens=1)
    scores = sum(w.flops for w in work if w.name.endswith((".attn.scores", ".attn.heads")))
    head = sum(w.flops for w in work if not w.name.startswith("layers."))
    return Workload(
        layers=config.num_layers, hidden=config.hidden_size, heads=config.num_heads,
        key_value_heads=config.key_value_heads, head_dim=config.size_per_head,
        mlp=config.mlp_size, gated=config.gated,
        experts=config.moe.num_experts if config.moe else 1,
        active_experts=config.moe.experts_per_token if config.moe else 1,
        vocabulary=config.vocab_size, dropout=config.dropout > 0,
        causal=config.kind == "decoder" and config.causal,
        split_parameters=sum(layer.values()) - experts - whole,
        expert_parameters=experts, whole_parameters=whole,
        embedding_parameters=sum(outside.values()) - last,
        head_parameters=last + (config.vocab_size * config.hidden_size if tied else 0), tied=tied,
        layer_flops=sum(w.flops for w in work) - scores - head,
        score_flops_per_key=scores, head_flops=head,
    )  # fmt: skip


def plannable() -> dict[str, str]:
    """{name: title} of the published models that this planner can lay out, small to large."""
    names = [
        name
        for name, preset in PRESETS.items()
        if preset.config.kind == "decoder" and preset.config.latent is None
    ]
    return {
        name: PRESETS[name].title
        for name in sorted(names, key=lambda name: preset_workload(name).total_parameters)
    }


@cache
def preset_workload(name: str) -> Workload:
    if name not in PRESETS:
        raise LabInputError("preset", name, "known_choice", allowed=tuple(PRESETS))
    return workload(PRESETS[name].config)
