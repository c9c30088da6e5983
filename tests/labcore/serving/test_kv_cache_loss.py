"""Throwing tokens out, and rounding what stays: worked cases, identities, and what was recorded."""

import numpy as np
import pytest
import torch

from app import results
from labcore import zoo
from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.serving import cache_bits, cache_texts, forgetting
from labcore.serving.cache_bits import BitsConfig, BitsResult
from labcore.serving.forgetting import ForgetConfig, ForgetResult


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"kv_cache-{name}.safetensors", kind).result


@pytest.mark.parametrize(
    ("way", "cleared", "kept"),
    [
        ("full", False, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("window", False, [3, 4, 5, 6, 7, 8]),
        ("sinks", False, [0, 1, 5, 6, 7, 8]),
        ("others", False, [2, 3, 5, 6, 7, 8]),
        ("others", True, [0, 1, 5, 6, 7, 8]),  # those kept for good stand in front by now
    ],
)
def test_which_of_nine_tokens_stay_in_a_cache_of_six(way, cleared, kept):
    assert forgetting.kept_places(way, 9, 6, 2, cleared).tolist() == kept


def test_until_the_cache_is_full_nothing_is_thrown_out():
    for way in forgetting.WAYS:
        assert forgetting.kept_places(way, 6, 6, 2, False).tolist() == list(range(6))


@pytest.fixture(scope="module")
def rows() -> torch.Tensor:
    return cache_texts.long_rows(zoo.load("world-decoder"), 2, 96, 0)


def test_keys_turned_late_give_the_same_losses(rows):
    """The whole cache with unturned keys, in chunks, against one pass of the model as it is."""
    model = zoo.load("world-decoder").model
    config = ForgetConfig(length=128, rows=2)
    losses, cache = forgetting.read(forgetting.unturned(model), rows, "full", config)
    with torch.no_grad():
        logits = model(rows[:, :-1]).logits
    expected = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), rows[:, 1:], reduction="none"
    )
    torch.testing.assert_close(losses, expected, rtol=1e-3, atol=1e-4)
    assert cache.length == 95


def test_a_window_is_the_model_with_a_mask_where_there_is_one_layer(rows):
    """With one layer a token's key knows nothing of others, so throwing out equals not looking.

    Against `sliding_window`, whose distances are those of the text: RoPE sees differences only.
    """
    from labcore.model.transformer import Transformer

    rng = torch.Generator().manual_seed(0)
    base = zoo.load("world-decoder").model.config.with_(num_layers=1)
    model = Transformer(base, rng)
    window, chunk = 16, 1
    config = ForgetConfig(window=window, sinks=1, length=128, rows=2)
    object.__setattr__(config, "chunk", chunk)  # one at a time, so that the window is exact
    tokens = rows[:, :40]
    losses, _ = forgetting.read(forgetting.unturned(model), tokens, "window", config)
    masked = Transformer(base.with_(sliding_window=window + 1), weights=model.state_dict())
    with torch.no_grad():
        logits = masked(tokens[:, :-1]).logits
    expected = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), tokens[:, 1:], reduction="none"
    )
    torch.testing.assert_close(losses, expected, rtol=1e-3, atol=1e-4)


def test_all_ways_are_one_until_the_window_is_full(rows):
    result = forgetting.run(ForgetConfig(window=64, length=128, rows=2))
    early = result.positions < 64
    for way in forgetting.WAYS[1:]:
        np.testing.assert_allclose(
            result.nats[way][:, early], result.nats["full"][:, early], atol=1e-5
        )
        assert result.kept_tokens[way] == 64
    assert result.kept_bytes["window"] == result.kept_bytes["full"] * 64 // 127


def test_rows_of_stories_are_the_models_own_text(rows):
    tokenizer = zoo.load("world-decoder").tokenizer
    assert (rows[:, 0] == tokenizer.bos_id).all()
    assert (rows == tokenizer.eos_id).any()
    assert torch.equal(rows, cache_texts.long_rows(zoo.load("world-decoder"), 2, 96, 0))


@pytest.mark.parametrize("bad", [{"window": 1}, {"sinks": 0}, {"length": 5}, {"chunk": 1}])
def test_forgetting_out_of_range_is_refused(bad):
    with pytest.raises(LabInputError):
        ForgetConfig(**bad)


def test_sinks_were_recorded_to_hold_smollm2_up():
    """In every text the latest alone cost over half a nat more than with the first; others do not help."""
    result = recorded("forgetting-smollm2", ForgetResult)
    beyond = {way: result.beyond(way) for way in forgetting.WAYS}
    assert (beyond["window"] > beyond["sinks"] + 0.5).all()
    assert (beyond["others"] > beyond["sinks"] + 0.5).all()
    assert (beyond["sinks"] < beyond["full"] + 1).all()


