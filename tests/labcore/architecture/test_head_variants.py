"""Decoders that differ in their heads alone, and how fast each kind of sharing writes."""

import numpy as np
import pytest
import torch

from labcore.architecture import decode_speed, head_variants
from labcore.architecture.build_train_corpus import world
from labcore.architecture.decode_speed import ABSORBED, SpeedConfig, measure, ready
from labcore.architecture.head_variants import VARIANTS, VariantsConfig, model_of
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.cache import KVCache
from labcore.model.counting import kv_cache_bytes
from labcore.model.transformer import Transformer

QUICK = {"steps": 10, "batch_size": 1, "look_every": 5}


@pytest.fixture(scope="module")
def trained():
    config = VariantsConfig(("heads-1", "heads-8", "gqa"), seeds=(0, 1), **QUICK)
    events = []
    return config, drain(head_variants.train_side_by_side(config), events.append), events


def test_heads_cost_no_parameters_and_sharing_saves_some():
    """4·D² per layer whatever H. K sets instead of 8 save 2·D·(8 - K)·8 per layer: 12,288 and 14,336."""
    sizes = {
        name: sum(p.numel() for p in Transformer(model_of(name)).parameters()) for name in VARIANTS
    }
    assert len({sizes[name] for name in head_variants.COUNTS}) == 1
    assert sizes["mha"] - sizes["gqa"] == 2 * 2 * 64 * 6 * 8 == 12_288
    assert sizes["mha"] - sizes["mqa"] == 2 * 2 * 64 * 7 * 8 == 14_336


@pytest.mark.parametrize(
    ("name", "expected"), [("mha", 512), ("gqa", 128), ("mqa", 64), ("mla", 128)]
)
def test_the_cache_counted_is_the_cache_kept(name, expected):
    """2 layers · 2 · K · 8 numbers at two bytes, or 2 · (24 + 8) · 2; the real cache holds floats of 4."""
    model, cache = Transformer(model_of(name)).eval(), KVCache()
    with torch.no_grad():
        model(torch.tensor([[5, 6, 7]]), cache=cache)
    assert cache.bytes() / 3 / 2 == expected
    assert kv_cache_bytes(model_of(name), tokens=1) == expected


def test_the_race_is_the_training_loop_and_nothing_else(trained):
    """One variant trained alone with the same seed ends where it ends in company."""
    _, result, _ = trained
    alone = head_variants.run(VariantsConfig(("heads-8",), seeds=(1,), **QUICK))
    np.testing.assert_allclose(alone.loss_nats[0, 0], result.loss_nats[1, 1], rtol=1e-5)


def test_events_tell_what_the_result_holds(trained):
    _, result, events = trained
    assert [event.step for event in events] == [*range(11), *range(11)]
    assert [event.seed for event in events] == [0] * 11 + [1] * 11
    looks = [event.loss_nats for event in events if event.loss_nats]
    np.testing.assert_allclose(
        result.loss_nats, np.array(looks, np.float32).reshape(2, 3, 3).transpose(2, 0, 1)
    )
    assert result.steps.tolist() == [0, 5, 10]
    assert events[-1].share == 1
    assert (result.loss_nats > result.floor_nats).all()


def test_untrained_variants_guess_about_evenly(trained):
    _, result, _ = trained
    np.testing.assert_allclose(
        result.loss_nats[:, :, 0], np.log(world().tokenizer.vocab_size), rtol=0.03
    )


def test_some_variants_can_be_taken_out_of_a_result(trained):
    _, result, _ = trained
    some = head_variants.chosen(result, ("gqa", "heads-1"))
    np.testing.assert_array_equal(some.loss_nats, result.loss_nats[[2, 0]])
    assert some.parameters.tolist() == result.parameters[[2, 0]].tolist()


def test_published_caches_are_those_of_the_papers():
    """Llama 2 7B: 2·32·128·32·2 B = 512 KiB, Llama 3 8B a quarter; DeepSeek-V2: 60·(512 + 64)·2 B."""
    sizes = {title: size for title, _, size in head_variants.published_caches()}
    assert sizes["Llama 2 7B"] == 512 * 1024
    assert sizes["Llama 3 8B"] == 128 * 1024
    assert sizes["DeepSeek-V2"] == 60 * 576 * 2


def test_the_timed_run_is_the_same_run_with_times(monkeypatch):
    monkeypatch.setattr(head_variants, "SpeedConfig", lambda: SpeedConfig((16, 32), repeats=1))
    config = VariantsConfig(("mqa",), **QUICK)
    plain, timed = head_variants.run(config), head_variants.run_timed(config)
    np.testing.assert_array_equal(plain.loss_nats, timed.loss_nats)
    assert plain.speed is None
    assert timed.speed.milliseconds.shape == (5, 2)
    assert (timed.speed.milliseconds > 0).all()


def test_absorbed_maps_say_what_rebuilt_keys_and_values_say():
    with torch.no_grad():
        rebuilt, read = (ready(name, 50, seed=3)() for name in ("mla", ABSORBED))
    torch.testing.assert_close(read, rebuilt)


@pytest.mark.parametrize("name", decode_speed.KINDS)
def test_the_step_that_is_timed_is_the_model_s_own(name):
    """A one-layer model, given the same weights, cache and input, adds the same to its stream."""
    rng = torch.Generator().manual_seed(0)
    config = decode_speed.attention_only(name)
    model, cache = Transformer(config, rng), KVCache()
    x = torch.randn(1, 1, decode_speed.WIDTH, generator=rng)
    cache.entries["layers.0.attn"] = decode_speed.random_cache(config, 20, rng)
    cache.positions = torch.arange(20)[None]
    at_the_door = {"layers.0.attn.norm": lambda _: x}
    with torch.no_grad():
        trace = model(torch.tensor([[0]]), cache=cache, trace=True, interventions=at_the_door).trace
        step = ready(name, 20, seed=0)()
    torch.testing.assert_close(trace["layers.0.attn.out"], step)


def test_a_smaller_cache_is_read_sooner_and_rebuilding_costs_most():
    """Orderings only, at a length where they are wide apart: 7, 1 and 40 ms on a quiet machine."""
    speed = measure(SpeedConfig(lengths=(4096,), repeats=5))
    times = dict(zip(speed.names, speed.milliseconds[:, 0], strict=True))
    assert times["mqa"] < times["mha"] < times["mla"]
    assert times[ABSORBED] < times["mla"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"names": ()}, "required"),
        ({"names": ("heads-3",)}, "known_choice"),
        ({"seeds": ()}, "required"),
        ({"seeds": tuple(range(9))}, "at_most"),
        ({"steps": 1}, "between"),
    ],
)
def test_bad_input_is_named(changes, rule):
    with pytest.raises(LabInputError, match=rule):
        VariantsConfig(**changes)


@pytest.mark.parametrize("changes", [{"lengths": ()}, {"lengths": (0,)}, {"repeats": 0}])
def test_nothing_to_time_is_refused(changes):
    with pytest.raises(LabInputError, match="at_least"):
        SpeedConfig(**changes)
