"""One queue worked off twice, what static batching wastes, and the costs behind it."""

import numpy as np
import pytest

from app import results
from labcore.errors import LabInputError
from labcore.serving.batching import Cost
from labcore.serving.queueing import LoadStudy, QueueConfig, most_requests, run, study
from labcore.serving.step_costs import StepCosts


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"decoding-{name}.safetensors", kind).result


def test_the_most_requests_worked_by_hand():
    """Two places, answers of 10 tokens, steps of 1 + 2 · 0.5 s: two requests in 20 s, and 4 s of reading."""
    config = QueueConfig(places=2, answer_mean=10, prompt_tokens=20, cost=Cost(1.0, 0.5, 0.1))
    assert most_requests(config) == pytest.approx(2 / (10 * 2 + 2 * 20 * 0.1))


def test_a_full_queue_is_served_at_that_rate():
    """Continuous batching with twice the load: what is written comes near the most that can be."""
    config = QueueConfig(load=2.0, requests=400)
    rate = run(config).policies["continuous"].tokens_per_second
    most = most_requests(config) * config.answer_mean
    assert 0.85 * most < rate < 1.1 * most


def test_places_never_hold_two_requests_at_once():
    result = run(QueueConfig(load=1.2, places=4))
    for one in result.policies.values():
        assert (one.started >= result.arrives).all()
        assert (one.first_token > one.started).all()
        assert (one.freed >= one.finished).all()
        for place in range(4):
            at = np.flatnonzero(one.place == place)
            at = at[np.argsort(one.started[at])]
            assert (one.started[at][1:] >= one.freed[at][:-1] - 1e-9).all()


def test_one_place_makes_both_the_same():
    result = run(QueueConfig(places=1))
    static, continuous = (result.policies[name] for name in ("static", "continuous"))
    np.testing.assert_allclose(static.waits, continuous.waits)


def test_a_static_batch_without_end_uses_one_over_the_harmonic_number():
    """Answers of geometric length, near enough exponential: 1 / H_4 = 0.48 of four places."""
    idle = run(QueueConfig(load=2.0, places=4, answer_mean=60, requests=800)).policies["static"]
    assert 1 - idle.idle_share == pytest.approx(12 / 25, abs=0.04)


def test_the_same_seed_gives_the_same_queue():
    one, same, other = (run(QueueConfig(seed=seed)) for seed in (1, 1, 2))
    assert (one.arrives == same.arrives).all()
    assert not (one.arrives == other.arrives).all()


def test_recorded_continuous_waits_less_and_writes_more_with_every_seed():
    loads = recorded("loads", LoadStudy)
    assert len(loads.seeds) >= 3
    assert (loads.long_wait["continuous"] < loads.long_wait["static"]).all()
    busy = loads.loads >= 0.6
    rates = loads.tokens_per_second
    assert (rates["continuous"][busy] > 1.1 * rates["static"][busy]).all()
    # Six places: 1 − 1 / H_6 = 0.59 stand empty once the queue never ends.
    assert loads.idle_share["static"][-1] == pytest.approx(1 - 1 / 2.45, abs=0.03)


def test_todays_code_makes_the_recorded_study_again():
    """One seed, with the recorded cost: a simulation has no machine in it."""
    cost = recorded("costs", StepCosts).cost
    loads = recorded("loads", LoadStudy)
    again = study(QueueConfig(requests=loads.requests, cost=cost), seeds=loads.seeds[:1])
    np.testing.assert_allclose(again.long_wait["static"], loads.long_wait["static"][:, :1])


def test_recorded_steps_grow_slower_than_the_batch():
    """32 requests in one step cost less than 32 steps: the reason for batching at all."""
    costs = recorded("costs", StepCosts)
    middle = np.median(costs.step_ms, axis=1)
    assert middle[0] < middle[-1] < 8 * middle[0]
    assert costs.cost.step > 5 * costs.cost.per_request > 0


@pytest.mark.parametrize("bad", [{"load": 0}, {"load": 9}, {"places": 0}, {"answer_mean": 0}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        QueueConfig(**bad)
