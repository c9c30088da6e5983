"""The first rows of a hub's data set: read as they are, or one clear error."""

import threading

import datasets
import huggingface_hub
import pytest
from huggingface_hub.errors import HTTPError

from labcore.errors import LabInputError
from labcore.text import hub_rows

ROWS = [{"text": "one"}, {"text": "two"}, {"text": "three"}]


@pytest.fixture
def reachable(monkeypatch):
    """A hub that knows every set; what `load_dataset` was asked is remembered."""
    asked = []

    def load(name, configuration, split, streaming):
        asked.append((name, configuration, split, streaming))
        return iter(ROWS)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def test_no_more_rows_are_read_than_asked_for(reachable):
    assert hub_rows.first_rows("owner/name", "part", "test", count=2) == tuple(ROWS[:2])
    assert reachable == [("owner/name", "part", "test", True)]  # streamed, not downloaded


@pytest.mark.parametrize("failure", [HTTPError("no route"), OSError("reset"), ValueError("gone")])
def test_an_unreachable_hub_is_one_clear_error(monkeypatch, failure):
    def refuse(*_, **__):
        raise failure

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    with pytest.raises(LabInputError) as refused:
        hub_rows.first_rows("owner/name")
    assert (refused.value.field, refused.value.rule) == ("data_set", "data_unreachable")


def test_rows_that_cannot_be_read_are_the_same_error(reachable, monkeypatch):
    def broken(*_, **__):
        raise OSError("half-way")

    monkeypatch.setattr(datasets, "load_dataset", broken)
    with pytest.raises(LabInputError, match="data_unreachable"):
        hub_rows.first_rows("owner/name")


def test_without_the_package_its_name_is_told(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(hub_rows.importlib, "import_module", missing)
    with pytest.raises(LabInputError) as refused:
        hub_rows.first_rows("owner/name")
    assert (refused.value.rule, refused.value.facts) == ("not_installed", {"package": "datasets"})


def test_an_answer_that_never_comes_is_not_waited_for():
    never = threading.Event()
    with pytest.raises(TimeoutError):
        hub_rows.within(0.05, never.wait)
    never.set()
    assert hub_rows.within(5, lambda: 42) == 42


def test_whatever_goes_wrong_behind_the_scenes_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        hub_rows.within(5, lambda: 1 / 0)
