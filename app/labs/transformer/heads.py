"""Attention heads: switch them off, rank them, count them, let them share."""

from app.labs.transformer import heads_ablate, heads_ranking, heads_variants
from app.page import LabPage
from labcore.architecture import (
    decode_speed,
    head_ablation,
    head_gates,
    head_ranking,
    head_variants,
)

SHOWN = (
    head_gates.gated,
    head_ablation.one_pass,
    head_ablation.moved_attention,
    head_ranking.gate_slopes,
    head_ranking.greedy_order,
    head_ranking.rank_correlation,
    head_variants.race,
    decode_speed.absorbed,
)

PARTS = {
    "ablate": heads_ablate.draw,
    "ranking": heads_ranking.draw,
    "count": heads_variants.draw_count,
    "sharing": heads_variants.draw_sharing,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "ablate")
    PARTS[part](page)
