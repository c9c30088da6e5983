"""Results are computed once for everybody, and a recording comes back as what was saved."""

from dataclasses import dataclass

import numpy as np
import pytest

from app import results
from app.provenance import Provenance


@dataclass(frozen=True)
class Step:
    step: int
    sample: str


@dataclass(frozen=True)
class Outcome:
    losses: np.ndarray  # (T,)
    steps: tuple[Step, ...]
    weights: bytes
    floor: float | None
    maps: dict[str, np.ndarray]


OUTCOME = Outcome(
    np.array([2.5, 1.5], np.float32),
    (Step(1, "你好"), Step(2, "🙂")),
    b"\x00\xff",
    None,
    {"head": np.eye(2)},
)
RECORDED = Provenance("recorded", "make recordings", 0, "2026-11-23", "2 cores")


def test_a_recording_round_trips_with_its_provenance(tmp_path):
    path = tmp_path / "lab-default.safetensors"
    results.save(path, OUTCOME, RECORDED)
    back = results.load(path, Outcome)
    assert back.provenance == RECORDED
    assert back.result.steps == OUTCOME.steps
    assert back.result.weights == OUTCOME.weights
    assert back.result.floor is None
    np.testing.assert_array_equal(back.result.losses, OUTCOME.losses)
    np.testing.assert_array_equal(back.result.maps["head"], np.eye(2))


def test_an_equal_config_is_computed_once():
    calls = []

    def run(config):
        calls.append(config)
        return OUTCOME

    assert results.cached(run, (1, "a")) is results.cached(run, (1, "a"))
    results.cached(run, (2, "a"))
    assert calls == [(1, "a"), (2, "a")]


def test_an_error_is_not_kept():
    def run(config):
        raise ValueError(config)

    for _ in range(2):
        with pytest.raises(ValueError, match="7"):
            results.cached(run, 7)


def test_size_counts_arrays_and_bytes_however_deep():
    """2 float32 = 8 bytes, eye(2) = 32 bytes, weights = 2 bytes; the rest is small change."""
    assert 42 <= results.size_bytes(OUTCOME) <= 42 + 64 * 12
    assert results.size_bytes({"told": ("long" * 250,)}) >= 1_000
