"""The queue: worked by hand, nobody lost, and continuous never later than static."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.serving.batching import POLICIES, Cost, Request, poisson_requests, serve

ONE_SECOND = Cost(step=1.0, per_request=0.0, per_prompt_token=0.0)


def test_worked_by_hand():
    requests = [Request(0, 1, tokens) for tokens in (1, 4, 2)]
    static, continuous = (drain(serve(requests, 2, policy, ONE_SECOND)) for policy in POLICIES)
    assert [one.finished for one in static.served] == [1, 4, 6]
    assert [one.finished for one in continuous.served] == [1, 4, 3]
    assert [one.wait_seconds for one in continuous.served] == [1, 1, 2]
    # Static: 3 empty places while the second answer goes on alone, 2 beside the third.
    assert static.idle_share == 5 / 12
    assert static.tokens_per_second == 7 / 6


def test_a_prompt_and_a_full_batch_cost_what_the_model_says():
    cost = Cost(step=1.0, per_request=0.1, per_prompt_token=0.01)
    requests = [Request(0, 20, 2), Request(0, 30, 1)]
    steps = drain(serve(requests, 2, "continuous", cost)).steps
    assert steps[0].end == pytest.approx(1 + 0.2 + 0.5)
    assert steps[1].end - steps[1].start == pytest.approx(1.1)
    static = drain(serve(requests, 2, "static", cost)).steps
    assert static[1].end - static[1].start == pytest.approx(1.2)  # the empty place is paid for


def test_nobody_is_served_before_they_come():
    requests = [Request(0, 1, 1), Request(10, 1, 1)]
    served = drain(serve(requests, 2, "continuous", ONE_SECOND)).served
    assert [one.started for one in served] == [0, 10]


@given(st.integers(0, 1000), st.integers(1, 6), st.sampled_from(POLICIES))
@settings(max_examples=40, deadline=None)
def test_everybody_gets_all_their_tokens_and_no_place_is_taken_twice(seed, places, policy):
    requests = poisson_requests(20, 5.0, 6.0, seed)
    service = drain(serve(requests, places, policy))
    assert all(one.written == one.request.answer_tokens for one in service.served)
    assert all(one.started >= one.request.arrives for one in service.served)
    assert all(len(step.running) <= places for step in service.steps)
    for place in range(places):
        turns = sorted((s.started, s.finished) for s in service.served if s.place == place)
        assert all(ends <= begins for (_, ends), (begins, _) in pairwise(turns))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_under_load_continuous_writes_more_and_lets_wait_less(seed):
    requests = poisson_requests(120, 20.0, 30.0, seed)
    static, continuous = (drain(serve(requests, 8, policy)) for policy in POLICIES)
    assert continuous.tokens_per_second > 1.5 * static.tokens_per_second
    waits = [np.median([s.wait_seconds for s in x.served]) for x in (continuous, static)]
    assert waits[0] < waits[1]


def test_with_one_place_there_is_no_difference():
    requests = poisson_requests(20, 5.0, 6.0, 0)
    one, other = (drain(serve(requests, 1, policy)) for policy in POLICIES)
    assert [s.finished for s in one.served] == [s.finished for s in other.served]


def test_arrivals_and_lengths_have_the_means_asked_for():
    requests = poisson_requests(4000, 5.0, 30.0, 0)
    assert requests[-1].arrives == pytest.approx(800, rel=0.05)
    assert np.mean([r.answer_tokens for r in requests]) == pytest.approx(30, rel=0.05)


def test_bad_values_are_refused():
    with pytest.raises(LabInputError):
        drain(serve([Request(0, 1, 1)], 0, "static"))
    with pytest.raises(LabInputError):
        drain(serve([Request(0, 1, 1)], 1, "magic"))
    with pytest.raises(LabInputError):
        poisson_requests(3, 0.0, 5.0, 0)
    with pytest.raises(LabInputError):
        Cost(step=0)
