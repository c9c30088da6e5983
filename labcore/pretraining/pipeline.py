"""The data pipeline: raw text in, training text out, and an account of everything that was dropped.

source → normalise → filter → exact duplicates → near duplicates → contamination.  Each stage reads what
the one before kept, says what it dropped and why, and can be switched or tuned; what a stage has
computed is remembered, so turning a knob repeats only the stages behind it.

N documents; documents are named by their number in the source, which never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.pretraining import planted
from labcore.pretraining.sources import Document, SourceConfig, gather
from labcore.text import contamination, dedup
from labcore.text.cleaning import (
    FilterConfig,
    NormaliseConfig,
    Signals,
    first_failed,
    measure,
    normalise,
)
from labcore.text.contamination import Hit
from labcore.text.evaluation_sets import Item, humaneval, own_items

STAGES = ("source", "normalise", "filter", "exact", "near", "contamination")
COMPARISONS = ("characters", "letters", "off")
EVALUATIONS = ("humaneval", "own", "none")
REMEMBERED = 8  # results of each stage
PERMUTATIONS = 128  # minima of a signature


@lab_config
class NearConfig:
    shingle: int = 5  # characters
    bands: int = 32  # 0: the stage is off
    rows: int = 4
    threshold: float = 0.7  # Jaccard similarity from which two texts count as one
    seed: int = 0  # of the hash functions

    def __post_init__(self) -> None:
        if not 1 <= self.shingle <= 20:
            raise LabInputError("shingle", self.shingle, "between", low=1, high=20)
        if self.bands < 0:
            raise LabInputError("bands", self.bands, "at_least", limit=0)
        if self.rows < 1:
            raise LabInputError("rows", self.rows, "at_least", limit=1)
        if self.bands * self.rows > PERMUTATIONS:
            raise LabInputError(
                "bands", self.bands * self.rows, "bands_times_rows", limit=PERMUTATIONS
            )
        if not 0 < self.threshold <= 1:
            raise LabInputError("threshold", self.threshold, "between", low=0, high=1)


@lab_config
class ContaminationConfig:
    evaluation: str = "humaneval"
    own: str = ""  # a learner's own test, one question a line
    gram: int = 10  # words

    def __post_init__(self) -> None:
        if self.evaluation not in EVALUATIONS:
            raise LabInputError("evaluation", self.evaluation, "known_choice", allowed=EVALUATIONS)
        if not 1 <= self.gram <= 50:
            raise LabInputError("gram", self.gram, "between", low=1, high=50)

    def items(self) -> tuple[Item, ...]:
        if self.evaluation == "humaneval":
            return humaneval()
        return own_items(self.own) if self.evaluation == "own" else ()


@lab_config
class PipelineConfig:
    source: SourceConfig = field(default_factory=SourceConfig)
    normalise: NormaliseConfig = field(default_factory=NormaliseConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    exact: str = "letters"  # what is compared: all characters, or letters and digits without case
    near: NearConfig = field(default_factory=NearConfig)
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)

    def __post_init__(self) -> None:
        if self.exact not in COMPARISONS:
            raise LabInputError("exact", self.exact, "known_choice", allowed=COMPARISONS)


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What one stage did. `reasons[i]` says why document `dropped[i]` went."""

    name: str
    entered: np.ndarray  # (n,) int64
    kept: np.ndarray
    dropped: np.ndarray
    reasons: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Candidates of LSH, in the numbers of the documents, with their exact similarity."""

    pairs: np.ndarray  # (E, 2) int64
    similarities: np.ndarray  # (E,) exact Jaccard
    estimates: np.ndarray  # (E,) what the signatures say
    documents: int  # that were compared


@dataclass(frozen=True, slots=True, eq=False)
class PipelineResult:
    documents: list[Document]  # (N,) as they came
    texts: list[str]  # (N,) normalised
    changes: list[tuple[str, ...]]  # (N,) normalising steps that changed each
    signals: list[Signals]  # (N,)
    twins: dict[int, int]  # an exact duplicate -> the document kept for it
    near: Near
    hits: dict[int, Hit]  # document -> what it shares with the test
    items: tuple[Item, ...]
    stages: list[Stage]  # six, in order

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def dataset(self) -> list[int]:
        """What the pipeline gives: kept to the end, and not planted."""
        return [n for n in self.stages[-1].kept.tolist() if not self.documents[n].planted]


def run(config: PipelineConfig) -> PipelineResult:
    """Every stage in turn."""
    documents = sourced(config.source)
    texts, changes = normalised(config.source, config.normalise)
    signals, filtering = filtered(config.source, config.normalise, config.filter)
    twins, exact = without_copies(filtering, texts, config.exact)
    sets = tuple(shingled(config.source, config.normalise, config.near.shingle))
    near, apart = without_near_copies(exact, sets, config.near)
    items = config.contamination.items()
    hits, clean = decontaminated(apart, texts, items, config.contamination.gram)
    everything = np.arange(len(documents))
    stages = [
        _stage("source", everything, {}),
        # A document in which nothing readable is left has no text to go on with.
        _stage("normalise", everything, {n: "empty" for n, text in enumerate(texts) if not text}),
        filtering, exact, apart, clean,
    ]  # fmt: skip
    return PipelineResult(documents, texts, changes, signals, twins, near, hits, items, stages)


@lru_cache(maxsize=REMEMBERED)
def sourced(config: SourceConfig) -> list[Document]:
    found = gather(config)
    return found + (planted.plant(found, config.seed) if config.planted else [])


@lru_cache(maxsize=REMEMBERED)
def normalised(
    source: SourceConfig, config: NormaliseConfig
) -> tuple[list[str], list[tuple[str, ...]]]:
    done = [normalise(document.text, config) for document in sourced(source)]
    return [text for text, _ in done], [changed for _, changed in done]


@lru_cache(maxsize=REMEMBERED)
def measured(source: SourceConfig, config: NormaliseConfig) -> list[Signals]:
    return [measure(text) for text in normalised(source, config)[0]]


@lru_cache(maxsize=REMEMBERED)
def shingled(source: SourceConfig, config: NormaliseConfig, size: int) -> list[np.ndarray]:
    return [dedup.shingles(text, size) for text in normalised(source, config)[0]]


@lru_cache(maxsize=REMEMBERED)
def filtered(
    source: SourceConfig, tidy: NormaliseConfig, config: FilterConfig
) -> tuple[list[Signals], Stage]:
    """Keep what breaks no rule; the reason is the first rule broken."""
    texts, signals = normalised(source, tidy)[0], measured(source, tidy)
    entered = np.array([n for n, text in enumerate(texts) if text], dtype=np.int64)
    failed = {n: first_failed(texts[n], signals[n], config) for n in entered.tolist()}
    return signals, _stage("filter", entered, {n: rule for n, rule in failed.items() if rule})


def without_copies(
    before: Stage, texts: Sequence[str], compare: str
) -> tuple[dict[int, int], Stage]:
    """Keep the first of equal texts."""
    first: dict[str, int] = {}
    twins: dict[int, int] = {}
    for number in before.kept.tolist() if compare != "off" else []:
        key = texts[number]
        if compare == "letters":
            key = "".join(filter(str.isalnum, key.casefold())) or key
        known = first.setdefault(key, number)
        if known != number:
            twins[number] = known
    return twins, _stage("exact", before.kept, dict.fromkeys(twins, "copy"))


def without_near_copies(
    before: Stage, sets: Sequence[np.ndarray], config: NearConfig
) -> tuple[Near, Stage]:
    """LSH proposes pairs, the exact similarity decides, and of each cluster the first stays."""
    numbers = before.kept
    mine = [sets[n] for n in numbers.tolist()]
    if config.bands and mine:
        marks = signatures(mine, config.seed)
        met = sorted(dedup.candidate_pairs(marks, config.bands, config.rows))
    else:
        met = []
    exact = np.array([dedup.jaccard(mine[i], mine[j]) for i, j in met])
    guesses = np.array([dedup.estimated_jaccard(marks[i], marks[j]) for i, j in met])
    alike = [
        pair for pair, similarity in zip(met, exact, strict=True) if similarity >= config.threshold
    ]
    cluster = dedup.clusters(len(mine), alike)
    dropped = {int(numbers[n]): "near" for n, head in enumerate(cluster) if head != n}
    pairs = numbers[np.array(met, dtype=np.int64).reshape(-1, 2)]
    return Near(pairs, exact, guesses, len(mine)), _stage("near", numbers, dropped)


def signatures(sets: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """(documents, PERMUTATIONS) uint32"""
    a, b = dedup.hash_functions(PERMUTATIONS, np.random.default_rng(seed))
    return np.stack([dedup.signature(items, a, b) for items in sets])


def decontaminated(
    before: Stage, texts: Sequence[str], items: Sequence[Item], n: int
) -> tuple[dict[int, Hit], Stage]:
    """Drop every document that shares a run of n words with the test."""
    index = contamination.index_of(items, n)
    found = {k: contamination.look_up(texts[k], index, n) for k in before.kept.tolist()}
    hits = {number: hit for number, hit in found.items() if hit}
    return hits, _stage("contamination", before.kept, dict.fromkeys(hits, "leak"))


GRAMS = (2, 3, 4, 5, 6, 8, 10, 13, 16, 20)


@dataclass(frozen=True, slots=True, eq=False)
class GramSweep:
    """What the check finds at every length of run. G lengths."""

    grams: np.ndarray  # (G,)
    found: dict[str, np.ndarray]  # kind of leak -> (G,) how many were found
    there: dict[str, int]  # kind of leak -> how many entered the stage
    accused: np.ndarray  # (G,) documents found that nobody leaked anything into


def sweep_grams(config: PipelineConfig) -> GramSweep:
    """The contamination check at every length of run, judged by what was planted."""
    result = run(config)
    entered = result.stage("contamination").entered.tolist()
    kind = {n: result.documents[n].planted for n in entered}
    kinds = [name for name in planted.KINDS if name.startswith("leak")]
    hits, left = [], entered
    for gram in GRAMS:  # who shares no run of n words shares none of more
        index = contamination.index_of(result.items, gram)
        left = [n for n in left if contamination.look_up(result.texts[n], index, gram)]
        hits.append(left)
    return GramSweep(
        np.array(GRAMS),
        {name: np.array([sum(kind[n] == name for n in found) for found in hits]) for name in kinds},
        {name: sum(planted == name for planted in kind.values()) for name in kinds},
        np.array([sum(not kind[n].startswith("leak") for n in found) for found in hits]),
    )


def _stage(name: str, entered: np.ndarray, dropped: dict[int, str]) -> Stage:
    kept = np.array([n for n in entered.tolist() if n not in dropped], dtype=np.int64)
    gone = np.array(list(dropped), dtype=np.int64)
    return Stage(name, entered, kept, gone, list(dropped.values()))