def test_the_bundled_model_was_recorded_to_do_better_without_old_stories():
    """It never saw more than one story in training, and no sinks formed: all windows beat the whole cache."""
    result = recorded("forgetting", ForgetResult)
    for way in ("window", "sinks", "others"):
        assert result.beyond(way).mean() < result.beyond("full").mean() - 0.5


# Few bits.


def test_sixteen_times_the_levels_leave_the_entry_as_it_is():
    entry = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    for axis in cache_bits.AXES:
        errors = [
            (cache_bits.round_entry(entry, axis, bits)[0] - entry).abs().max() for bits in (8, 4, 2)
        ]
        assert errors[0] < 0.02 < errors[1] < errors[2]


def test_a_channel_of_its_own_size_is_kept_by_channel_and_spoils_its_token():
    """One channel a hundred times as large: with it in the group, all others fall onto one level."""
    entry = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.1
    entry[..., 7] += 10
    rest = torch.arange(32) != 7
    by_token, by_channel = (cache_bits.round_entry(entry, axis, 2)[0] for axis in cache_bits.AXES)
    # from about −0.2 to 10 in three steps: every other number falls onto the lowest level
    assert (by_token[..., rest].std(dim=-1) < 1e-6).all()
    assert (by_channel - entry).abs().max() < 0.15  # half a step of a range of some 0.5
    assert cache_bits.steadiness(entry) > 0.99


def test_worked_by_hand_bits_of_a_number():
    """32 codes of 4 bits, a lowest number and a step of 16 each: 160 / 32."""
    assert cache_bits.round_entry(torch.ones(1, 1, 32, 32), "token", 4)[1] == 5


def test_worked_by_hand_levels():
    """Two bits from 1 to 4: levels 1, 2, 3, 4; a group of equal numbers keeps them."""
    group = torch.tensor([[1.0, 1.4, 1.6, 2.9, 4.0]])
    assert cache_bits.round_groups(group, 2).tolist() == [[1, 1, 2, 3, 4]]
    assert cache_bits.round_groups(torch.full((1, 4), 7.0), 2).tolist() == [[7, 7, 7, 7]]


def test_rounding_one_part_leaves_the_other_and_the_original():
    kept = KVCache()
    rng = torch.Generator().manual_seed(0)
    kept.entries = {"a": tuple(torch.randn(1, 2, 32, 32, generator=rng) for _ in range(2))}
    keys, values = kept.entries["a"]
    cache, _ = cache_bits.rounded(kept, "keys", "channel", 2)
    assert torch.equal(cache.entries["a"][1], values)
    assert not torch.equal(cache.entries["a"][0], keys)
    assert kept.entries["a"][0] is keys
    mixed, _ = cache_bits.rounded(kept, "both", "mixed", 2)
    assert torch.equal(mixed.entries["a"][0], cache.entries["a"][0])


def test_a_whole_cache_equals_reading_it_all_at_once():
    result = cache_bits.run(BitsConfig(rows=6))
    loaded = zoo.load("world-decoder")
    tokens = cache_texts.long_rows(loaded, 6, 56, 0)
    with torch.no_grad():
        logits = loaded.model(tokens).logits[:, 32:-1]
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), tokens[:, 33:], reduction="none"
    )
    np.testing.assert_allclose(result.base_nats, losses.mean(dim=1).numpy(), rtol=1e-3, atol=1e-4)
    assert np.abs(result.extra("both-token")[0]).max() < 0.01  # 8 bits
    assert result.without_nats.mean() > result.base_nats.mean() + 0.5


@pytest.mark.parametrize("bad", [{"context": 33}, {"rest": 0}, {"rows": 0}])
def test_rounding_out_of_range_is_refused(bad):
    with pytest.raises(LabInputError):
        BitsConfig(**bad)


def test_keys_want_channels_and_values_tokens_in_every_recorded_text():
    result = recorded("bits-smollm2", BitsResult)
    assert (result.extra("keys-channel")[-1] < result.extra("keys-token")[-1] - 0.1).all()
    assert (result.extra("keys-token")[-1] > result.extra("values-token")[-1] + 0.1).all()
    assert (np.abs(result.extra("both-token")[0]) < 0.02).all()  # 8 bits cost nothing
    mixed = result.extra("both-mixed")[-1]
    for other in ("both-token", "both-channel"):
        assert (mixed < result.extra(other)[-1] - 0.1).all()
    assert result.steady["keys"] > result.steady["values"]


def test_todays_rounding_costs_what_was_recorded():
    """The bundled model, all texts; kernels of other machines may differ in the last digits."""
    today, then = cache_bits.run(BitsConfig()), recorded("bits", BitsResult)
    np.testing.assert_allclose(today.base_nats, then.base_nats, rtol=1e-3, atol=1e-3)
    assert today.nats["both-token"][-1].mean() == pytest.approx(
        then.nats["both-token"][-1].mean(), abs=0.01
    )
