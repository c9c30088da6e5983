"""Pictures of a watermark: evidence over length, found and accused, what a replacement destroys.

Axes: L lengths, N texts, R shares replaced, D biases, S seeds.
"""

from collections.abc import Sequence

import numpy as np

from app import theme
from app.charts import maps
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.guard.marked_text import LEVEL, REPLACED, Marked, MarkStudy

ROLES = {"marked": "changed", "plain": "baseline", "other_key": "guess"}
SHARE = (0, 1)


def evidence(runs: Sequence[Marked], text: Words) -> Figure:
    """z over length: the mean over texts, the band holding nine texts of ten."""
    series = []
    for kind, role in ROLES.items():
        z = np.concatenate([one.z[kind] for one in runs], axis=1)  # (L, N)
        band = np.quantile(z, [0.05, 0.95], axis=1)
        series.append(
            Series(text(f"series.{kind}"), runs[0].lengths, z.mean(axis=1), role, points=True,
                   spread=(band[0], band[1]))
        )  # fmt: skip
    last = {kind: np.mean([one.z[kind][-1].mean() for one in runs]) for kind in ROLES}
    return curve(
        series, x_title=text("axis.tokens_of_text"), y_title=text("axis.z"), x_range=(0, 160),
        alt=text("alt.evidence", marked=f"{last['marked']:.1f}", plain=f"{last['plain']:.1f}"),
    )  # fmt: skip


def found(runs: Sequence[Marked], text: Words) -> Figure:
    """Marked texts found and plain texts accused, over length."""
    lines = [
        ("found", "changed", False, [one.p["marked"] for one in runs]),
        ("accused", "dropped", False, [one.p["plain"] for one in runs]),
        ("accused_twice", "dropped", True, [one.p_repeated["plain"] for one in runs]),
    ]
    shares = {name: (np.concatenate(p, axis=1) < LEVEL).mean(axis=1) for name, _, _, p in lines}
    return curve(
        [
            Series(text(f"series.{name}"), runs[0].lengths, shares[name], role, dashed, points=True)
            for name, role, dashed, _ in lines
        ],
        x_title=text("axis.tokens_of_text"), y_title=text("axis.texts"), y_range=SHARE,
        x_range=(0, 160), floor=(LEVEL, text("floor.level")),
        alt=text(
            "alt.found", found=f"{shares['found'][-1]:.0%}", accused=f"{shares['accused'][-1]:.1%}",
            twice=f"{shares['accused_twice'][-1]:.1%}",
        ),
    )  # fmt: skip


def damaged(runs: Sequence[Marked], text: Words) -> Figure:
    """Marked texts still found when a share of their tokens was swapped."""
    after = np.stack([one.found_after for one in runs], axis=1)  # (R, S)
    return curve(
        [
            Series(text("series.found"), REPLACED, after.mean(axis=1), "changed", points=True,
                   spread=(after.min(axis=1), after.max(axis=1)))
        ],
        x_title=text("axis.replaced"), y_title=text("axis.texts"), y_range=SHARE, height=280,
        x_range=(0, REPLACED[-1]),
        alt=text("alt.damaged", before=f"{after[0].mean():.0%}", after=f"{after[-1].mean():.0%}"),
    )  # fmt: skip


def price(study: MarkStudy, text: Words) -> Figure:
    """Found at 160 tokens, and what was written loses, over the bias."""
    hits = np.array([[(run.p["marked"][-1] < LEVEL).mean() for run in some] for some in study.runs])
    cost = np.array(
        [[run.nats["marked"] - run.nats["plain"] for run in some] for some in study.runs]
    )
    return curve(
        [
            Series(text("series.found"), study.biases, hits.mean(axis=1), "changed", points=True,
                   spread=(hits.min(axis=1), hits.max(axis=1))),
            Series(text("series.cost"), study.biases, cost.mean(axis=1), "dropped", points=True,
                   right=True, spread=(cost.min(axis=1), cost.max(axis=1))),
        ],
        x_title=text("axis.bias"), y_title=text("axis.texts"), right_title=text("axis.cost"),
        y_range=SHARE, height=300,
        alt=text("alt.price", found=f"{hits[-1].mean():.0%}", cost=f"{cost[-1].mean():.2f}"),
    )  # fmt: skip


def tokens(run: Marked, kind: str, text: Words) -> Figure:
    """The beginning of one text, green tokens in green."""
    green = np.array(run.sample_green[kind], int)
    names = [
        (text("token.other"), theme.MEANING["baseline"]),
        (text("token.green"), theme.MEANING["kept"]),
    ]
    return maps.token_kinds(
        run.sample_tokens[kind], green, names, text, kind_title=text("token.kind"),
        alt=text("alt.tokens", green=int(green[1:].sum()), tokens=max(0, len(green) - 1)),
    )  # fmt: skip
