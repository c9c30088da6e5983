"""A recording is what its command makes: made by today's code, with its origin written on it."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from app import record, results
from labcore.architecture import build_train


@pytest.mark.parametrize("entry", record.ENTRIES, ids=lambda entry: f"{entry.lab}-{entry.name}")
def test_every_recording_is_there_and_says_where_it_comes_from(entry):
    path = results.RECORDINGS / f"{entry.lab}-{entry.name}.safetensors"
    assert path.stat().st_size < 4e6
    provenance = results.load(path, Any).provenance
    assert provenance.kind == "recorded"
    assert provenance.command == f"python -m app.record {entry.lab}"
    assert provenance.date
    assert "torch" in provenance.machine


def test_the_recorded_run_begins_as_a_run_of_today_does():
    """The same seed gives the same losses; kernels of other machines may differ in the last digits."""
    path = results.RECORDINGS / "training-default.safetensors"
    recorded = results.load(path, build_train.BuildTrainResult).result
    events = list(islice(build_train.build_and_train(build_train.BuildTrainConfig()), 6))
    assert events[0].validation_nats == pytest.approx(recorded.validation_nats[0], rel=1e-3)
    assert events[0].floor_nats == pytest.approx(recorded.floor_nats, rel=1e-6)
    losses = [event.loss_nats for event in events[1:]]
    np.testing.assert_allclose(losses, recorded.loss_nats[:5], rtol=1e-3)


def test_the_recorded_run_learns_and_stays_above_its_floor():
    path = results.RECORDINGS / "training-default.safetensors"
    recorded = results.load(path, build_train.BuildTrainResult).result
    assert recorded.validation_nats[-1] < recorded.validation_nats[0] / 3
    assert recorded.validation_nats[-1] > recorded.floor_nats
    assert [snapshot.step for snapshot in recorded.snapshots] == list(range(0, 201, 20))
