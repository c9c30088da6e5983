"""Compute budget and architecture: the best size, the whole life, the designs, the experts."""

from app.labs.pretraining import budget_evolution, budget_experts, budget_optimal, budget_overtrain
from app.page import LabPage
from labcore.model.mlp import balance_loss, route
from labcore.scaling import budget, chinchilla, decoding, evolution, experts, overtrain

SHOWN = (
    chinchilla.share_out,
    chinchilla.counted_both_ways,
    budget.bill,
    overtrain.cheapest,
    overtrain.implied_demand,
    evolution.writing_flops,
    decoding.experts_needed,
    route,
    balance_loss,
    experts.race,
    experts.experts_in_use,
)

PARTS = {
    "optimal": budget_optimal.draw,
    "overtrain": budget_overtrain.draw,
    "evolution": budget_evolution.draw,
    "experts": budget_experts.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "optimal")
    PARTS[part](page)
