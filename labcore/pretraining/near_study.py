"""How good is LSH? Every pair is compared exactly, and what each choice of bands and rows finds is held
against that, over several sets of hash functions.

E pairs with a similarity worth speaking of, C bins of similarity, S seeds, G choices of bands and rows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from labcore.pretraining import pipeline
from labcore.pretraining.pipeline import PERMUTATIONS, PipelineConfig
from labcore.text import dedup

LEAST = 0.1  # below this similarity nobody would speak of near-duplicates
BINS = np.linspace(LEAST, 1.0, 10)
ROWS = (1, 2, 4, 8, 16, 32)  # with 128 / rows bands each: every hash used once
SEEDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class NearStudy:
    documents: int
    all_pairs: int  # N (N - 1) / 2
    true_pairs: int  # at least as similar as the threshold
    pair_counts: np.ndarray  # (C - 1,) pairs in each bin of similarity
    centres: np.ndarray  # (C - 1,) their mean similarity, NaN where there is none
    met: np.ndarray  # (S, C - 1) share of each bin's pairs that the chosen bands brought together
    rows: np.ndarray  # (G,)
    bands: np.ndarray  # (G,)
    recall: np.ndarray  # (S, G) of the true pairs, the share that met
    candidates: np.ndarray  # (G,) pairs that met, with the first seed
    precision: np.ndarray  # (G,) of these, the share that are true


def run(config: PipelineConfig) -> NearStudy:
    """Judge the chosen bands and rows, and every way to use all hashes, on the stage's documents."""
    sets, pairs, similar = compared(config)
    near = config.near
    true = similar >= near.threshold
    bin_of = np.digitize(similar, BINS[1:-1])
    counts = np.bincount(bin_of, minlength=len(BINS) - 1)
    sums = np.bincount(bin_of, weights=similar, minlength=len(BINS) - 1)
    met, recall = [], []
    for seed in range(near.seed, near.seed + SEEDS):
        marks = marked(config, seed)
        found = together(marks, pairs, max(near.bands, 1), near.rows)
        met.append(_share(np.bincount(bin_of, weights=found, minlength=len(counts)), counts))
        recall.append(
            [
                _share(together(marks, pairs, PERMUTATIONS // r, r)[true].sum(), true.sum())
                for r in ROWS
            ]
        )
    candidates, precision = judged(config)
    return NearStudy(
        len(sets), len(sets) * (len(sets) - 1) // 2, int(true.sum()), counts,
        _share(sums, counts), np.array(met), np.array(ROWS), PERMUTATIONS // np.array(ROWS),
        np.array(recall), candidates, precision,
    )  # fmt: skip


def together(marks: np.ndarray, pairs: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """Which pairs agree in all rows of a band.  (N, P), (E, 2) -> (E,) bool"""
    left, right = (marks[pairs[:, side], : bands * rows] for side in (0, 1))
    return (left == right).reshape(len(pairs), bands, rows).all(axis=2).any(axis=1)


def compared(config: PipelineConfig) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The sets of shingles that enter the stage, all pairs that are alike, and how much."""
    return _compared(
        config.source, config.normalise, config.filter, config.exact, config.near.shingle
    )


@lru_cache(maxsize=4)
def _compared(source, normalise, filter, exact, shingle):
    texts = pipeline.normalised(source, normalise)[0]
    _, filtering = pipeline.filtered(source, normalise, filter)
    _, stage = pipeline.without_copies(filtering, texts, exact)
    every = pipeline.shingled(source, normalise, shingle)
    sets = [every[n] for n in stage.kept.tolist()]
    return sets, *dedup.all_similarities(sets, LEAST)


def marked(config: PipelineConfig, seed: int) -> np.ndarray:
    """The signatures of the stage's documents under one set of hash functions."""
    near = config.near
    return _marked(config.source, config.normalise, config.filter, config.exact, near.shingle, seed)


@lru_cache(maxsize=4 * SEEDS)
def _marked(source, normalise, filter, exact, shingle, seed):
    sets = _compared(source, normalise, filter, exact, shingle)[0]
    return pipeline.signatures(sets, seed) if sets else np.empty((0, PERMUTATIONS), np.uint32)


def judged(config: PipelineConfig) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that meet in reality, chance meetings included, and the share of true ones.  (G,), (G,)"""
    _, pairs, similar = compared(config)
    marks = marked(config, config.near.seed)
    alike = {tuple(pair) for pair in pairs[similar >= config.near.threshold].tolist()}
    numbers, right = [], []
    for rows in ROWS:
        met = dedup.candidate_pairs(marks, PERMUTATIONS // rows, rows, crowd_limit=len(marks))
        numbers.append(len(met))
        right.append(_share(np.float64(len(met & alike)), len(met)))
    return np.array(numbers), np.array(right)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where there is nothing to share."""
    return np.where(np.asarray(whole) > 0, part / np.maximum(whole, 1), np.nan)
