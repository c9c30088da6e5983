"""Finding the passages that answer a question: by shared words, by meaning, and by both.

Three rankings of the same pieces: BM25 counts the words of the question, MiniLM compares directions, and
reciprocal rank fusion adds up 1 / (60 + place), which needs no common scale of the two scores.
Axes: C chunks.

Source of the fusion: Cormack, Clarke & Büttcher, SIGIR 2009.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.frontier import ranking
from labcore.frontier.bm25 import BM25, words_of
from labcore.retrieval.chunking import Chunk, answering, chunks_of
from labcore.retrieval.embedding import embed
from labcore.retrieval.library import LANGUAGES, Document, Question, bundled
from labcore.retrieval.own_documents import checked

METHODS = ("bm25", "minilm", "fused")
RRF_OFFSET = 60
MOST_QUESTION = 300  # characters
DEFAULT_QUESTION = bundled("en").questions[1].text
LIMITS = {"chunk_words": (5, 120), "overlap": (0, 60), "top": (1, 10)}


@lab_config
class FindConfig:
    question: str = DEFAULT_QUESTION
    library: str = "en"  # "en", "zh" or "own"
    own: tuple[Document, ...] = ()
    chunk_words: int = 40
    overlap: int = 10
    top: int = 3
    meaning: bool = True  # False: without MiniLM, by words alone

    def __post_init__(self):
        if self.library not in (*LANGUAGES, "own"):
            raise LabInputError("library", self.library, "known_choice", allowed=LANGUAGES)
        check_limits(self, LIMITS)
        if self.overlap >= self.chunk_words:
            raise LabInputError("overlap", self.overlap, "below_chunk", limit=self.chunk_words)
        if not self.question.strip():
            raise LabInputError("question", "", "not_empty")
        if len(self.question) > MOST_QUESTION:
            raise LabInputError(
                "question", len(self.question), "at_most_characters", limit=MOST_QUESTION
            )
        if self.library == "own":
            checked(self.own)


@dataclass(frozen=True, slots=True)
class Found:
    chunk: int
    score: float
    words: tuple[str, ...]  # of the question, that stand in it


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    documents: tuple[Document, ...]
    chunks: tuple[Chunk, ...]
    found: dict[
        str, tuple[Found, ...]
    ]  # by method: the best first; BM25 finds nothing without a shared word
    places: dict[
        str, np.ndarray
    ]  # by method: (C,) the place of each piece, from 1; 0 if it is not found
    answering: frozenset[
        int
    ]  # the pieces that hold the answer, if the question is one of the library's
    known: bool  # whether it is
    torn: bool  # known, but no piece holds the evidence whole


def fused(rankings: Sequence[Sequence[int]]) -> dict[int, float]:
    """Reciprocal rank fusion: the sum of 1 / (60 + place) over the rankings that have it.

    First in one and third in the other: 1/61 + 1/63 = 0.0323; second in both: 2/62 = 0.0323, a little less.
    """
    scores: dict[int, float] = {}
    for ranked in rankings:
        for place, one in enumerate(ranked, 1):
            scores[one] = scores.get(one, 0.0) + 1 / (RRF_OFFSET + place)
    return scores


def ranked(scores: np.ndarray, above: float = -np.inf) -> list[int]:
    """Places by score, best first, of equals the earlier one; without those at or below `above`."""
    order = np.argsort(-scores, kind="stable")
    return [int(one) for one in order if scores[one] > above]


def rankings(
    chunks: Sequence[Chunk], index: BM25, question: str, meaning: bool = True
) -> Mapping[str, Mapping[int, float]]:
    """By method: chunk -> score, best first."""
    by_words = index.scores(words_of(question))
    found = {"bm25": {one: float(by_words[one]) for one in ranked(by_words, above=0.0)}}
    if meaning:
        cosines = embed([chunk.text for chunk in chunks]) @ embed([question])[0]
        found["minilm"] = {one: float(cosines[one]) for one in ranked(cosines)}
        both = fused([list(found["bm25"]), list(found["minilm"])])
        found["fused"] = dict(sorted(both.items(), key=lambda pair: -pair[1]))
    return found


def documents_of(config: FindConfig) -> tuple[Document, ...]:
    return checked(config.own) if config.library == "own" else bundled(config.library).documents


def index_of(chunks: Sequence[Chunk]) -> BM25:
    return BM25([words_of(chunk.text) for chunk in chunks])


def question_in(config: FindConfig) -> Question | None:
    """The library's own question, if this is one."""
    asked = config.question.strip()
    known = () if config.library == "own" else bundled(config.library).questions
    return next((one for one in known if one.text == asked), None)


def run(config: FindConfig) -> Finding:
    """The first pieces by each method."""
    documents = documents_of(config)
    chunks = chunks_of(documents, config.chunk_words, config.overlap)
    asked = dict.fromkeys(words_of(config.question))
    found, places = {}, {}
    for method, scores in rankings(
        chunks, index_of(chunks), config.question, config.meaning
    ).items():
        places[method] = np.zeros(len(chunks), np.int64)
        places[method][list(scores)] = np.arange(1, len(scores) + 1)
        first = list(scores.items())[: config.top]
        found[method] = tuple(
            Found(one, score, tuple(w for w in asked if w in set(words_of(chunks[one].text))))
            for one, score in first
        )
    known = question_in(config)
    holding = answering(chunks, known) if known else set()
    return Finding(
        documents, chunks, found, places, frozenset(holding), known is not None,
        known is not None and not holding,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """How well each method does over all questions of a library."""

    kinds: tuple[str, ...]  # (Q,) of each question
    recall: dict[
        str, np.ndarray
    ]  # by method: (Q,) is a piece that holds the answer among the first `top`?
    reciprocal: dict[str, np.ndarray]  # (Q,) 1 / the first such piece's place
    ndcg: dict[str, np.ndarray]  # (Q,) among the first `top`
    torn: np.ndarray  # (Q,) bool
    chunks: int


def judge(config: FindConfig) -> Judged:
    """All questions of a bundled library, with these pieces; a torn answer counts 0 throughout."""
    library = bundled(config.library)
    chunks = chunks_of(library.documents, config.chunk_words, config.overlap)
    index, methods = index_of(chunks), METHODS if config.meaning else METHODS[:1]
    if config.meaning:
        embed([question.text for question in library.questions])  # all at once
    scored = {name: {method: [] for method in methods} for name in ("recall", "reciprocal", "ndcg")}
    torn = []
    for question in library.questions:
        wanted = answering(chunks, question)
        torn.append(not wanted)
        for method, scores in rankings(chunks, index, question.text, config.meaning).items():
            for name, value in judgement(list(scores), wanted, config.top).items():
                scored[name][method].append(value)
    arrays = {
        name: {method: np.array(values) for method, values in by_method.items()}
        for name, by_method in scored.items()
    }
    kinds = tuple(question.kind for question in library.questions)
    return Judged(kinds, **arrays, torn=np.array(torn), chunks=len(chunks))


def judgement(found: Sequence[int], wanted: set[int], top: int) -> dict[str, float]:
    """Was one of the wanted pieces among the first, how far up, and how good is the order?

    subtle: neighbours overlap, so two pieces may hold the same evidence, and one is enough. Recall is
    therefore 1 as soon as one of them is found.
    """
    if not wanted:
        return {"recall": 0.0, "reciprocal": 0.0, "ndcg": 0.0}
    return {
        "recall": float(ranking.recall_at(found, wanted, top) > 0),
        "reciprocal": ranking.reciprocal_rank(found, wanted),
        "ndcg": ranking.ndcg_at(found, wanted, top),
    }
