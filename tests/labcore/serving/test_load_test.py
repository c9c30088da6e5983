"""The load test: costs told from outside, the queue fed with real arrivals, and what was recorded."""

import numpy as np
import pytest

from app import results
from labcore.errors import LabInputError
from labcore.serving import load_test
from labcore.serving.batching import Cost, Request
from labcore.serving.endpoint_process import Heard
from labcore.serving.load_test import LOADS, LoadConfig, LoadResult


class Told:
    """A server with known costs, answered from formulas: s = 1.7 ms, c = 0.3 ms, r = 3.3 ms."""

    def __init__(self, monkeypatch, seats, tokens):
        self.seats, self.busy = seats, 1
        clock = [0.0]
        step = lambda batch: 0.0017 + 0.0003 * batch  # noqa: E731

        def ask(running, prompt, asked, seed):
            batch = self.busy
            return Heard(0.001, 0.001 + step(batch) * (tokens - 1), tokens)

        class Pool:
            def __init__(pool, size):
                self.busy = size

            def __enter__(pool):
                return pool

            def __exit__(pool, *_):
                self.busy = 1

            def map(pool, call, numbers):
                heard = [call(number) for number in numbers]
                clock[0] += len(heard) / seats * (seats * 0.0033 + tokens * step(seats))
                return heard

        monkeypatch.setattr(load_test, "ask", ask)
        monkeypatch.setattr(load_test, "ThreadPoolExecutor", Pool)
        monkeypatch.setattr(load_test.time, "perf_counter", lambda: clock[0])


def test_costs_are_found_from_outside(monkeypatch):
    """The exercise's server: 1 / (r + n(s + 8c)/8) = 1 / (3.3 + 13 · 4.1 / 8) ms = 100.4 a second."""
    Told(monkeypatch, seats=8, tokens=13)
    cost, capacity = load_test.calibrate(None, 8, LoadConfig(answer_mean=13))
    assert capacity == pytest.approx(1 / (0.0033 + 13 * 0.0041 / 8))
    assert (cost.step, cost.per_request) == (pytest.approx(0.0017), pytest.approx(0.0003))
    assert cost.per_prompt_token == pytest.approx(0.0033)


def test_one_seat_has_no_second_unknown(monkeypatch):
    Told(monkeypatch, seats=1, tokens=13)
    cost, _ = load_test.calibrate(None, 1, LoadConfig(answer_mean=13))
    assert (cost.step, cost.per_request) == (pytest.approx(0.002), 0.0)


def test_the_simulated_queue_by_hand():
    """One seat, steps of 10 ms, a request 5 ms. Two at once, of 2 and 1 tokens: the first sees its tokens at
    15 and 25 ms, the second its only one at 40."""
    wanted = [Request(0.0, 1, 9), Request(0.0, 1, 9)]
    heard = [Heard(0, 0, 2), Heard(0, 0, 1)]
    first, total = load_test.simulate(wanted, heard, 1, Cost(0.010, 0.0, 0.005))
    assert first[0] == pytest.approx((0.015 + 0.040) / 2)
    assert total[0] == pytest.approx((0.025 + 0.040) / 2)


def test_arrivals_are_by_chance_repeatable_and_of_bounded_length():
    config = LoadConfig()
    one = load_test.arrivals(config, 40.0, 3)
    assert one == load_test.arrivals(config, 40.0, 3)
    assert len(one) == 100  # 40 a second for 2.5 seconds
    assert max(request.answer_tokens for request in one) <= load_test.MOST_ANSWER
    assert len(load_test.arrivals(config, 0.1, 3)) == load_test.FEWEST
    assert np.isnan(load_test.quantiles([])).all()


@pytest.mark.parametrize(
    "wrong", [{"model": "gpt-9"}, {"form": "int1"}, {"seats": 1}, {"seconds": 0.0}, {"rounds": 9}]
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(LabInputError):
        LoadConfig(**wrong)


def test_what_was_recorded():
    """More seats do more; waiting grows with the load; beyond the capacity it is many times longer."""
    path = results.RECORDINGS / "production-load.safetensors"
    one, many = results.load(path, LoadResult).result.servers
    assert many.capacity > 2 * one.capacity
    assert one.errors.sum() + many.errors.sum() == 0
    for server in (one, many):
        np.testing.assert_allclose(server.rates, np.array(LOADS) * server.capacity)
        medians = np.median(server.first_seconds[:, :, 0], axis=1)
        assert medians[-1] > 5 * medians[0]
        assert server.tokens_per_second[2].mean() > 2 * server.tokens_per_second[0].mean()
    # the simulation and the server agree within a factor of three where nobody is overloaded
    for server in (one, many):
        ratio = server.total_seconds[:2, :, 0] / server.simulated_total[:2, :, 0]
        assert ((ratio > 1 / 3) & (ratio < 3)).all()
