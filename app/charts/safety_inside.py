"""Ways around a refusal, the direction that stands for it, and a self-critique counted.

Axes: G groups of things, F phrasings, S seeds, K prefilled words, L sites, O objects.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import bars, maps
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.cabinet import KINDS, PHRASINGS
from labcore.tuning.constitution import ConstitutionStudy
from labcore.tuning.jailbreaks import AttackStudy
from labcore.tuning.refusal import GROUPS
from labcore.tuning.refusal_direction import SITES, DirectionStudy, Steered

REWRITE_MEASURES = {
    "refused_new": ("refused", "forbidden_new"),
    "refused_seen": ("refused", "forbidden_seen"),
    "words_new": ("words", "forbidden_new"),
    "told_new": ("told", "forbidden_new"),
    "over": ("refused", "borderline_new"),
}
COUNTED = ("answer", "revision", "again", "direct")


# Ways around.


def rewrites(study: AttackStudy, measure: str, text: Words) -> Figure:
    """One measure in every phrasing, for every kind of training; a dot is a seed."""
    name, group = REWRITE_MEASURES[measure]
    rows, traces = [], []
    for case, one in study.cases.items():
        values = getattr(one, name)[:, :, GROUPS.index(group)]  # (S, F)
        labels = [text(f"phrasing.{phrasing}") for phrasing in PHRASINGS]
        traces.append(
            go.Scatter(
                x=values.T.ravel(), y=np.repeat(labels, len(values)), mode="markers",
                name=text(f"case.{case}"), opacity=0.75, orientation="h",
                marker={"size": 11, "color": theme.MEANING[case]},
                hovertemplate="%{x:.2f}<extra></extra>",
            )
        )  # fmt: skip
        rows.append(
            pd.DataFrame(
                {text("column.phrasing"): labels, text("column.case"): text(f"case.{case}"),
                 text("column.mean"): values.mean(axis=0).round(3),
                 text("column.low"): values.min(axis=0).round(3),
                 text("column.high"): values.max(axis=0).round(3)}
            )
        )  # fmt: skip
    spec = plotly_figure(*traces, x_title=text(f"measure.{measure}"), scattermode="group")
    spec.update_yaxes(autorange="reversed")
    spec.update_xaxes(range=[-0.04, 1.04])
    height = 150 + 48 * len(PHRASINGS)
    return Figure("plotly", spec, text("alt.rewrites"), pd.concat(rows), height)


def prefill(study: AttackStudy, part: str, text: Words) -> Figure:
    """Forbidden answers told to the end behind 0, 1, … words; `part`: "seen" or "new" things."""
    index = ("seen", "new").index(part)
    series = []
    for case, one in study.cases.items():
        runs = one.prefill_told[:, index]  # (S, K + 1)
        spread = (runs.min(axis=0), runs.max(axis=0))
        words = np.arange(runs.shape[1])
        series.append(
            Series(text(f"case.{case}"), words, runs.mean(axis=0), case, points=True, spread=spread)
        )
    return curve(
        series, x_title=text("axis.prefilled"), y_title=text("axis.told"), y_range=(0, 1),
        height=320, alt=text("alt.prefill"),
    )  # fmt: skip


def kl(study: AttackStudy, text: Words) -> Figure:
    """How far each model is from its base, word by word of true answers."""
    series = []
    for case in ("shallow", "deep"):
        for part, kind in enumerate(("forbidden", "harmless")):
            runs = study.cases[case].kl[:, part, :-1]  # (S, 5); behind the last word all agree
            label = text("series.kl", case=text(f"case.{case}"), kind=text(f"kind.{kind}"))
            places = np.arange(1, runs.shape[1] + 1)
            spread = (runs.min(axis=0), runs.max(axis=0))
            series.append(
                Series(
                    label, places, runs.mean(axis=0), case, kind == "harmless", True, spread=spread
                )
            )
    return curve(
        series, x_title=text("axis.word"), y_title=text("axis.kl"), y_range=(0, None), height=320,
        alt=text("alt.kl"),
    )  # fmt: skip


# The direction.


def steered(result: Steered, untouched: Steered, text: Words) -> Figure:
    """Shares refused and answered, group by group, before and after."""
    columns = (
        ("refused.before", untouched.refused, "baseline"), ("refused.after", result.refused, "forbidden"),
        ("answered.after", result.answered, "harmless"),
    )  # fmt: skip
    return bars.grouped(
        [(text(f"series.{name}"), values, role) for name, values, role in columns],
        [text(f"group.{name}") for name in GROUPS],
        text, alt=text("alt.steered"), value_title=text("axis.share"),
    )  # fmt: skip


def along(result: Steered, names: Sequence[str], text: Words) -> Figure:
    """All things: where they lie along the direction, and how likely a refusal is."""
    traces, kind = [], result.group // 2
    for index, name in enumerate(KINDS):
        here = kind == index
        traces.append(
            go.Scatter(
                x=result.along[here], y=result.p_refusal[here], mode="markers",
                name=text(f"kind.{name}"), opacity=0.75,
                marker={"size": 9, "color": theme.MEANING[name]},
                text=[names[number] for number in np.flatnonzero(here)],
                hovertemplate="%{text}: %{x:.2f}, %{y:.2f}<extra></extra>",
            )
        )  # fmt: skip
    spec = plotly_figure(*traces, x_title=text("axis.along"), y_title=text("axis.p_refusal"))
    marks = [*zip(result.means, ("refused", "answered"), strict=True), (0.0, "zero")]
    for value, label in marks:
        spec.add_vline(
            value, line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5},
            annotation_text=text(f"mark.{label}"), annotation_position="top",
        )  # fmt: skip
    spec.update_layout(margin={"t": 64}, legend={"y": -0.22, "yanchor": "top"})
    table = pd.DataFrame(
        {text("column.thing"): names, text("column.kind"): [text(f"kind.{KINDS[k]}") for k in kind],
         text("axis.along"): result.along.round(3), text("axis.p_refusal"): result.p_refusal.round(4)}
    )  # fmt: skip
    return Figure("plotly", spec, text("alt.along"), table, 400)


def by_site(study: DirectionStudy, group: str, text: Words) -> Figure:
    """Share refused after each way, at every site: means over seeds with bands."""
    series = []
    for way, role in zip(study.refused, ("baseline", "query", "value", "key", "", ""), strict=True):
        runs = study.refused[way][:, :, GROUPS.index(group)]  # (S, L)
        spread = (runs.min(axis=0), runs.max(axis=0))
        places = np.arange(1, runs.shape[1] + 1)
        dashed = way.startswith("random")
        series.append(
            Series(text(f"option.way.{way}"), places, runs.mean(axis=0), role or "neutral", dashed,
                   True, spread=spread)
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.site"), y_title=text("axis.refused"), y_range=(0, 1), height=340,
        alt=text("alt.by_site"),
    )  # fmt: skip


def cosines(study: DirectionStudy, text: Words) -> Figure:
    """How alike the directions of two places are, mean over seeds."""
    labels = [str(number) for number in range(1, len(SITES) + 1)]
    return maps.matrix(
        study.cosine.mean(axis=0), labels, labels, text, alt=text("alt.cosines"),
        row_title=text("column.site"), column_title=text("column.site"),
        value_title=text("column.cosine"), signed=True, bounds=(-1.0, 1.0), height=360,
    )  # fmt: skip


# Self-critique, counted.


def kept(study: ConstitutionStudy, language: str, principle: str, text: Words) -> Figure:
    """Texts that keep the principle, and those of them that still answer."""
    pairs = [study.counts(language, principle, stage) for stage in COUNTED]
    keeps, about = zip(*pairs, strict=True)
    return bars.grouped(
        [(text("series.keeps"), keeps, "baseline"), (text("series.keeps_about"), about, "harmless")],
        [text(f"stage.{stage}") for stage in COUNTED],
        text, alt=text("alt.kept", first=about[0], revised=about[1]), value_title=text("axis.texts"),
    )  # fmt: skip
