"""Five ways to spread a training step over processes, each by PyTorch's own engine.

ddp     every process holds the whole model and reads its share of the rows; gradients are averaged
        (Li et al., arXiv:2006.15704)
zero1   the same, but each process keeps optimizer states for its share of the tensors only
        (ZeRO, Rajbhandari et al., arXiv:1910.02054)
zero2   FSDP2: weights, gradients and states are cut up; the weights are gathered once per step
zero3   FSDP2: a layer's weights are gathered when it is needed, forward and again backward
        (Zhao et al., arXiv:2304.11277)
tp      every process reads all rows and computes its share of the heads and of the MLP's channels
        (Megatron-LM, Shoeybi et al., arXiv:1909.08053)
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor, Partial, Replicate
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    RowwiseParallel,
    parallelize_module,
)
from torch.nn.parallel import DistributedDataParallel

from labcore.distributed.parallel_config import ParallelConfig
from labcore.model.transformer import Transformer
from labcore.training.optimiser import decay_groups

WEIGHT_DECAY, BETAS = 0.01, (0.9, 0.95)


def spread(model: Transformer, config: ParallelConfig, mesh: DeviceMesh | None) -> nn.Module:
    """The model with its weights and its work dealt out over the mesh; it is called as before.

    No mesh, no change: that is the run in a single process.
    """
    if mesh is None:
        return model
    if config.way in ("ddp", "zero1"):
        return DistributedDataParallel(model)
    if config.way == "tp":
        for layer in model.stack.layers:
            parallelize_module(layer, mesh, tensor_plan(summed=config.bug != "no_sum"))
        return model
    for part in [*model.stack.layers, model]:
        fully_shard(part, mesh=mesh, reshard_after_forward=config.way == "zero3")
        if config.reduce_scatter == "ring" and mesh.device_type == "cpu":
            part.set_custom_reduce_scatter(RingReduceScatter())
    return model


def tensor_plan(summed: bool = True) -> dict:
    """How one layer is cut: matrices that read the stream by columns, those that write to it by rows.

    A process's heads and channels stay its own until a part's output is summed over all processes. The
    stream is prepared once for queries, keys and values, so that its gradient, too, is summed once and
    not three times. `summed=False` is the bug: everybody goes on with what is only a part of the sum.
    """
    writes = RowwiseParallel(output_layouts=Replicate() if summed else Partial())
    return {
        "attn": reads(4), "mlp": reads(2),
        "attn.q": ColwiseParallel(), "attn.k": ColwiseParallel(), "attn.v": ColwiseParallel(),
        "attn.out": writes,
        "mlp.up": ColwiseParallel(), "mlp.down": writes,
    }  # fmt: skip


def reads(arguments: int) -> PrepareModuleInput:
    """A part whose first argument, of so many, is the stream, whole on every process."""
    layouts = (Replicate(), *(None,) * (arguments - 1))
    return PrepareModuleInput(input_layouts=layouts, desired_input_layouts=layouts)


def make_optimizer(
    model: nn.Module, config: ParallelConfig, mesh: DeviceMesh | None
) -> torch.optim.Optimizer:
    """The optimizer of one process: of all tensors, of its share of them, or of its pieces of them."""
    kind, options = torch.optim.AdamW, {"betas": BETAS, "fused": True}
    if config.optimizer == "sgd":
        kind, options = torch.optim.SGD, {}
    groups = [
        {**group, "params": same}
        for group in decay_groups(model, WEIGHT_DECAY)
        for same in by_kind(group["params"])
    ]
    if mesh is not None and config.way == "zero1":
        return ZeroRedundancyOptimizer(groups, kind, lr=config.learning_rate, **options)
    return kind(groups, lr=config.learning_rate, **options)


def by_kind(weights: list[Tensor]) -> list[list[Tensor]]:
    """Cut-up tensors and whole ones apart: one fused update cannot take both."""
    cut = [weight for weight in weights if isinstance(weight, DTensor)]
    whole = [weight for weight in weights if not isinstance(weight, DTensor)]
    return [same for same in (cut, whole) if same]


# Gloo, the CPU's backend, has no reduce-scatter: it sums everything everywhere and throws most of it away.


class RingReduceScatter:
    """A reduce-scatter for FSDP2 that sends what the formula says: see `ring_reduce_scatter`."""

    def allocate(self, size, *, dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(self, output_tensor, input_tensor, group, op, async_op=False) -> None:
        output_tensor.copy_(ring_reduce_scatter(input_tensor, group))
        if op == dist.ReduceOp.AVG:
            output_tensor.div_(dist.get_world_size(group))


def ring_reduce_scatter(values: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Everybody's `values` summed, of which each process gets its p-th.  (p·n,) -> (n,)

    p - 1 rounds: pass a piece to the right, add the one that comes from the left. The piece that process
    r sends first belongs to its left neighbour; it travels round the ring and arrives there complete.
    """
    rank, ways = dist.get_rank(group), dist.get_world_size(group)
    right, left = (rank + 1) % ways, (rank - 1) % ways
    pieces = values.chunk(ways)
    passing = pieces[left]
    for round in range(2, ways + 1):
        arriving = torch.empty_like(passing)
        sending = dist.isend(passing, group=group, group_dst=right)
        dist.recv(arriving, group=group, group_src=left)
        sending.wait()
        passing = arriving + pieces[(rank - round) % ways]
    return passing
