"""Scaling laws: a sweep of small models, the law fitted to it, the best use of a budget, a held-out model."""

from app.labs.pretraining import scaling_extrapolate, scaling_isoflop, scaling_sweep
from app.page import LabPage
from labcore.scaling import isoflop, law, runs
from labcore.text import zipf

SHOWN = (
    zipf.surprise, runs.train, runs.decayed, law.log_loss, law.objective, law.resampled,
    isoflop.parabola, isoflop.lowest,
)  # fmt: skip

PARTS = {
    "sweep": scaling_sweep.draw,
    "isoflop": scaling_isoflop.draw,
    "extrapolate": scaling_extrapolate.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "sweep")
    page.caption(f"part.{part}")
    PARTS[part](page)
