"""Cached equals uncached, in every variant; bytes by formula equal bytes held; what was recorded."""

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.counting import cache_numbers_per_token, kv_cache_bytes
from labcore.model.presets import PRESETS
from labcore.model.transformer import Transformer
from labcore.serving import batch_speed, cache_race, cache_size
from labcore.serving.batch_speed import BatchConfig, BatchResult
from labcore.serving.cache_race import RaceConfig, RaceResult

TINY = RaceConfig(new_tokens=12, rounds=2)


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"kv_cache-{name}.safetensors", kind).result


@pytest.mark.parametrize("kind", cache_size.KINDS)
@pytest.mark.parametrize("window", [None, 5])
def test_token_by_token_equals_all_at_once(kind, window):
    """With every kind of attention, and with a sliding window."""
    config = cache_size.as_kind(ModelConfig(**cache_size.SMALL), kind).with_(sliding_window=window)
    rng = torch.Generator().manual_seed(1)
    model = Transformer(config, rng)
    tokens = torch.randint(config.vocab_size, (2, 11), generator=rng)
    cache = KVCache()
    with torch.no_grad():
        whole = model(tokens).logits
        steps = [model(tokens[:, t : t + 1], cache=cache).logits for t in range(11)]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-4, atol=1e-5)


# With and without.


@pytest.fixture(scope="module")
def raced() -> RaceResult:
    return cache_race.run(TINY)


def test_both_ways_write_the_same(raced):
    assert raced.first_difference == -1
    assert np.array_equal(raced.tokens["cached"], raced.tokens["uncached"])
    assert raced.largest_gap < 1e-3


def test_work_is_what_torch_counts(raced):
    """`FlopCounterMode` on the passes themselves, the third token of either way."""
    from torch.utils.flop_counter import FlopCounterMode

    from labcore import zoo

    model, length = zoo.load("world-decoder").model, raced.prompt_tokens + 2
    tokens = torch.arange(length)[None]
    cache = KVCache()
    with torch.no_grad():
        model(tokens[:, :-1], cache=cache)
        counts = {}
        for way, read, kept in (("uncached", tokens, None), ("cached", tokens[:, -1:], cache)):
            with FlopCounterMode(display=False) as counter:
                # explicit attention: the fused kernel on a processor is not counted
                model(read, cache=kept, trace=True)
            counts[way] = counter.get_total_flops()
    assert {way: raced.flops[way][2] for way in counts} == counts


def test_the_cache_holds_what_the_formula_says(raced):
    from labcore import zoo

    model = zoo.load("world-decoder").model
    cache = KVCache()
    with torch.no_grad():
        model(torch.arange(raced.prompt_tokens + 4)[None], cache=cache)
    assert cache.bytes() == raced.cache_bytes[4]


def test_the_same_seed_writes_the_same_and_another_does_not(raced):
    again = cache_race.run(TINY)
    other = cache_race.run(RaceConfig(new_tokens=12, rounds=1, seed=5))
    assert again.text == raced.text != other.text


@pytest.mark.parametrize("bad", [{"new_tokens": 1}, {"rounds": 0}, {"text": "  "}])
def test_a_race_out_of_range_is_refused(bad):
    with pytest.raises(LabInputError):
        RaceConfig(**bad)


@pytest.mark.parametrize("name", list(cache_race.RECORDED))
def test_the_recorded_races_agree_and_the_cache_wins_every_round(name):
    race = recorded(f"race-{name}", RaceResult)
    assert race.first_difference == -1
    assert (race.total_seconds("uncached") > 2 * race.total_seconds("cached")).all()
    # A pass over one token does not grow with the text as a pass over all of it does.
    late = {way: np.median(race.milliseconds[way][:, -8:]) for way in cache_race.WAYS}
    early = {way: np.median(race.milliseconds[way][:, 1:9]) for way in cache_race.WAYS}
    assert late["uncached"] > 1.5 * early["uncached"]
    assert late["cached"] < 1.5 * early["cached"]


# Memory.


def test_formula_and_reality_agree_for_every_kind():
    held = cache_size.compare()
    assert held.formula_bytes == held.held_bytes
    assert held.held_bytes["mha"] == 8 * held.held_bytes["mqa"]


@pytest.mark.parametrize(
    ("model", "kilobytes"),
    [("llama-2-7b", 524.288), ("llama-3-8b", 131.072), ("deepseek-v2", 69.12)],
)
def test_published_sizes_per_token(model, kilobytes):
    """2 · 32 layers · 32 (8) heads · 128 numbers in bf16; DeepSeek-V2: 60 · (512 + 64)."""
    result = cache_size.run(cache_size.SizeConfig(model))
    assert result.per_token_bytes[result.published_kind] == kilobytes * 1e3


