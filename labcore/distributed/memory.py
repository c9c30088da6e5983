"""What one device must hold: weights, gradients, optimizer states, activations.

The states follow ZeRO (arXiv:1910.02054), the activations Korthikanti et al. (arXiv:2205.05198), both
counted tensor by tensor, so that other widths, grouped heads, gates and experts are counted as well.

Letters of the papers: s tokens of a sequence, b sequences of a micro-batch, h width, a heads, t ways of
tensor parallelism, Ψ parameters, K optimizer bytes per parameter.
"""

from dataclasses import dataclass

import numpy as np

from labcore.distributed.cluster import Numbers
from labcore.distributed.workload import Workload

WEIGHT_BYTES = 2  # the 16-bit copy that the products use
# K. AdamW keeps 32-bit weights, first and second moment: 4 + 4 + 4; with 8-bit moments 4 + 1 + 1; Lion
# and momentum have one moment: 4 + 4.
OPTIMIZER_BYTES = {"adamw": 12, "lion": 8, "adamw-8bit": 6}
NONE, SELECTIVE, FULL = 0, 1, 2  # recomputation


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one device, or arrays of them."""

    parameters: Numbers
    gradients: Numbers
    optimizer: Numbers
    activations: Numbers

    @property
    def total(self) -> Numbers:
        return self.parameters + self.gradients + self.optimizer + self.activations


def zero_states(
    parameters: Numbers,
    stage: Numbers,
    ways: Numbers,
    optimizer_bytes: float,
    gradient_bytes: float,
) -> tuple[Numbers, Numbers, Numbers]:
    """Bytes of weights, gradients and optimizer states when `ways` replicas share the load.

    Stage 1 divides the optimizer states among them, stage 2 the gradients too, stage 3 the weights too.
    """
    weights = WEIGHT_BYTES * parameters / np.where(stage >= 3, ways, 1)
    gradients = gradient_bytes * parameters / np.where(stage >= 2, ways, 1)
    optimizer = optimizer_bytes * parameters / np.where(stage >= 1, ways, 1)
    return weights, gradients, optimizer


def layer_activations(
    model: Workload, tokens: Numbers, keys: Numbers, tp: Numbers, recompute: Numbers,
    sequence_parallel: bool, flash: bool,
) -> Numbers:  # fmt: skip
    """Bytes that one layer keeps for its backward pass, on one device.

    `tokens` = s·b on this device, `keys` = s, which each query looks at. For h = H·d, F = 4h, GELU and
    dropout this is sbh(10 + 24/t + 5as/ht), with sequence parallelism sbh(34 + 5as/h)/t.
    """
    h, drop = model.hidden, model.dropout
    queries = model.heads * model.head_dim
    key_values = 2 * model.key_value_heads * model.head_dim
    # Inputs of both norms, of q-k-v and of the MLP, 2 bytes each; a byte for each of two dropout masks.
    visits = model.active_experts  # a routed token's copy goes to each of its experts
    whole = tokens * h * (2 + 2 + 2 + 2 * visits + 2 * drop)
    # Queries, keys, values, the heads' output; then the MLP inside: before and after GELU, or gate, up
    # and their product (a fused kernel computes the gate's activation again).
    inner = (3 if model.gated else 2) * model.mlp * visits
    split = tokens * (2 * queries + 2 * key_values + 2 * queries + 2 * inner)
    # Softmax output; with dropout also its mask and the thinned copy.
    scores = 0 if flash else tokens * keys * model.heads * (2 + 3 * drop)
    scores = np.where(recompute == SELECTIVE, 0, scores)
    kept = whole / (tp if sequence_parallel else 1) + (split + scores) / tp
    return np.where(recompute == FULL, boundary_bytes(model, tokens, tp, sequence_parallel), kept)


def boundary_bytes(
    model: Workload, tokens: Numbers, tp: Numbers, sequence_parallel: bool
) -> Numbers:
    """The stream between two layers: 2 bytes for each of tokens·h numbers."""
    return 2 * tokens * model.hidden / (tp if sequence_parallel else 1)


def head_activations(
    model: Workload, tokens: Numbers, tp: Numbers, sequence_parallel: bool
) -> Numbers:
    """Last norm's and head's input, and the logits in 32 bits, cut along the vocabulary."""
    inputs = 2 * boundary_bytes(model, tokens, tp, sequence_parallel)
    return inputs + 4 * tokens * model.vocabulary / tp


# Where layers lie, and how many micro-batches wait there.


def layers_of_stage(layers: int, stages: Numbers, stage: Numbers) -> Numbers:
    """Layers dealt out evenly; what is over goes to the stages after the first, which waits the most."""
    return layers // stages + ((stage >= 1) & (stage <= layers % stages))


def in_flight(
    schedule: str, micro_batches: Numbers, stages: Numbers, stage: Numbers, chunks: Numbers = 1
) -> Numbers:
    """Most micro-batches whose activations `stage` (from 0) holds at once, by schedule.

    One forward, one backward holds p - s of them; interleaving v chunks holds 2(p-s-1) + (v-1)p + 1
    chunks, each a v-th; ZB-H1 fills every stage up to the first one's p; GPipe holds all m.
    """
    m, p, s, v = micro_batches, stages, stage, chunks
    if schedule == "gpipe":
        return np.where(p > 1, m, 1)
    if schedule == "zb-h1":
        return np.minimum(m, p)
    if schedule == "interleaved":
        return np.minimum(m * v, 2 * (p - s - 1) + (v - 1) * p + 1) / v
    return np.minimum(m, p - s)
