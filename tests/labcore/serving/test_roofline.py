"""The roofline: the counts of `model.counting`, worked examples, and figures one can look up."""

from dataclasses import replace

import pytest

from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.model.counting import flops_total, kv_cache_bytes, parameter_total
from labcore.model.presets import PRESETS
from labcore.serving.roofline import (
    Load,
    experts_read,
    matrix,
    operators,
    ridge,
    step_seconds,
)

LLAMA = PRESETS["llama-2-7b"].config
DENSE = [
    name for name, preset in PRESETS.items()
    if preset.config.kind == "decoder" and not preset.config.latent and not preset.config.moe
    and preset.config.mlp_size and preset.config.head == "lm"
]  # fmt: skip


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize(("tokens", "cached"), [(1, 0), (1, 700), (300, 0)])
def test_operations_are_those_that_the_model_counts(name, tokens, cached):
    config = PRESETS[name].config
    load = Load(tokens=tokens, cached=cached)
    counted = sum(one.flops for one in operators(config, load))
    assert counted == pytest.approx(flops_total(config, tokens, cached))


def test_a_written_token_reads_every_weight_and_the_whole_cache_once():
    load = Load(tokens=1, cached=1000)
    parts = operators(LLAMA, load)
    embedding = LLAMA.vocab_size * LLAMA.hidden_size  # a table: looked up, not multiplied
    norms = (2 * LLAMA.num_layers + 1) * LLAMA.hidden_size
    weights = 2 * (parameter_total(LLAMA) - embedding - norms)
    assert sum(one.weights for one in parts) == weights
    read_and_written = kv_cache_bytes(LLAMA, 1001) + kv_cache_bytes(LLAMA, 1)
    assert sum(one.cache for one in parts) == read_and_written


def test_the_worked_example_of_one_matrix():
    """A 7-billion model's q: 34 million operations and bytes for one token, 69 billion for 2048."""
    one = matrix("q", 4096, 4096, 1, Load())
    assert (one.flops, one.weights) == (2 * 4096**2, 2 * 4096**2)
    assert one.intensity == pytest.approx(1, abs=0.001)
    many = matrix("q", 4096, 4096, 1, Load(tokens=2048))
    assert many.flops == pytest.approx(69e9, rel=0.01)
    assert many.bytes == pytest.approx(67e6, rel=0.01)
    assert many.intensity == 1024


def test_prompts_are_bound_by_arithmetic_and_writing_by_traffic_until_the_batch_is_large():
    a100 = DEVICES["a100-80"]
    assert ridge(a100) == pytest.approx(153, abs=0.5)
    prompt = {one.name: one.bound(a100) for one in operators(LLAMA, Load(tokens=2048))}
    written = {one.name: one.bound(a100) for one in operators(LLAMA, Load(cached=2048))}
    batch = {one.name: one.bound(a100) for one in operators(LLAMA, Load(batch=256, cached=2048))}
    assert set(prompt.values()) == {"arithmetic"}
    assert set(written.values()) == {"traffic"}
    # Every sequence has a cache of its own: a larger batch does not help attention.
    assert batch["attention"] == "traffic"
    assert batch["mlp in"] == "arithmetic"


def test_seven_billion_weights_cannot_be_read_faster_than_the_memory_allows():
    """13.2 GB through 2.039 TB/s: 6.5 ms a token, 154 tokens a second, whatever the arithmetic."""
    seconds = step_seconds(LLAMA, Load(cached=0), DEVICES["a100-80"])
    assert seconds == pytest.approx(6.5e-3, rel=0.02)
    four_bits = step_seconds(LLAMA, Load(weight_bytes=0.5), DEVICES["a100-80"])
    assert four_bits == pytest.approx(seconds / 4, rel=0.02)


def test_scores_that_leave_the_chip_cost_their_way():
    plain, fused = (
        next(one for one in operators(LLAMA, Load(tokens=2048, fused=f)) if one.name == "attention")
        for f in (False, True)
    )
    assert plain.flops == fused.flops
    assert plain.bytes - fused.bytes == 2 * 4 * 32 * 32 * 2048**2


def test_a_mixture_reads_the_experts_that_are_called():
    assert experts_read(8, 2, 1) == pytest.approx(2)
    assert experts_read(8, 2, 1000) == pytest.approx(8)
    assert experts_read(8, 2, 2) == pytest.approx(8 * (1 - 0.75**2))


def test_what_it_does_not_plan_is_refused():
    with pytest.raises(LabInputError):
        operators(replace(LLAMA, kind="encoder"), Load())
    for bad in ({"batch": 0}, {"tokens": 0}, {"cached": -1}, {"weight_bytes": 0}):
        with pytest.raises(LabInputError):
            Load(**bad)