def test_a_published_model_is_left_as_it_is_in_its_own_kind():
    for name in cache_size.MODELS[:-1]:
        config = PRESETS[name].config
        assert cache_size.as_kind(config, cache_size.kind_of(config)) is config


def test_what_fits_fits_and_one_more_does_not():
    config = cache_size.SizeConfig("llama-3-8b", context=4096)
    result = cache_size.run(config)
    most = result.fits["gqa"]
    room = result.memory_bytes - result.weight_bytes
    one = kv_cache_bytes(PRESETS["llama-3-8b"].config, 4096, 2)
    assert most * one <= room < (most + 1) * one


def test_half_the_bits_are_half_the_bytes():
    whole, half = (cache_size.run(cache_size.SizeConfig(bits=bits)) for bits in (16, 8))
    assert whole.cache_bytes["gqa"] == 2 * half.cache_bytes["gqa"]


def test_a_window_stops_the_growth():
    curve = cache_size.run(cache_size.SizeConfig("mistral-7b")).curves["gqa"]
    assert curve[-1] == curve[-2]


@pytest.mark.parametrize("heads", [2, 9, 14, 64])
def test_groups_divide_the_heads(heads):
    config = ModelConfig(hidden_size=heads * 16, num_heads=heads)
    per_token = {
        kind: cache_numbers_per_token(cache_size.as_kind(config, kind))
        for kind in ("mha", "gqa", "mqa")
    }
    assert heads % cache_size.grouped(heads) == 0
    assert per_token["mqa"] * heads == per_token["mha"]
    assert per_token["mqa"] * cache_size.grouped(heads) == per_token["gqa"]


@pytest.mark.parametrize(
    "bad", [{"model": "x"}, {"context": 0}, {"batch": 9999}, {"bits": 5}, {"device": "abacus"}]
)
def test_a_size_out_of_range_is_refused(bad):
    with pytest.raises(LabInputError):
        cache_size.SizeConfig(**bad)


# Batches.


def test_a_batch_is_as_many_rows_as_alone():
    """One step of four texts equals the four texts' own steps: a batch changes time and nothing else."""
    rng = torch.Generator().manual_seed(0)
    model = Transformer(batch_speed.MODELS["small"], rng)
    tokens = torch.randint(512, (4, 6), generator=rng)
    with torch.no_grad():
        together = model(tokens, cache=KVCache()).logits
        alone = torch.cat([model(row[None], cache=KVCache()).logits for row in tokens])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_decoding_starts_behind_a_full_cache():
    rng = torch.Generator().manual_seed(0)
    model = Transformer(batch_speed.MODELS["small"], rng)
    step = batch_speed.decoding(model, 3, 16, rng)
    with torch.no_grad():
        first, second = step().logits, step().logits
    assert first.shape == (3, 1, 512)
    assert torch.equal(first, second)  # no step leaves anything behind in the next one's cache
    entries = batch_speed.random_entries(model.config, 3, 16, rng)
    held = sum(t.numel() * 4 for entry in entries.values() for t in entry)
    assert held == kv_cache_bytes(model.config, 16, 4, 3)


def test_a_short_measurement_has_every_number():
    result = batch_speed.run(BatchConfig("small", context=16, rounds=2))
    shape = (2, len(batch_speed.SIZES))
    assert result.decode_seconds.shape == result.prefill_seconds.shape == shape
    assert (result.decode_seconds > 0).all()


@pytest.mark.parametrize("bad", [{"model": "huge"}, {"context": 1}, {"rounds": 0}])
def test_a_measurement_out_of_range_is_refused(bad):
    with pytest.raises(LabInputError):
        BatchConfig(**bad)


def test_batching_was_recorded_to_gain_and_to_cost():
    """In every round 64 texts write more per second than one, and less than 64 times as much."""
    result = recorded("batch", BatchResult)
    gain = result.sizes[-1] * result.decode_seconds[:, 0] / result.decode_seconds[:, -1]
    assert ((gain > 2) & (gain < 64)).all()
    assert (result.decode_seconds[:, -1] > 2 * result.decode_seconds[:, 0]).all()
    # A prompt has one cache, not 64, and is read faster than 64 texts are written.
    assert (result.prefill_seconds[:, -1] < result.decode_seconds[:, -1]).all()


@pytest.mark.parametrize("language", list(cache_race.TEXTS))
def test_todays_race_writes_what_was_recorded(language):
    """The same dice: the first twelve tokens are those of the recording, and so is the work for them."""
    race = recorded(f"race-{language}", RaceResult)
    today = cache_race.run(RaceConfig(text=cache_race.TEXTS[language], new_tokens=12, rounds=1))
    for way in cache_race.WAYS:
        assert np.array_equal(today.tokens[way], race.tokens[way][:12])
        assert np.array_equal(today.flops[way], race.flops[way][:12])
