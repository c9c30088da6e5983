"""The exam that both models of the natural-text experiment sit: gaps, spoilt sentences, texts to write on.

All of it is held-out text, and the same for every model and seed.

Axes: B texts, T tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.pretraining import objective_tasks as tasks
from labcore.pretraining.objective_tasks import left_to_right_nats as nats
from labcore.pretraining.objective_tasks import pseudo_nats as pseudo
from labcore.pretraining.training_text import TrainingText
from labcore.text.bpe import BPETokenizer
from labcore.text.packing import NO_DOCUMENT, PackedRows

LEAST_TOKENS = 24  # of a text that serves as a task
MARGIN = 6  # tokens before and behind a gap, at least
GAPS_ON_THE_WAY = 4  # times as many gaps are filled the cheap way, at every look
PROMPT = 12  # tokens that are given to be written on, up to LEAST_TOKENS
GRAM = 3  # tokens that must have stood together in the training text to count as attested
EXAM_SEED = 4321

Models = Mapping[str, Transformer]  # "causal", "masked"


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """Held-out texts, with a gap in each and a spoilt copy of some; the same for every model."""

    tokenizer: BPETokenizer
    texts: list[list[int]]
    places: list[int]  # of each text's gap
    spoilt: list[list[int]]  # the first texts with two neighbours swapped
    gaps: int  # that are filled in every way


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed's two models can do. Shares of 1."""

    filled: dict[str, float]  # "left": causal; "rescored": causal, all tokens tried; "both": masked
    preferred: dict[str, float]  # "causal", "masked": the true text before the spoilt one
    attested: dict[
        str, float
    ]  # "causal", "masked", "real": triples of tokens that training text has
    commonest: float  # share of gaps that the most frequent token fills


def prepare(text: TrainingText, gaps: int, texts: int) -> Exam:
    """Texts that no model has trained on, gaps and swaps drawn with a seed of their own."""
    rng = torch.Generator().manual_seed(EXAM_SEED)
    found = pieces(text.held_out)
    if len(found) < 2:
        raise LabInputError("documents", len(found), "too_few_documents", limit=2)
    order = torch.randperm(len(found), generator=rng).tolist()
    chosen = [found[at] for at in order][: max(gaps * GAPS_ON_THE_WAY, texts)]

    def between(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=rng))

    places = [between(MARGIN, len(one) - MARGIN) for one in chosen]
    spoilt = [swapped(one, between(1, LEAST_TOKENS - 1)) for one in chosen[:texts]]
    return Exam(text.tokenizer, chosen, places, spoilt, min(gaps, len(chosen)))


def pieces(rows: PackedRows) -> list[list[int]]:
    """Every stretch of a document that a row holds, if it is long enough."""
    found = []
    for tokens, documents in zip(rows.tokens, rows.documents, strict=True):
        for document in documents.unique().tolist():
            piece = tokens[documents == document].tolist()
            if document != NO_DOCUMENT and len(piece) >= LEAST_TOKENS:
                found.append(piece)
    return found


def swapped(text: list[int], place: int) -> list[int]:
    """The first tokens of a text with two neighbours, unlike each other, the wrong way round."""
    text = text[:LEAST_TOKENS]
    unlike = [at for at in range(1, len(text) - 1) if text[at] != text[at + 1]]
    at = min(unlike, key=lambda at: abs(at - place), default=place)
    return [*text[:at], text[at + 1], text[at], *text[at + 2 :]]


def share_filled(model: Transformer, kind: str, exam: Exam, count: int | None = None) -> float:
    """Gaps whose likeliest token is the true one, each model filling them its own way."""
    texts, places = exam.texts[:count], exam.places[:count]
    beliefs = (
        tasks.fill_from_left(model, texts, places)
        if kind == "causal"
        else tasks.fill_from_both_sides(model, texts, places, exam.tokenizer.mask_id)
    )
    guesses = beliefs.argmax(dim=1).tolist()
    return share(
        [guess == text[at] for guess, text, at in zip(guesses, texts, places, strict=True)]
    )


def examine(models: Models, exam: Exam, text: TrainingText, seed: int) -> Outcome:
    """Every task, both models; `seed` is that of the texts they write."""
    for model in models.values():
        model.eval()
    return Outcome(
        filled(models, exam), preferred(models, exam), attested(models, exam, text.train, seed),
        commonest(exam, text.train),
    )  # fmt: skip


def filled(models: Models, exam: Exam) -> dict[str, float]:
    gaps = list(zip(exam.texts, exam.places, strict=True))[: exam.gaps]
    rescored = [
        int(tasks.fill_by_rescoring(models["causal"], text, at).argmax()) == text[at]
        for text, at in gaps
    ]
    return {
        "left": share_filled(models["causal"], "causal", exam, exam.gaps),
        "rescored": share(rescored),
        "both": share_filled(models["masked"], "masked", exam, exam.gaps),
    }


def preferred(models: Models, exam: Exam) -> dict[str, float]:
    """How often the true text gets a better score than its spoilt copy."""
    causal, masked, mask_id = models["causal"], models["masked"], exam.tokenizer.mask_id
    pairs = [(text[:LEAST_TOKENS], bad) for text, bad in zip(exam.texts, exam.spoilt, strict=False)]
    return {
        "causal": share(
            [nats(causal, good).sum() < nats(causal, bad).sum() for good, bad in pairs]
        ),
        "masked": share(
            [
                pseudo(masked, good, mask_id).sum() < pseudo(masked, bad, mask_id).sum()
                for good, bad in pairs
            ]
        ),
    }


def attested(models: Models, exam: Exam, rows: PackedRows, seed: int) -> dict[str, float]:
    """Of what follows the prompts, the share of triples that the training text has."""
    known, texts = grams(rows), exam.texts[: len(exam.spoilt)]
    prompts = [text[:PROMPT] for text in texts]
    told = {kind: written(models, kind, prompts, exam.tokenizer, seed) for kind in models}
    told["real"] = [text[:LEAST_TOKENS] for text in texts]
    return {
        who: share([gram in known for text in some for gram in runs(text[PROMPT - GRAM + 1 :])])
        for who, some in told.items()
    }


def commonest(exam: Exam, rows: PackedRows) -> float:
    """What always guessing the most frequent token gets right."""
    words = exam.tokenizer.vocab_size - len(exam.tokenizer.special_tokens)
    best = int(torch.bincount(rows.tokens.flatten(), minlength=words)[:words].argmax())
    gaps = zip(exam.texts[: exam.gaps], exam.places, strict=False)
    return share([text[at] == best for text, at in gaps])


def grams(rows: PackedRows) -> set[tuple[int, ...]]:
    """All runs of `GRAM` tokens of the training rows."""
    return {gram for row in rows.tokens.tolist() for gram in runs(row)}


def runs(tokens: list[int]) -> list[tuple[int, ...]]:
    return [tuple(tokens[at : at + GRAM]) for at in range(len(tokens) - GRAM + 1)]


def share(right: Sequence[bool]) -> float:
    return float(np.mean([bool(one) for one in right]))


def written(
    models: Models, kind: str, prompts: Sequence[list[int]], tokenizer: BPETokenizer, seed: int
) -> list[list[int]]:
    """Each prompt with as many tokens more as a task has."""
    rng = torch.Generator().manual_seed(seed)
    return tasks.write(models[kind], kind, prompts, tokenizer, rng, LEAST_TOKENS - PROMPT)
