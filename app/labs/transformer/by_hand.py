"""Self-attention by hand: a worksheet that follows every number, why √d, and what a missing mask does."""

from app.labs.transformer import by_hand_leak, by_hand_scale, by_hand_walk
from app.page import LabPage
from labcore.architecture import by_hand, causal_leak, score_scale

SHOWN = (
    by_hand.forward, by_hand.softmax, by_hand.backward, by_hand.nudge, score_scale.measure,
    score_scale.jacobian_norm, score_scale.reach_norm, causal_leak.build, causal_leak.train_both,
    causal_leak.losses_by_prefix,
)  # fmt: skip

PARTS = {"walk": by_hand_walk, "scale": by_hand_scale, "leak": by_hand_leak}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "walk")
    page.caption(f"part.{part}")
    PARTS[part].draw(page)
