"""A recording is what its command makes: made by today's code, with its origin written on it."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from app import record, results
from labcore.architecture import build_train, head_ranking, head_variants
from labcore.architecture.head_gates import all_on
from labcore.architecture.head_texts import gated_loss, held_out
from labcore.events import drain
from labcore.zoo import load


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


def heads(name: str, kind: type):
    return results.load(results.RECORDINGS / f"heads-{name}.safetensors", kind).result


def test_a_ranking_of_today_agrees_with_the_recorded_one():
    """The first sample of the copier, all of its eight heads."""
    recorded = heads("ranking-world-copier", head_ranking.RankingResult)
    config = head_ranking.RankingConfig("world-copier")
    loaded = load("world-copier")
    sample = held_out(loaded, config.rows, config.seed)
    whole = gated_loss(loaded.model, sample, all_on(loaded.model.config))
    assert whole == pytest.approx(recorded.loss_nats[0], rel=1e-3)
    rise = drain(head_ranking.alone(loaded.model, sample, whole))
    np.testing.assert_allclose(rise, recorded.importance[0], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("model", [config.model for config in head_ranking.RECORDED])
def test_the_recorded_orders_beat_chance_and_importance_does_not_add_up(model):
    """With half of the heads off; and with all off the sum of what they cost alone falls far short."""
    recorded = heads(f"ranking-{model}", head_ranking.RankingResult)
    half = len(recorded.counts) // 2
    losses = {name: curve.mean(axis=0) for name, curve in recorded.removed.items()}
    assert losses["measured"][half] < losses["random"][half]
    assert recorded.added_up[-1] < 0.8 * losses["measured"][-1]


def test_few_heads_of_the_decoder_carry_nearly_all():
    recorded = heads("ranking-world-decoder", head_ranking.RankingResult)
    mean = np.sort(recorded.importance.mean(axis=0), axis=None)[::-1]
    assert mean[:5].sum() > 0.9 * mean.sum()
    assert (recorded.agreement > 0.3).all()  # the slopes know the order roughly, and only that


def test_the_recorded_races_begin_as_races_of_today_do():
    for name, config in (
        ("count", head_variants.RECORDED_COUNTS),
        ("sharing", head_variants.RECORDED_SHARING),
    ):
        recorded = heads(name, head_variants.VariantsResult)
        assert (recorded.names, recorded.seeds) == (config.names, config.seeds)
        _, losses = next(head_variants.race(config, seed=0))
        np.testing.assert_allclose(losses, recorded.loss_nats[:, 0, 0], rtol=1e-3)


def test_too_few_and_too_many_heads_lose_and_the_middle_is_level():
    """One head and 32 heads end above eight with every seed; 2, 4 and 8 cannot be told apart."""
    recorded = heads("count", head_variants.VariantsResult)
    final = {name: recorded.loss_nats[i, :, -1] for i, name in enumerate(recorded.names)}
    assert (final["heads-1"] > final["heads-8"]).all()
    assert final["heads-32"].min() > final["heads-8"].max()
    assert final["heads-2"].min() < final["heads-8"].max()
    assert len(set(recorded.parameters.tolist())) == 1


def test_sharing_costs_loss_and_saves_cache_and_time():
    recorded = heads("sharing", head_variants.VariantsResult)
    final = dict(zip(recorded.names, recorded.loss_nats[:, :, -1].mean(axis=1), strict=True))
    assert final["mha"] < final["gqa"] < final["mqa"]
    assert recorded.cache_bytes.tolist() == [512, 128, 64, 128]
    longest = dict(zip(recorded.speed.names, recorded.speed.milliseconds[:, -1], strict=True))
    assert longest["mqa"] < longest["gqa"] < longest["mha"] < longest["mla"]
    assert longest["mla-absorbed"] < longest["mha"]
