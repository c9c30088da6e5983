"""What a parallel step should send and what a process should hold, from the size of the model alone.

The formulas are the planner's (`communication`, `memory`), for numbers of the run's own precision.
"""

from torch.distributed.tensor.parallel import PrepareModuleInput, RowwiseParallel

from labcore.distributed.communication import ring_bytes
from labcore.distributed.memory import WEIGHT_BYTES, zero_states
from labcore.distributed.parallel_config import ParallelConfig
from labcore.distributed.parallel_ways import tensor_plan
from labcore.distributed.workload import workload

ADAM_NUMBERS = {"adamw": 2, "sgd": 0}  # kept for each weight: first and second moment
# FSDP2's weights are cut up between two steps under both its ways: they differ within a step.
STAGES = {"ddp": 0, "zero1": 1, "zero2": 3, "zero3": 3}


def expected_sent(config: ParallelConfig, ways: int, vocab_size: int, tokens: int) -> float:
    """Bytes that each process sends in one step of `tokens` = B·T positions, padding included.

    One step of data parallelism sums the gradients: a reduce-scatter and an all-gather of N bytes. ZeRO-1
    and 2 send as much, for between the two each process updates its share, and what is gathered is weights.
    ZeRO-3 gathers the weights a second time. Tensor parallelism sums the stream instead.
    """
    size = config.dtype.itemsize
    model = workload(config.model(vocab_size))
    weights = size * model.total_parameters
    if config.way == "tp":
        stream = size * tokens * model.hidden
        return sums_of_a_layer() * model.layers * ring_bytes("all_reduce", stream, ways)
    gathers = 2 if config.way == "zero3" else 1
    return ring_bytes("reduce_scatter", weights, ways) + gathers * ring_bytes(
        "all_gather", weights, ways
    )


def sums_of_a_layer() -> int:
    """4: what writes to the stream is summed going forward, the gradient of what reads it going back."""
    summing = (RowwiseParallel, PrepareModuleInput)
    return sum(isinstance(style, summing) for style in tensor_plan().values())


def expected_held(config: ParallelConfig, ways: int, vocab_size: int) -> list[float]:
    """Bytes of weights, gradients and optimizer states on one process between two steps."""
    size = config.dtype.itemsize
    states = size * ADAM_NUMBERS[config.optimizer]
    model = workload(config.model(vocab_size))
    if config.way == "tp":
        split = model.layers * model.split_parameters
        mine = model.total_parameters - split + split / ways
        return [size * mine, size * mine, states * mine]
    weights, gradients, optimizer = zero_states(
        model.total_parameters, STAGES[config.way], ways, states, size
    )
    return [float(weights) * size / WEIGHT_BYTES, float(gradients), float(optimizer)]
