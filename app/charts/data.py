"""Pictures of the data pipeline: the funnel, what a rule measures, what LSH finds, what BPE saves, how
rows are filled.

C moments or bins, S seeds, R rows, T positions.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped, stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.maps import matrix, token_row
from app.figures import Figure
from app.i18n import Words
from labcore.pretraining.document_leak import FRONT_TOKENS, LeakResult
from labcore.pretraining.near_study import NearStudy
from labcore.pretraining.packing_study import PackingResult
from labcore.pretraining.pipeline import GramSweep, PipelineResult
from labcore.pretraining.vocabulary import LANGUAGES, LanguageStudy, Spelling
from labcore.text.dedup import candidate_probability, steepest_similarity
from labcore.text.packing import METHODS

MOST_POSITIONS = 90  # columns that fit beside each other without scrolling
# Neighbours in a row must differ at a glance; the eighth document looks like the first. 0 is padding.
DOCUMENT_SHADES = np.array([2, 6, 4, 7, 3, 5, 1])


def funnel(result: PipelineResult, text: Words) -> Figure:
    """What every stage kept and dropped, planted documents apart."""
    planted = [bool(document.planted) for document in result.documents]
    kept, still, dropped = [], [], []
    for stage in result.stages:
        inside = sum(planted[n] for n in stage.kept.tolist())
        kept.append(len(stage.kept) - inside)
        still.append(inside)
        dropped.append(len(stage.dropped))
    names = [text(f"option.stage.{stage.name}") for stage in result.stages]
    return stacked(
        [
            (text("part.kept"), kept, "kept"),
            (text("part.planted"), still, "learning_rate"),
            (text("part.dropped"), dropped, "dropped"),
        ],
        names, text, value_title=text("axis.documents"),
        alt=text("alt.funnel", first=len(result.documents), last=len(result.dataset())),
    )  # fmt: skip


def planted_fate(result: PipelineResult, kinds: Sequence[str], text: Words) -> Figure:
    """Of each kind of planted flaw, where it was found."""
    met = {n: stage.name for stage in result.stages for n in stage.dropped.tolist()}
    fates: dict[str, Counter] = {kind: Counter() for kind in kinds}
    for number, document in enumerate(result.documents):
        if document.planted:
            fates[document.planted][met.get(number, "never")] += 1
    there = [kind for kind in kinds if fates[kind]]
    stages = [stage.name for stage in result.stages[1:]] + ["never"]
    roles = ("cache", "neutral", "value", "gradient", "query", "dropped")
    parts = [
        (
            text("part.never") if stage == "never" else text(f"option.stage.{stage}"),
            [fates[kind][stage] for kind in there],
            role,
        )
        for stage, role in zip(stages, roles, strict=True)
    ]
    return stacked(
        [part for part in parts if any(part[1])], [text(f"planted.{kind}") for kind in there], text,
        value_title=text("axis.documents"),
        alt=text("alt.planted", missed=sum(fates[kind]["never"] for kind in there)),
        height=84 + 34 * len(there),
    )  # fmt: skip


def changed(result: PipelineResult, steps: Sequence[str], text: Words) -> Figure:
    """How many documents each normalising step touched."""
    counts = Counter(step for changes in result.changes for step in changes)
    return stacked(
        [(text("part.changed"), [counts[step] for step in steps], "changed")],
        [text(f"knob.{step}") for step in steps], text, value_title=text("axis.documents"),
        alt=text("alt.changed", total=sum(map(bool, result.changes))),
    )  # fmt: skip


def signal_histogram(values: dict[str, np.ndarray], limit: float, name: str, text: Words) -> Figure:
    """How a measured signal is distributed, by language; the limit as a line."""
    roles = {"zh": "zh", "en": "en", "other": "neutral", "planted": "learning_rate"}
    every = np.concatenate(list(values.values()))
    high = float(np.quantile(every, 0.995)) if name == "characters" else 1.0
    high = max(high, limit * 1.1, 1e-9)
    edges = np.linspace(0, high, 41)
    width = edges[1] - edges[0]
    centres = (edges[:-1] + edges[1:]) / 2
    traces, columns = [], {text(f"signal.{name}"): centres}
    for group, numbers in values.items():
        counts = np.histogram(np.clip(numbers, 0, high), edges)[0]
        label = text(f"group.{group}")
        columns[label] = counts
        traces.append(
            go.Bar(
                x=centres,
                y=counts,
                width=width,
                name=label,
                marker_color=theme.colour(roles[group]),
            )
        )
    figure = plotly_figure(
        *traces, x_title=text(f"signal.{name}"), y_title=text("axis.documents"), barmode="stack"
    )
    figure.add_vline(x=limit, line={"color": theme.MEANING["dropped"], "dash": "dash", "width": 2})
    alt = text("alt.signal", signal=text(f"signal.{name}"), limit=f"{limit:g}")
    return Figure("plotly", figure, alt, pd.DataFrame(columns), 320)


def s_curve(study: NearStudy, bands: int, rows: int, threshold: float, text: Words) -> Figure:
    """The formula, and the share of real pairs that met, over all seeds."""
    s = np.linspace(0, 1, 101)
    there = study.pair_counts > 0
    share = study.met[:, there]
    return curve(
        [
            Series(
                text("series.formula", bands=bands, rows=rows), s,
                candidate_probability(s, bands, rows), "expected",
            ),
            Series(
                text("series.met"), study.centres[there], share.mean(axis=0), "changed", points=True,
                spread=(share.min(axis=0), share.max(axis=0)),
            ),
        ],
        x_title=text("axis.similarity"), y_title=text("axis.met"), x_range=(0, 1), y_range=(0, 1),
        marks=[(threshold, text("mark.threshold"))],
        alt=text(
            "alt.s_curve", bands=bands, rows=rows, rise=f"{steepest_similarity(bands, rows):.2f}"
        ),
    )  # fmt: skip


def choices(study: NearStudy, text: Words) -> Figure:
    """Recall and precision of every way to use 128 hashes."""
    recall = study.recall
    return curve(
        [
            Series(
                text("series.recall"), study.rows, np.nanmean(recall, axis=0) if study.true_pairs else
                np.full(len(study.rows), np.nan), "kept", points=True,
                spread=(recall.min(axis=0), recall.max(axis=0)),
            ),
            Series(text("series.precision"), study.rows, study.precision, "gradient", points=True),
        ],
        x_title=text("axis.rows"), y_title=text("axis.share"), log_x=True, y_range=(0, 1),
        alt=text("alt.choices", pairs=study.true_pairs),
    )  # fmt: skip


def gram_sweep(sweep: GramSweep, gram: int, text: Words) -> Figure:
    """Leaks found, by disguise, and innocents accused, over the length of the run."""
    roles = {"leak_verbatim": "kept", "leak_layout": "query", "leak_renamed": "learning_rate",
             "leak_retold": "gradient"}  # fmt: skip
    series = [
        Series(
            text(f"planted.{kind}"), sweep.grams, found / max(1, sweep.there[kind]), roles[kind],
            points=True,
        )
        for kind, found in sweep.found.items()
        if sweep.there[kind]
    ]  # fmt: skip
    series.append(
        Series(
            text("series.accused"), sweep.grams, sweep.accused, "dropped", True, True, right=True
        )
    )
    return curve(
        series, x_title=text("axis.gram"), y_title=text("axis.found"),
        right_title=text("axis.accused"), y_range=(0, 1), marks=[(gram, text("mark.chosen"))],
        alt=text("alt.sweep", most=int(sweep.accused.max(initial=0))), height=360,
    )  # fmt: skip


def compression(
    sizes: np.ndarray, bytes_per_token: np.ndarray, largest: int, text: Words,
    study: LanguageStudy | None = None,
) -> Figure:  # fmt: skip
    """Bytes per token against the size of the vocabulary, one line a language."""
    series = []
    for column, language in enumerate(LANGUAGES):
        if len(sizes) and np.isfinite(bytes_per_token[:, column]).any():
            series.append(
                Series(
                    text(f"group.{language}"),
                    sizes,
                    bytes_per_token[:, column],
                    language,
                    points=True,
                )
            )
    for column, language in enumerate(LANGUAGES if study else ()):
        values = study.bytes_per_token[0, :, :, column]
        series.append(
            Series(
                text("series.seeds", language=text(f"group.{language}")), study.sizes,
                values.mean(axis=0), language, dashed=True,
                spread=(values.min(axis=0), values.max(axis=0)),
            )
        )  # fmt: skip
    last = [f"{value:.2f}" for value in bytes_per_token[-1]] if len(sizes) else ["–", "–"]
    return curve(
        series, x_title=text("axis.vocabulary"), y_title=text("axis.bytes"), log_x=True,
        x_range=(256, largest),
        y_range=(0, None), alt=text("alt.compression", zh=last[0], en=last[1]),
    )  # fmt: skip


def languages(study: LanguageStudy, text: Words) -> Figure:
    """What each tokenizer does to each language, at the largest size; mean over the seeds."""
    last = study.bytes_per_token[:, :, -1].mean(axis=1)
    low, high = (f(study.bytes_per_token[:, :, -1], axis=1) for f in (np.min, np.max))
    figure = grouped(
        [(text(f"group.{name}"), last[:, at].tolist(), name) for at, name in enumerate(LANGUAGES)],
        [text(f"option.trained_on.{on}") for on in study.trained_on], text,
        value_title=text("axis.bytes"),
        alt=text("alt.languages", low=f"{last[2, 0]:.2f}", high=f"{last[1, 0]:.2f}"),
    )  # fmt: skip
    table = figure.data()
    for at, name in enumerate(LANGUAGES):
        for edge, values in (("min", low), ("max", high)):
            table[f"{text(f'group.{name}')} {edge}"] = values[:, at]
    return Figure(figure.kind, figure.spec, figure.alt, table, figure.height)


def tokens(spelling: Spelling, text: Words) -> Figure:
    """A text's tokens, the longer the darker."""
    return token_row(
        spelling.labels, spelling.lengths, text, value_title=text("axis.token_bytes"),
        bounds=(0.0, 12.0),
        alt=text("alt.tokens", count=len(spelling.labels), size=spelling.vocab_size),
    )  # fmt: skip


