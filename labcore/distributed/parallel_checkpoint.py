"""A parallel run's checkpoint: one safetensors file of whole tensors, whatever pieces they lie in.

Nothing in it depends on the way or on the number of processes, so a run may go on from it spread
differently. It is written by the first process, under another name first: whoever is killed while
writing leaves the previous one intact. Nothing is pickled.
"""

from pathlib import Path

import safetensors.torch
import torch
import torch.distributed as dist
from safetensors import safe_open
from torch import Tensor, nn
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor, distribute_tensor

from labcore.distributed.parallel_training import plain, weights

FILE = "checkpoint.safetensors"
ADAM_STATES = ("step", "exp_avg", "exp_avg_sq")


def save(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Every process takes part in putting the tensors together; the first one writes them."""
    tensors = {}
    for name, weight in weights(model):
        tensors[f"model.{name}"] = plain(weight)
        for key, state in whole_states(weight, optimizer).items():
            tensors[f"optimizer.{key}.{name}"] = state
    if not dist.is_initialized() or dist.get_rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file(tensors, folder / f"{FILE}.new", {"step": str(step)})
        (folder / f"{FILE}.new").replace(folder / FILE)


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Deal a checkpoint out to the model and its optimizer.  -> the step it was taken after, 0 for none"""
    if not (folder / FILE).exists():
        return 0
    inner = kept_here(optimizer)
    mine = {weight for group in inner.param_groups for weight in group["params"]}
    with safe_open(folder / FILE, framework="pt") as file, torch.no_grad():
        for name, weight in weights(model):
            weight.copy_(cut_like(file.get_tensor(f"model.{name}"), weight))
            if weight in mine and isinstance(inner, torch.optim.AdamW):
                inner.state[weight] = {
                    key: cut_like(file.get_tensor(f"optimizer.{key}.{name}"), weight)
                    for key in ADAM_STATES
                }
        return int(file.metadata()["step"])


def whole_states(weight: Tensor, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's states of one weight, by name, on every process.

    Under ZeRO-1 one process has them; the others add zeros to its numbers.
    """
    inner = kept_here(optimizer)
    states = {key: plain(state) for key, state in inner.state.get(weight, {}).items()}
    if inner is not optimizer and isinstance(inner, torch.optim.AdamW):
        for key in ADAM_STATES:
            nothing = torch.zeros(() if key == "step" else weight.shape)
            states.setdefault(key, nothing.to(weight.dtype if key != "step" else torch.float32))
            dist.all_reduce(states[key])
    return states


def kept_here(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimizer that holds states on this process: ZeRO-1 has one inside, for its share."""
    return optimizer.optim if isinstance(optimizer, ZeroRedundancyOptimizer) else optimizer


def cut_like(whole: Tensor, weight: Tensor) -> Tensor:
    """This process's piece of a whole tensor, if the weight is cut; counters stay as they are."""
    if whole.dim() == 0:
        return whole
    if isinstance(weight, DTensor):
        return distribute_tensor(whole, weight.device_mesh, weight.placements)
    return whole.to(weight.device)
