"""The simulated server with every size of block, over several days.

Axes: S seeds, M sizes of a block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labcore.serving.page_server import BLOCKS, WAYS, ServerConfig, serve
from labcore.serving.request_trace import draw_trace

MEASURES = ("finished_share", "refused_share", "wasted_share", "mean_running", "preempted")


@dataclass(frozen=True, slots=True, eq=False)
class PageStudy:
    blocks: np.ndarray  # (M,) tokens
    seeds: tuple[int, ...]
    measures: dict[str, dict[str, np.ndarray]]  # (S, M) by way and measure


def study(seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> PageStudy:
    measures = {}
    for way in WAYS:
        rows = []
        # Pieces know nothing of blocks: one run says it for all sizes.
        sizes = BLOCKS if way in ("paged", "shared") else BLOCKS[:1]
        for seed in seeds:
            rows.append([numbers(way, ServerConfig(block, seed=seed)) for block in sizes])
        table = np.broadcast_to(np.array(rows), (len(seeds), len(BLOCKS), len(MEASURES)))
        measures[way] = {name: table[..., at].copy() for at, name in enumerate(MEASURES)}
    return PageStudy(np.array(BLOCKS), tuple(seeds), measures)


def numbers(way: str, config: ServerConfig) -> list[float]:
    """One run in numbers, in the order of MEASURES."""
    trace = draw_trace(config.trace())
    served = serve(way, trace, config)
    return [
        served.finished / len(trace), served.refused / len(trace), served.wasted_share,
        float(served.running.mean()), served.preempted,
    ]  # fmt: skip
