"""Pictures of guards: a bucket over time, what passes and what is stopped by mistake, an attacker's tries.

Axes: A attacks, K thresholds, N tries, S seeds.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from app.charts import bars
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.guard.adaptive import Adaptive
from labcore.guard.injection import DEFENCES, FATES, Injected, Look
from labcore.guard.study import Judged

SHARE = (0, 1)
GUARD_ROLES = {"keywords": "baseline", "ngrams": "changed", "transformer": "guess"}
FATE_ROLES = {"right": "kept", "obeyed": "dropped", "held": "guess", "other": "baseline"}


def bucket(levels: Sequence[tuple[float, float, bool]], text: Words) -> Figure:
    """Tokens left after each message: (seconds, tokens, passed)."""
    seconds, tokens, passed = (np.array(column, float) for column in zip(*levels, strict=True))
    kinds = [("kept", "passed", passed > 0), ("dropped", "turned_away", passed == 0)]
    return curve(
        [Series(text("series.level"), seconds, tokens, "expected", dashed=True)]
        + [
            Series(text(f"series.{name}"), seconds, np.where(chosen, tokens, np.nan), role, points=True)
            for role, name, chosen in kinds
            if chosen.any()
        ],
        x_title=text("axis.seconds"), y_title=text("axis.tokens"), y_range=(0, None), height=240,
        alt=text("alt.bucket", passed=int(passed.sum()), messages=len(passed)),
    )  # fmt: skip


def recall(as_is: Sequence[Judged], undone: Sequence[Judged], text: Words) -> Figure:
    """What share of harmful requests is stopped, by disguise; the mean over seeds."""
    attacks = list(as_is[0].recall)
    read = {"as_is": as_is, "undone": undone}
    values = {
        name: [np.mean([one.recall[attack] for one in some]) for attack in attacks]
        for name, some in read.items()
    }
    return bars.grouped(
        [
            (text("reading.as_is"), values["as_is"], "baseline"),
            (text("reading.undone"), values["undone"], "changed"),
        ],
        [text(f"attack.{attack}") for attack in attacks], text, value_title=text("axis.stopped"),
        alt=text(
            "alt.recall", plain=f"{values['as_is'][0]:.0%}", worst=f"{min(values['as_is']):.0%}",
            undone=f"{min(values['undone']):.0%}",
        ),
    )  # fmt: skip


def alarms(judged: Mapping[str, Sequence[Judged]], text: Words) -> Figure:
    """What share of harmless texts is stopped, by kind; `judged` by "known", "new" and "new_undone"."""
    kinds = list(judged["new"][0].alarms)
    values = {
        name: [np.mean([one.alarms[kind] for one in some]) for kind in kinds]
        for name, some in judged.items()
    }
    roles = {"known": "baseline", "new": "dropped", "new_undone": "changed"}
    return bars.grouped(
        [(text(f"alarms.{name}"), some, roles[name]) for name, some in values.items()],
        [text(f"kind.{kind}") for kind in kinds], text, value_title=text("axis.stopped"),
        alt=text("alt.alarms", look_alike=f"{values['new'][kinds.index('look_alike')]:.0%}"),
    )  # fmt: skip


def roc(
    lines: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]], text: Words, alarms: float
) -> Figure:
    """Recall over false alarms by (guard, exam); points of one guard's thresholds."""
    return curve(
        [
            Series(
                f"{text(f'guard.{guard}')}, {text(f'exam.{exam}')}", x[::-1], y[::-1],
                GUARD_ROLES[guard], dashed=exam == "known",
            )
            for (guard, exam), (x, y) in lines.items()
        ],
        x_title=text("axis.alarms"), y_title=text("axis.recall"), x_range=SHARE, y_range=SHARE,
        marks=[(alarms, "")], height=360, alt=text("alt.roc"),
    )  # fmt: skip


def tries(result: Adaptive, text: Words) -> Figure:
    counts = np.arange(1, len(result.passed) + 1)
    return curve(
        [
            Series(text("series.disguised"), counts, result.passed, "dropped", points=True),
            Series(text("series.control"), counts, result.control, "baseline", dashed=True),
        ],
        x_title=text("axis.tries"), y_title=text("axis.through"), y_range=SHARE,
        alt=text(
            "alt.tries", first=f"{result.passed[0]:.0%}", last=f"{result.passed[-1]:.0%}",
            control=f"{result.control[0]:.0%}", tries=len(counts),
        ),
    )  # fmt: skip


def serving(looks: Sequence[Look], text: Words) -> Figure:
    """While it learns: users served, and pages obeyed."""
    return _serving(*(np.array([getattr(one, name) for one in looks])[:, None]
                      for name in ("step", "serves", "obeys_page")), text)  # fmt: skip


def served(runs: Sequence[Injected], text: Words) -> Figure:
    """The same over several seeds: mean, lowest and highest."""
    columns = [np.stack([getattr(one, name) for one in runs], axis=1)
               for name in ("steps", "serves", "obeys_page")]  # fmt: skip
    return _serving(*columns, text)


def _serving(steps: np.ndarray, serves: np.ndarray, obeys: np.ndarray, text: Words) -> Figure:
    return curve(
        [
            Series(
                text(f"series.{name}"), steps[:, 0], values.mean(axis=1), role, points=True,
                spread=(values.min(axis=1), values.max(axis=1)),
            )
            for name, values, role in (("serves", serves, "kept"), ("obeys", obeys, "dropped"))
        ],
        x_title=text("axis.updates"), y_title=text("axis.share"), y_range=SHARE,
        alt=text("alt.serving", serves=f"{serves[-1].mean():.0%}", obeys=f"{obeys[-1].mean():.0%}"),
    )  # fmt: skip


def fates(runs: Sequence[Injected], page: str, text: Words) -> Figure:
    """What becomes of an order, by defence; the mean over seeds."""
    shares = np.mean([[one.outcomes[f"{d} {page}"] for d in DEFENCES] for one in runs], axis=0)
    return bars.stacked(
        [
            (text(f"fate.{fate}"), shares[:, n], FATE_ROLES[fate])
            for n, fate in enumerate(FATES)
        ],
        [text(f"defence.{defence}") for defence in DEFENCES], text,
        value_title=text("axis.orders"),
        alt=text(
            "alt.fates", none=f"{shares[0, 1]:.0%}", separated=f"{shares[3, 1]:.0%}",
            right=f"{shares[3, 0]:.0%}",
        ),
    )  # fmt: skip
