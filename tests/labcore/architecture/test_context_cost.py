"""Where products between tokens overtake products with weights."""

import pytest

from labcore.architecture.context_cost import context_cost, crossing, split_flops
from labcore.model.config import ModelConfig
from labcore.model.counting import count_flops
from labcore.model.presets import PRESETS


def test_gpt2s_crossing_by_hand():
    """Per token 2 · (12 · 12 · 768² + 50257 · 768) FLOPs with weights, 4 · 12 · 768 · T between tokens."""
    weights = 2 * (12 * 12 * 768**2 + 50257 * 768)
    assert crossing(PRESETS["gpt2"].config) == weights / (4 * 12 * 768)


@pytest.mark.parametrize("name", ["gpt2", "t5-small", "llama-3-8b", "mixtral-8x7b"])
def test_both_parts_are_the_whole_and_equal_at_the_crossing(name):
    config = PRESETS[name].config
    length = round(crossing(config))
    cost = context_cost(config, [1, length])
    whole = sum(one.flops for one in count_flops(config, length))
    assert cost.weight_flops[1] + cost.attention_flops[1] == whole
    assert cost.attention_flops[1] == pytest.approx(cost.weight_flops[1], rel=1e-3)


def test_twice_the_text_costs_twice_the_weights_and_four_times_the_attention():
    cost = context_cost(ModelConfig(), [100, 200])
    assert cost.weight_flops[1] == 2 * cost.weight_flops[0]
    assert cost.attention_flops[1] == 4 * cost.attention_flops[0]
    assert cost.cache_bytes[1] == 2 * cost.cache_bytes[0]


def test_every_product_is_either_with_weights_or_between_tokens():
    """Scores and weighted sums: 2 · H · T · S · d each, here 2 · 4 · 10 · 10 · 16, in two layers."""
    assert split_flops(count_flops(ModelConfig(), 10))[1] == 2 * 2 * (2 * 4 * 10 * 10 * 16)
