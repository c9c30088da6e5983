"""Memory against the papers' tables, and against what PyTorch really keeps for a backward pass."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labcore.distributed.cluster import DEVICES, Cluster
from labcore.distributed.layout import (
    Layout,
    Task,
    fullest_stage,
    stage_memory,
    stage_parameters,
)
from labcore.distributed.memory import (
    FULL,
    NONE,
    SELECTIVE,
    in_flight,
    layer_activations,
    layers_of_stage,
    zero_states,
)
from labcore.distributed.search import candidates
from labcore.distributed.workload import Workload, preset_workload, workload
from labcore.model.config import ModelConfig
from labcore.model.presets import gpt2


def test_the_zero_papers_first_figure():
    """7.5 billion parameters, 64 replicas, K = 12: 120, 31.4, 16.6 and 1.9 GB (arXiv:1910.02054, fig. 1)."""
    totals = [sum(zero_states(7.5e9, stage, 64, 12, 2)) / 1e9 for stage in range(4)]
    assert np.round(totals, 1).tolist() == [120.0, 31.4, 16.6, 1.9]


@pytest.mark.parametrize(
    ("billions", "replicas", "gigabytes"),
    [
        (7.5, 4, (52.5, 41.3, 30.0)),
        (7.5, 1024, (30.1, 15.1, 0.12)),
        (128, 16, (608, 368, 128)),
        (128, 256, (518, 263, 8)),
        (1000, 64, (4187, 2218.75, 250)),
        (1000, 1024, (4011, 2013, 15.6)),
    ],
)
def test_the_zero_papers_first_table(billions, replicas, gigabytes):
    """Stages 1 to 3 in GB, as arXiv:1910.02054 rounds them in its table 1; half a unit of the last digit,
    and one per cent where the paper rounds twice."""
    for stage, expected in enumerate(gigabytes, 1):
        total = sum(zero_states(billions * 1e9, stage, replicas, 12, 2)) / 1e9
        assert total == pytest.approx(expected, rel=0.01, abs=0.05)


# Activations: Korthikanti et al., arXiv:2205.05198, table 2.

S, B, H, HEADS, T = 2048, 4, 6144, 64, 8  # their 22B model
SBH = S * B * H
SCORES = 5 * HEADS * S / H


def megatron() -> Workload:
    return workload(gpt2(H, 48, HEADS).with_(vocab_size=51200, dropout=0.1))


@pytest.mark.parametrize(
    ("tp", "sequence_parallel", "recompute", "units_of_sbh"),
    [
        (1, False, NONE, 34 + SCORES),
        (T, False, NONE, 10 + 24 / T + SCORES / T),
        (T, True, NONE, 34 / T + SCORES / T),
        (T, False, SELECTIVE, 10 + 24 / T),
        (T, True, SELECTIVE, 34 / T),
        (1, False, FULL, 2),
    ],
)
def test_activations_of_a_layer_follow_the_papers_table(
    tp, sequence_parallel, recompute, units_of_sbh
):
    kept = layer_activations(megatron(), S * B, S, tp, recompute, sequence_parallel, flash=False)
    assert float(kept) == pytest.approx(units_of_sbh * SBH)


def test_fused_attention_keeps_what_selective_recomputation_keeps():
    fused, selective = (
        layer_activations(megatron(), S * B, S, T, recompute, True, flash)
        for recompute, flash in ((NONE, True), (SELECTIVE, False))
    )
    assert float(fused) == float(selective)


class Kept:
    """Bytes that autograd keeps, each storage once; parameters are not activations."""

    def __init__(self, module: nn.Module):
        self.own = {p.untyped_storage().data_ptr() for p in module.parameters()}
        self.sizes: dict[int, int] = {}

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.own:
            self.sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def thinned(x: Tensor, dropout: float) -> Tensor:
    """Dropout with a mask of a byte per number, as GPUs have it; `F.dropout` on a CPU keeps 16-bit noise."""
    return torch.native_dropout(x, dropout, True)[0] if dropout else x


class Layer(nn.Module):
    """A Megatron layer in plain PyTorch: pre-norm, attention with dropout, GELU or SwiGLU."""

    def __init__(self, width: int, heads: int, inner: int, gated: bool, dropout: float):
        super().__init__()
        self.heads, self.dropout, self.gated = heads, dropout, gated
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.gate = nn.Linear(width, inner), nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        y = self.norms[0](x)
        q, k, v = (
            f(y).view(batch, tokens, self.heads, -1).transpose(1, 2).contiguous()
            for f in (self.q, self.k, self.v)
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        weights = thinned(scores.softmax(-1), self.dropout)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, tokens, width)
        x = x + thinned(self.out(mixed), self.dropout)
        y = self.norms[1](x)
        inner = F.silu(self.gate(y)) * self.up(y) if self.gated else F.gelu(self.up(y))
        return x + thinned(self.down(inner), self.dropout)


def kept_by_torch(layer: Layer, batch: int, tokens: int, width: int) -> int:
    layer = layer.to(torch.bfloat16)
    kept = Kept(layer)
    x = torch.randn(
        batch, tokens, width, generator=torch.Generator().manual_seed(0), dtype=torch.float32
    ).to(torch.bfloat16)
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
        layer(x.requires_grad_(True))
    return kept.bytes


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_pytorch_keeps_what_the_formula_says(dropout):
    """A real layer in 16 bits, its saved tensors counted: sbh(34 + 5as/h) with dropout.

    The norms also keep a mean and a deviation per token, which the papers leave out: less than one per
    cent of a layer this narrow.
    """
    width, heads, tokens, batch = 256, 4, 128, 2
    config = ModelConfig(hidden_size=width, num_heads=heads, dropout=dropout, activation="gelu")
    expected = layer_activations(workload(config), tokens * batch, tokens, 1, NONE, False, False)
    kept = kept_by_torch(Layer(width, heads, 4 * width, False, dropout), batch, tokens, width)
    assert float(expected) <= kept <= 1.01 * float(expected)
    if dropout:
        sbh = tokens * batch * width
        assert float(expected) == sbh * (34 + 5 * heads * tokens / width)


def test_an_unfused_gate_keeps_one_tensor_more_than_the_formula():
    """SwiGLU piece by piece keeps gate, SiLU(gate), up and product; a fused one computes SiLU(gate)
    again, which is what the formula assumes."""
    width, heads, tokens, batch, inner = 256, 4, 128, 2, 512
    config = ModelConfig(
        hidden_size=width, num_heads=heads, intermediate_size=inner, activation="swiglu"
    )
    expected = layer_activations(workload(config), tokens * batch, tokens, 1, NONE, False, False)
    kept = kept_by_torch(Layer(width, heads, inner, True, 0.0), batch, tokens, width)
    extra = 2 * tokens * batch * inner
    assert float(expected) + extra <= kept <= 1.01 * (float(expected) + extra)


# Stages.


@pytest.mark.parametrize(
    ("layers", "stages"), [(96, 8), (105, 35), (80, 3), (126, 16), (7, 7), (5, 1)]
)
def test_layers_are_dealt_out_without_loss_and_evenly(layers, stages):
    dealt = [int(layers_of_stage(layers, stages, stage)) for stage in range(stages)]
    assert sum(dealt) == layers
    assert max(dealt) - min(dealt) <= 1
    assert dealt[0] == min(dealt)  # the first stage waits the most, so it gets no extra layer


def test_interleaving_holds_what_the_paper_says():
    """L(1 + (p-1)/(pm)) instead of L layers' activations on the first stage (arXiv:2205.05198, 4.2.3);
    530B: p = 35, m = 3 pieces, a factor of 1.324."""
    held = in_flight("interleaved", 280, 35, 0, 3)
    assert float(held) / 35 == pytest.approx(1 + 34 / 105)


@pytest.mark.parametrize("name", ["gpt2", "llama-3-8b", "mixtral-8x7b"])
@pytest.mark.parametrize("pp", [1, 2, 5])
def test_the_stages_together_hold_the_model(name, pp):
    """Cut by 2 and 4, multiplied back; norms are everywhere, a tied matrix on both ends."""
    model = preset_workload(name)
    layout = Layout(dp=8, tp=2, pp=pp, ep=4 if model.experts > 1 else 1)
    held = 0.0
    for stage in range(pp):
        dense, experts = stage_parameters(model, layout, stage)
        whole = float(layers_of_stage(model.layers, pp, stage)) * model.whole_parameters
        held += (float(dense) - whole) * 2 + whole + float(experts) * 2 * layout.ep
    twice = model.vocabulary * model.hidden if model.tied and pp > 1 else 0
    assert held == pytest.approx(model.total_parameters + twice)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "interleaved", "zb-h1"])
@pytest.mark.parametrize("preset", ["llama-2-13b", "llama-3-8b"])
def test_no_stage_is_fuller_than_the_one_called_fullest(schedule, preset):
    """Only three stages are looked at in the search; here all of them, for every candidate."""
    cluster = Cluster(DEVICES["a100-80"], nodes=6, per_node=4)
    task = Task(preset_workload(preset), cluster, 192, 4096, schedule, chunks=2)
    layouts = candidates(task)
    layouts = layouts.take(np.arange(0, len(layouts.dp), 7))
    claimed = fullest_stage(task, layouts)
    for index in range(len(claimed)):
        layout = layouts.take(index)
        every = stage_memory(task, layout, np.arange(layout.pp)).total
        assert claimed[index] == pytest.approx(float(np.max(every)))


def test_zero_leaves_activations_alone_and_stage_three_needs_room_to_gather():
    task = Task(preset_workload("llama-3-8b"), Cluster(DEVICES["h100"], 1, 8), 64, 8192)
    plain = stage_memory(task, Layout(dp=8), 0)
    shared = stage_memory(task, Layout(dp=8, zero=3), 0)
    assert float(shared.activations) == float(plain.activations)
    assert float(shared.optimizer) == pytest.approx(float(plain.optimizer) / 8)
    layer = task.model.split_parameters + task.model.whole_parameters
    gathered = 2 * 2 * layer * (1 - 1 / 8)  # two layers of 16-bit weights, less the own share
    assert float(shared.parameters) == pytest.approx(float(plain.parameters) / 8 + gathered)


def test_recomputing_keeps_inputs_and_room_for_one_layer():
    """Llama 3 8B, one device: 32 layer inputs, one layer in full, the head's own."""
    task = Task(preset_workload("llama-3-8b"), Cluster(DEVICES["h100"], 1, 1), 1, 8192)
    tokens, h, v = 8192, 4096, 128256
    layer = float(layer_activations(task.model, tokens, 8192, 1, NONE, True, True))
    head = 2 * 2 * tokens * h + 4 * tokens * v
    kept = stage_memory(task, Layout(recompute=FULL), 0).activations
    assert float(kept) == pytest.approx(32 * 2 * tokens * h + layer + head)
    assert float(kept) < float(stage_memory(replace(task), Layout(), 0).activations)
