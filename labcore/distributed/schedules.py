"""Pipeline schedules: in which order each stage does its forward, backward and weight passes.

p stages, m micro-batches, v chunks of the model per device. A pass is F (forward), B (gradient of the
input, and of the weights where W is not apart) or W (gradient of the weights alone). Chunk c on stage s is
piece c·p + s of the model. Only the order is decided here; `simulation` finds the times.

GPipe: arXiv:1811.06965. 1F1B: PipeDream-flush, arXiv:2006.09503. Interleaved: arXiv:2104.04473.
ZB-H1: arXiv:2401.10241.
"""

from typing import NamedTuple

from labcore.errors import LabInputError

SCHEDULES = ("gpipe", "1f1b", "interleaved", "zb-h1")


class Pass(NamedTuple):
    kind: str  # "F", "B" or "W"
    micro_batch: int
    chunk: int = 0


def gpipe(stage: int, stages: int, micro_batches: int) -> list[Pass]:
    """All forward passes, then all backward passes, last in first out."""
    order = range(micro_batches)
    return [Pass("F", j) for j in order] + [Pass("B", j) for j in reversed(order)]


def one_forward_one_backward(stage: int, stages: int, micro_batches: int) -> list[Pass]:
    """Fill the pipeline below, then take one backward pass for each forward pass."""
    waiting = min(stages - stage, micro_batches)
    passes = [Pass("F", j) for j in range(waiting)]
    for j in range(micro_batches):
        passes.append(Pass("B", j))
        if j + waiting < micro_batches:
            passes.append(Pass("F", j + waiting))
    return passes


def interleaved(stage: int, stages: int, micro_batches: int, chunks: int) -> list[Pass]:
    """1F1B in which every device holds v pieces: p micro-batches through one piece, then the next."""
    p, v = stages, chunks
    total = micro_batches * v

    def nth(kind: str, n: int) -> Pass:
        turn, within = divmod(n, p * v)
        chunk, place = divmod(within, p)
        return Pass(kind, turn * p + place, chunk if kind == "F" else v - 1 - chunk)

    waiting = min(2 * (p - stage - 1) + (v - 1) * p + 1, total)
    passes = [nth("F", n) for n in range(waiting)]
    for n in range(total):
        passes.append(nth("B", n))
        if n + waiting < total:
            passes.append(nth("F", n + waiting))
    return passes


def zero_bubble_h1(stage: int, stages: int, micro_batches: int) -> list[Pass]:
    """1F1B with weight gradients put off: stage s runs s micro-batches behind with them.

    They fill the time that 1F1B spends waiting at the end, and no stage holds more than p micro-batches.
    """
    waiting = min(stages - stage, micro_batches)
    passes = [Pass("F", j) for j in range(waiting)]
    for j in range(micro_batches):
        passes.append(Pass("B", j))
        if j >= stage:
            passes.append(Pass("W", j - stage))
        if j + waiting < micro_batches:
            passes.append(Pass("F", j + waiting))
    behind = range(max(0, micro_batches - stage), micro_batches)
    return passes + [Pass("W", j) for j in behind]


def order_of_passes(
    schedule: str, stage: int, stages: int, micro_batches: int, chunks: int = 1
) -> list[Pass]:
    """What one stage does, in order. A single stage has nothing to wait for, whatever the schedule."""
    if schedule == "gpipe" and stages > 1:
        return gpipe(stage, stages, micro_batches)
    if schedule in ("gpipe", "1f1b") or (schedule == "interleaved" and chunks == 1):
        return one_forward_one_backward(stage, stages, micro_batches)
    if schedule == "interleaved":
        if micro_batches % stages:
            raise LabInputError("micro_batches", micro_batches, "whole_rounds", stages=stages)
        return interleaved(stage, stages, micro_batches, chunks)
    if schedule == "zb-h1":
        return zero_bubble_h1(stage, stages, micro_batches)
    raise LabInputError("schedule", schedule, "known_choice", allowed=SCHEDULES)
