"""How the size of the pieces, the language and the way of asking decide what is found.

Nothing is drawn at random here; what might have come out otherwise are the questions, so the intervals are
of a bootstrap over them.
Axes: P sizes of pieces, K kinds of question, M methods.
"""

from dataclasses import dataclass

import numpy as np

from labcore.retrieval.embedding import unknown_share
from labcore.retrieval.finding import METHODS, FindConfig, Judged, judge
from labcore.retrieval.library import KINDS, LANGUAGES, bundled

SIZES = (6, 12, 24, 40, 80, 120)
RESAMPLED = 2000
DEFAULT_SIZE = 40


@dataclass(frozen=True, slots=True, eq=False)
class FindingStudy:
    sizes: np.ndarray  # (P,) words, a quarter of them shared with the neighbour
    recall: dict[str, np.ndarray]  # by "language-method": (P,) at 3
    reciprocal: dict[str, np.ndarray]  # (P,) its mean, MRR
    torn: dict[
        str, np.ndarray
    ]  # by language: (P,) share of questions whose evidence no piece holds
    by_kind: dict[str, np.ndarray]  # by "language-kind": (M,) MRR at 40 words
    interval: dict[str, np.ndarray]  # (M, 2) where 95 % of resampled question sets lie
    unknown: dict[str, float]  # by language: share of characters that MiniLM has no sign for


def study() -> FindingStudy:
    judged = {
        (language, size): judge(FindConfig(library=language, chunk_words=size, overlap=size // 4))
        for language in LANGUAGES
        for size in SIZES
    }

    def over_sizes(value) -> dict[str, np.ndarray]:
        return {
            f"{language}-{method}": np.array(
                [value(judged[language, size])[method].mean() for size in SIZES]
            )
            for language in LANGUAGES
            for method in METHODS
        }

    by_kind, interval = {}, {}
    for language in LANGUAGES:
        for kind in KINDS:
            rows = of_kind(judged[language, DEFAULT_SIZE], kind)
            by_kind[f"{language}-{kind}"] = rows.mean(axis=1)
            interval[f"{language}-{kind}"] = resampled(rows, np.random.default_rng(0))
    return FindingStudy(
        np.array(SIZES), over_sizes(lambda one: one.recall), over_sizes(lambda one: one.reciprocal),
        {
            language: np.array([judged[language, size].torn.mean() for size in SIZES])
            for language in LANGUAGES
        },
        by_kind, interval,
        {
            language: unknown_share([document.text for document in bundled(language).documents])
            for language in LANGUAGES
        },
    )  # fmt: skip


def of_kind(judged: Judged, kind: str) -> np.ndarray:
    """Reciprocal ranks of the questions of one kind.  -> (M, Q')"""
    chosen = np.array(judged.kinds) == kind
    return np.stack([judged.reciprocal[method][chosen] for method in METHODS])


def resampled(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where 95 % of the means over questions drawn with replacement lie.  (M, Q) -> (M, 2)"""
    drawn = rng.integers(0, rows.shape[1], (RESAMPLED, rows.shape[1]))
    means = rows[:, drawn].mean(axis=2)  # (M, R)
    return np.quantile(means, (0.025, 0.975), axis=1).T
