"""Where a call's time goes, by torch's profiler: why a ratio is no larger than it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch.profiler import ProfilerActivity, profile

# Matrix products, and attention's own kernel, which is made of them.
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_flash_attention_for_cpu_backward")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spent:
    """products: their share of the time in torch's operators; others: the largest of the rest, with their
    shares; count: operators in one call."""

    products: float
    others: tuple[tuple[str, float], ...]
    count: int

    def text(self) -> str:
        rest = ", ".join(f"`{name}` {share:.0%}" for name, share in self.others)
        return f"{self.products:.0%} of it in matrix products and attention, then {rest}"


def spent(call: Callable[[], object], times: int = 4, others: int = 4) -> Spent:
    """Time within torch's operators; what Python spends between them is not in it."""
    call()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(times):
            call()
    share: dict[str, float] = {}
    events = [event for event in seen.key_averages() if event.key.startswith("aten::")]
    total = sum(event.self_cpu_time_total for event in events)
    for event in events:
        share[event.key.removeprefix("aten::")] = event.self_cpu_time_total / total
    rest = sorted((item for item in share.items() if item[0] not in PRODUCTS), key=lambda i: -i[1])
    products = sum(share.get(name, 0.0) for name in PRODUCTS)
    return Spent(products, tuple(rest[:others]), round(sum(e.count for e in events) / times))