def packing(result: PackingResult, text: Words) -> Figure:
    """What the three ways cost."""
    shares = {
        "wasted": "idle", "lost": "dropped", "torn": "learning_rate", "foreign": "gradient"
    }  # fmt: skip
    return grouped(
        [
            (text(f"cost.{name}"), [100 * getattr(one, name) for one in result.reports], role)
            for name, role in shares.items()
        ],
        [text(f"option.method.{method}") for method in METHODS], text,
        value_title=text("axis.percent"),
        alt=text("alt.packing", wasted=f"{result.reports[0].wasted:.0%}"),
    )  # fmt: skip


def rows(result: PackingResult, text: Words) -> Figure:
    """Some rows, document by document; padding is empty. Of long rows every n-th position is drawn."""
    count, size = result.documents.shape
    drawn = np.arange(0, size, -(-size // MOST_POSITIONS))
    documents = result.documents[:, drawn]
    shade = np.where(documents < 0, 0, DOCUMENT_SHADES[documents % len(DOCUMENT_SHADES)])
    return matrix(
        shade, [str(n) for n in range(1, count + 1)], list(map(str, drawn.tolist())), text,
        row_title=text("axis.row"), column_title=text("axis.position"),
        value_title=text("axis.document"), bounds=(0, len(DOCUMENT_SHADES)), height=340,
        alt=text("alt.rows", rows=count, size=size),
    )  # fmt: skip


def mask(result: PackingResult, text: Words) -> Figure:
    """Who may look at whom: a triangle for each document."""
    names = [str(n) for n in range(len(result.mask))]
    return matrix(
        result.mask.astype(np.float32), names, names, text, row_title=text("axis.query"),
        column_title=text("axis.key"), value_title=text("axis.allowed"), bounds=(0, 1), height=420,
        alt=text("alt.mask", size=len(names)),
    )  # fmt: skip


def leak(result: LeakResult, text: Words) -> Figure:
    """How much the logits of the second story move when the first is exchanged."""
    places = np.arange(result.open_change.shape[1])
    spread = [(change.min(axis=0), change.max(axis=0)) for change in
              (result.open_change, result.closed_change)]  # fmt: skip
    return curve(
        [
            Series(
                text("series.open"), places, result.open_change.mean(axis=0), "dropped",
                spread=spread[0],
            ),
            Series(
                text("series.closed"), places, result.closed_change.mean(axis=0), "kept",
                spread=spread[1],
            ),
        ],
        x_title=text("axis.behind", front=FRONT_TOKENS), y_title=text("axis.change"),
        alt=text("alt.leak", change=f"{result.open_change.mean():.1f}",
                 closed=f"{result.closed_change.max():.1g}"),
    )  # fmt: skip


def leak_price(result: LeakResult, text: Words) -> Figure:
    """Loss of a story alone, behind a stranger, and behind a mask; mean of the seeds, each in the table."""
    ways = {"alone": result.alone_nats, "open": result.open_nats, "closed": result.closed_nats}
    figure = stacked(
        [(text("axis.nats"), [float(nats.mean()) for nats in ways.values()], "changed")],
        [text(f"way.{way}") for way in ways], text, value_title=text("axis.nats"),
        alt=text("alt.price", alone=f"{result.alone_nats.mean():.2f}",
                 open=f"{result.open_nats.mean():.2f}"),
    )  # fmt: skip
    table = figure.data()
    for seed in range(len(result.alone_nats)):
        table[f"seed {seed}"] = [float(nats[seed]) for nats in ways.values()]
    return Figure(figure.kind, figure.spec, figure.alt, table, figure.height)
