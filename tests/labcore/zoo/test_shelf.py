"""What stays in memory, and what is let go."""

import threading

import pytest

from labcore.zoo.cards import Card, LoadedModel
from labcore.zoo.shelf import LARGE_PARAMETERS, Shelf


def model(name: str, parameters: int = 10) -> LoadedModel:
    card = Card(name, "decoder", "lab", "bundled", "here", parameters, None, ())
    return LoadedModel(model=None, tokenizer=None, card=card)


class Clock:
    """Time that passes only when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_second_asker_gets_the_same_object_and_nothing_is_loaded_again(clock):
    shelf = Shelf(clock=clock)
    first = shelf.get("a", lambda: model("a"))
    second = shelf.get("a", lambda: pytest.fail("loaded twice"))
    assert first is second


def test_two_threads_asking_at_once_share_one_load(clock):
    """The first holds the load open until the second says that it waits."""
    shelf, waiting, loads, got = Shelf(clock=clock), threading.Event(), [], []

    def load() -> LoadedModel:
        loads.append(1)
        assert waiting.wait(timeout=10)
        return model("a")

    def ask() -> None:
        got.append(shelf.get("a", load, on_wait=waiting.set))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(loads) == 1
    assert got[0] is got[1]


def test_other_names_do_not_wait_for_a_slow_load(clock):
    """While "slow" loads, "quick" is asked for from inside that very load: no deadlock."""
    shelf = Shelf(clock=clock)

    def slow() -> LoadedModel:
        assert shelf.get("quick", lambda: model("quick")).card.name == "quick"
        return model("slow")

    assert shelf.get("slow", slow).card.name == "slow"


def test_a_failed_load_can_be_tried_again(clock):
    shelf = Shelf(clock=clock)

    def fail() -> LoadedModel:
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        shelf.get("a", fail)
    assert shelf.get("a", lambda: model("a")).card.name == "a"


def test_what_nobody_asked_for_during_the_idle_time_is_let_go(clock):
    """a asked at 0, b at 60; at 100 with 100 s of patience only a is old enough."""
    shelf = Shelf(idle_seconds=100, clock=clock)
    shelf.get("a", lambda: model("a"))
    clock.now = 60
    shelf.get("b", lambda: model("b"))
    clock.now = 100
    assert shelf.release_idle() == ["a"]
    assert shelf.names() == ["b"]


def test_asking_again_starts_the_idle_time_anew(clock):
    shelf = Shelf(idle_seconds=100, clock=clock)
    shelf.get("a", lambda: model("a"))
    clock.now = 99
    shelf.get("a", lambda: model("a"))
    clock.now = 150
    assert shelf.release_idle() == []


def test_idle_models_go_even_if_nobody_ever_asks_for_anything_again():
    """With real time: the shelf's own timer does it; the loop ends as soon as it has."""
    shelf = Shelf(idle_seconds=0.05)
    shelf.get("a", lambda: model("a"))
    tick = threading.Event()
    for _ in range(200):
        if not shelf.names():
            break
        tick.wait(0.05)
    assert shelf.names() == []


def test_of_large_models_only_the_most_recently_asked_for_stay(clock):
    """Three large ones with room for two; the small one does not count."""
    shelf = Shelf(large_held=2, clock=clock)
    shelf.get("small", lambda: model("small"))
    for clock.now, name in enumerate(("x", "y", "z"), start=1):
        shelf.get(name, lambda name=name: model(name, LARGE_PARAMETERS + 1))
    assert sorted(shelf.names()) == ["small", "y", "z"]
