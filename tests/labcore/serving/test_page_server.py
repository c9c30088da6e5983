"""The simulated server: worked by hand, what must hold at every step, and what five days show."""

import numpy as np
import pytest

from app import results
from labcore.errors import LabInputError
from labcore.serving import page_server as lab
from labcore.serving.page_server import Server, ServerConfig
from labcore.serving.page_study import MEASURES, PageStudy, numbers
from labcore.serving.request_trace import MAX_LENGTH, Request, TraceConfig, draw_trace


@pytest.fixture(scope="module")
def served() -> lab.ServerResult:
    return lab.run(ServerConfig())


def request(name: str, prompt: int, answer: int, arrival: int = 0) -> Request:
    return Request(name, arrival, tuple(range(prompt)), answer)


def test_a_hole_is_filled_by_the_first_that_fits():
    memory = lab.Contiguous(10, lambda one: one.length)
    for name, size in (("a", 3), ("b", 4), ("c", 3)):
        assert memory.admit(request(name, 1, size - 1))
    assert not memory.admit(request("d", 1, 1))
    memory.release("a")
    memory.release("c")
    # six slots are free, in two holes of three
    assert memory.holes() == [(0, 3), (7, 3)]
    assert not memory.admit(request("e", 1, 3))
    assert memory.admit(request("f", 1, 2))
    assert memory.map().tolist() == [1, 2, 2, 1, 2, 2, 2, 0, 0, 0]


def test_who_finds_no_block_pushes_the_youngest_back():
    """Four blocks of one token. a and b hold two each; a's next token takes b's place."""
    server = Server(lab.Paged(4, 1, share=False), patience=99)
    a, b = request("a", 1, 3), Request("b", 0, (7,), 3)
    server.step(0, [a, b])
    assert (list(server.running), server.preempted) == (["a", "b"], 0)
    server.step(1, [])
    assert (list(server.running), server.preempted) == (["a"], 1)
    assert server.waiting[0] is b
    for step in range(2, 12):
        server.step(step, [])
    assert (server.finished, server.answered_tokens) == (2, 6)


def test_who_waits_too_long_goes_away():
    server = Server(lab.Paged(4, 1, share=False), patience=5)
    server.step(0, [request("a", 2, 2), request("b", 3, 1)])
    assert len(server.waiting) == 1
    server.memory.release = lambda name: None  # nothing is ever given back
    for step in range(1, 8):
        server.step(step, [])
    assert server.refused == 1


def test_every_request_is_somewhere(served):
    for one in served.ways.values():
        gone = one.finished + one.refused
        assert gone + one.running[-1] + one.waiting[-1] == served.requests


def test_memory_is_never_overdrawn_and_the_map_agrees(served):
    for one in served.ways.values():
        assert (one.written <= one.held).all()
        assert (one.held <= lab.SLOTS).all()
        assert (one.largest_hole <= lab.SLOTS - one.held).all()
        held = (one.map != lab.FREE).sum(axis=1)
        assert np.array_equal(held, one.held[:: lab.MAP_EVERY])
    assert not (served.ways["paged"].map == lab.SHARED).any()
    assert (served.ways["shared"].map == lab.SHARED).any()


def test_blocks_of_one_token_waste_nothing():
    result = lab.run(ServerConfig(block_tokens=1))
    assert result.ways["paged"].wasted_share == 0


def test_without_a_common_beginning_sharing_changes_nothing():
    result = lab.run(ServerConfig(system_tokens=0))
    assert result.ways["paged"].finished == result.ways["shared"].finished
    assert np.array_equal(result.ways["paged"].map != 0, result.ways["shared"].map != 0)


def test_the_same_day_is_the_same_trace():
    assert draw_trace(TraceConfig()) == draw_trace(TraceConfig())
    assert draw_trace(TraceConfig(seed=1)) != draw_trace(TraceConfig())
    for one in draw_trace(TraceConfig(system_tokens=64)):
        assert len(one.prompt) > 64
        assert one.length <= MAX_LENGTH
        assert one.answer_tokens >= 1


def test_arrivals_come_as_often_as_asked():
    counts = [len(draw_trace(TraceConfig(0.5, seed=seed))) for seed in range(5)]
    assert np.mean(counts) == pytest.approx(200, rel=0.1)


@pytest.mark.parametrize(
    "bad", [{"block_tokens": 3}, {"arrivals": 9}, {"system_tokens": -1}, {"patience": 0}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        ServerConfig(**bad)


def test_five_days_in_order():
    """At 16 tokens a block: pages beat pieces in every seed, sharing beats pages, waste falls."""
    study = results.load(results.RECORDINGS / "kv_cache-blocks.safetensors", PageStudy).result
    at = study.blocks.tolist().index(16)
    done = {way: rows["finished_share"][:, at] for way, rows in study.measures.items()}
    wasted = {way: rows["wasted_share"][:, at] for way, rows in study.measures.items()}
    assert len(study.seeds) == 5
    assert (done["reserved"] < done["exact"]).all()
    assert (done["exact"] < done["paged"]).all()
    assert (done["paged"] < done["shared"]).all()
    assert (wasted["paged"] < wasted["exact"]).all()
    assert (wasted["exact"] < wasted["reserved"]).all()
    # the size of the common beginning, 32, is the last that can be shared
    same = study.measures["paged"]["finished_share"][:, -1]
    assert np.array_equal(study.measures["shared"]["finished_share"][:, -1], same)


def test_todays_server_serves_as_recorded():
    study = results.load(results.RECORDINGS / "kv_cache-blocks.safetensors", PageStudy).result
    at = study.blocks.tolist().index(16)
    for way in lab.WAYS:
        then = [study.measures[way][name][0, at] for name in MEASURES]
        assert numbers(way, ServerConfig()) == pytest.approx(then)
