"""One stage of a real pipeline: two blocks of the lab's model, its neighbours, and a clock.

    torchrun --nproc-per-node 2 -m labcore.distributed.stage --schedule gpipe --micro-batches 1 4 16

Every stage is a process. It works down the very list of passes that the planner simulates
(`schedules.order_of_passes`), and reports when each pass began and ended. All processes of one machine
read the same clock, so their times can be laid side by side.

b rows of a micro-batch, T tokens, D width.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from labcore.distributed.meeting import join, leave_with_the_launcher, tell
from labcore.distributed.schedules import Pass, order_of_passes
from labcore.model.config import ModelConfig
from labcore.model.stack import Stack
from labcore.model.trace import Probe
from labcore.model.transformer import Transformer

ROWS, TOKENS, WIDTH, LAYERS = 32, 32, 128, 2  # of a whole batch; of one stage
FORWARD, BACKWARD = 0, 1000  # tags: which message is which


def step(stack: Stack, schedule: str, micro_batches: int, stage: int, stages: int) -> list:
    """One training step of one stage.  -> [kind, micro-batch, began, ended] for each pass, in seconds"""
    cut = whole_batch().chunk(micro_batches)  # each (b, T, D)
    inputs: dict[int, Tensor] = {}
    outputs: dict[int, Tensor] = {}
    passes, sending = [], []
    for one in order_of_passes(schedule, stage, stages, micro_batches):
        j = one.micro_batch
        arrived = receive(one, stage, stages, cut[0].shape)  # waiting: not counted as work
        began = time.perf_counter()
        if one.kind == "F":
            inputs[j] = cut[j] if stage == 0 else arrived.requires_grad_()
            outputs[j], _ = stack(inputs[j], Probe({}, None))
            message, receiver = outputs[j].detach(), stage + 1
        else:
            last = outputs.pop(j)
            if stage == stages - 1:
                last = (last - cut[j]).pow(2).mean() / micro_batches  # any loss will do
            last.backward(arrived)
            message, receiver = inputs.pop(j).grad, stage - 1
        passes.append([one.kind, j, began, time.perf_counter()])
        if 0 <= receiver < stages:
            tag = (FORWARD if one.kind == "F" else BACKWARD) + j
            sending.append(dist.isend(message.contiguous(), receiver, tag=tag))
    for message in sending:
        message.wait()
    return passes


def receive(one: Pass, stage: int, stages: int, shape: tuple[int, ...]) -> Tensor | None:
    """What this pass needs from a neighbour; None at the ends of the pipeline."""
    forward = one.kind == "F"
    sender = stage - 1 if forward else stage + 1
    if not 0 <= sender < stages:
        return None
    arriving = torch.empty(shape)
    dist.recv(arriving, sender, tag=(FORWARD if forward else BACKWARD) + one.micro_batch)
    return arriving


def whole_batch() -> Tensor:
    """What enters the first stage, the same however it is then cut.  (B, T, D)"""
    return torch.randn(ROWS, TOKENS, WIDTH, generator=torch.Generator().manual_seed(0))


def fresh_stage(stage: int) -> Stack:
    config = ModelConfig(vocab_size=8, hidden_size=WIDTH, num_layers=LAYERS, head="none")
    return Transformer(config, torch.Generator().manual_seed(stage)).stack


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    torch.set_num_threads(1)
    leave_with_the_launcher()
    place, _ = join(options.init_method, use_gpu=False)
    stack = fresh_stage(place.rank)
    for repeat in range(options.repeats):
        for micro_batches in options.micro_batches:
            stack.zero_grad()
            dist.barrier()
            passes = step(stack, options.schedule, micro_batches, place.rank, place.ways)
            norm = float(torch.nn.utils.get_total_norm([w.grad for w in stack.parameters()]))
            tell(
                "passes",
                place,
                run=repeat,
                micro_batches=micro_batches,
                gradient_norm=norm,
                passes=rounded(passes),
            )
    dist.destroy_process_group()


def rounded(passes: list) -> list:
    """To microseconds: a report must fit into one write to a pipe."""
    return [[kind, j, round(began, 6), round(ended, 6)] for kind, j, began, ended in passes]


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__)
    found.add_argument("--schedule", default="gpipe", choices=("gpipe", "1f1b"))
    found.add_argument("--micro-batches", nargs="+", type=int, default=[4])
    found.add_argument("--repeats", type=int, default=1)
    found.add_argument("--init-method", default="env://")
    found.add_argument("--out", type=Path, help="unused: nothing is left")
    return found


if __name__ == "__main__":
    main()
