"""Pictures of planted secrets: how well each is known, how the rest fares, and what cures it."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.pretraining.memorisation import Look, MemoryResult, Study
from labcore.pretraining.planted_secrets import MOST_BITS, OWN, Secret, exposure_bits

Text = Callable[..., str]

# Bits that a secret nobody has told anything about has on average: log2(R / rank), rank even over 1 … R.
BLIND_BITS = 1.44
NEVER = 0.5  # where "never" is drawn on an axis of powers of two
DOSE_ROLES = {64: "rejected", 16: "gradient", 4: "changed", 1: "cache", 0: "expected"}


def exposures(looks: Sequence[Look], secrets: Sequence[Secret], steps: int, text: Text) -> Figure:
    """Bits that the model knows of the secrets, by how often they were planted; the learner's own apart."""
    bits = MOST_BITS - np.log2([look.rank for look in looks])  # (N, S)
    at = [look.step for look in looks]
    own = next(n for n, secret in enumerate(secrets) if secret.name == OWN)
    name = text("series.own", copies=secrets[own].copies)
    series = [Series(name, at, bits[:, own], "live", points=True)]
    for copies in sorted({s.copies for s in secrets if s.name != OWN}, reverse=True):
        these = bits[:, [s.copies == copies and s.name != OWN for s in secrets]]
        series.append(
            Series(text("series.copies", copies=copies), at, these.mean(axis=1),
                   DOSE_ROLES.get(copies, ""), spread=(these.min(axis=1), these.max(axis=1)))
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.exposure"),
        floor=(BLIND_BITS, text("series.blind")), x_range=(0, steps), y_range=(0, 14),
        alt=text("alt.exposures", own=f"{bits[-1, own]:.1f}", best=f"{bits[-1].max():.1f}"), height=380,
    )  # fmt: skip


def rest(looks: Sequence[Look], floor: float | None, steps: int, text: Text) -> Figure:
    """Loss on held-out passages, which hold no secret."""
    nats = [look.held_out_nats for look in looks]
    level = None if floor is None else (floor, text("series.floor", nats=f"{floor:.2f}"))
    series = [Series(text("series.rest"), [look.step for look in looks], nats, "validation")]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), floor=level,
        x_range=(0, steps), y_range=(0, None), alt=text("alt.rest", nats=f"{nats[-1]:.2f}"), height=260,
    )  # fmt: skip


def secrets_table(result: MemoryResult, language: str, text: Text) -> pd.DataFrame:
    """Every secret at the end of the run, those best known first."""
    look = result.looks[-1]
    rows = [
        (
            secret.told(language).text, secret.copies, int(left), int(look.rank[n]),
            round(exposure_bits(int(look.rank[n])), 1), look.written[n],
        )
        for n, (secret, left) in enumerate(zip(result.secrets, result.copies_left, strict=True))
    ]  # fmt: skip
    names = ("secret", "copies", "left", "rank", "exposure", "written")
    table = pd.DataFrame(rows, columns=[text(f"column.{name}") for name in names])
    return table.sort_values([text("column.rank"), text("column.copies")])


def doses(study: Study, arms: Sequence[str], text: Text) -> Figure:
    """Exposure against copies planted: mean over secrets and seeds, with the span of the seeds' means."""
    roles = ("rejected", "chosen", "changed", "gradient")
    series = []
    for arm, role in zip(arms, roles, strict=False):
        at = study.arms.index(arm)
        bits = MOST_BITS - np.log2(study.rank[at])  # (W, S)
        found = sorted(set(study.copies[at].flatten().tolist()))
        means = np.array(
            [[one[copies == dose].mean() for dose in found]
             for one, copies in zip(bits, study.copies[at], strict=True)]
        )  # (W, doses)  # fmt: skip
        x = [dose or NEVER for dose in found]
        spread = (means.min(axis=0), means.max(axis=0))
        name = text(f"option.arm.{arm}")
        series.append(Series(name, x, means.mean(axis=0), role, points=True, spread=spread))
    ends = text("list.comma").join(f"{one.name} {one.y[-1]:.1f}" for one in series)
    return curve(
        series, x_title=text("axis.copies"), y_title=text("axis.exposure"), log_x=True,
        floor=(BLIND_BITS, text("series.blind")), x_range=(NEVER, 64), y_range=(0, 14),
        alt=text("alt.doses", ends=ends), height=380,
    )  # fmt: skip


def price(study: Study, text: Words) -> Figure:
    """Loss on the rest, above the run without any secret: mean over seeds."""
    clean = study.held_out_nats[study.arms.index("nowhere")]  # (W,)
    arms = [arm for arm in study.arms if arm != "nowhere"]
    extra = [float((study.held_out_nats[study.arms.index(arm)] - clean).mean()) for arm in arms]
    names = [text(f"option.arm.{arm}") for arm in arms]
    return grouped(
        [(text("axis.extra"), extra, "validation")], names, text, value_title=text("axis.extra"),
        alt=text("alt.price", least=f"{min(extra):+.3f}", most=f"{max(extra):+.3f}"),
    )  # fmt: skip
