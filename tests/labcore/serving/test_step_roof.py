"""A preset under the roof: worked by hand, the closed form of the crossing, what must not change."""

import numpy as np
import pytest

from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.model.counting import flops_total
from labcore.model.presets import PRESETS
from labcore.serving import step_roof as lab
from labcore.serving.roofline import operators
from labcore.serving.step_roof import RoofConfig

DENSE = [name for name in lab.MODELS if not PRESETS[name].config.moe]


@pytest.mark.parametrize("phase", lab.PHASES)
def test_the_operators_are_those_that_counting_counts(phase):
    config = RoofConfig(phase=phase, context=512)
    new, cached = (1, 511) if phase == "write" else (512, 0)
    model = PRESETS[config.preset].config
    assert lab.run(config).flops.sum() == pytest.approx(flops_total(model, new, cached))


def test_one_text_of_llama_3_8b_by_hand():
    """7.5 billion weights in products, 15.0 GB at 3.35 TB/s: 4.48 ms; the cache adds 0.27 GB: 0.08 ms."""
    result = lab.run(RoofConfig())
    weights = 2 * (32 * (4096 * (4096 + 2048) + 4096**2 + 3 * 4096 * 14336) + 4096 * 128256)
    cache = 2048 * 2 * 32 * 8 * 128 * 2
    assert result.total_seconds == pytest.approx((weights + cache) / 3.35e12, rel=0.002)
    assert set(result.bound) == {"traffic"}
    attention = result.names.index("attention")
    assert result.flops[attention] / result.bytes[attention] == pytest.approx(
        4, rel=0.01
    )  # 2H / 2K


@pytest.mark.parametrize("preset", DENSE)
@pytest.mark.parametrize("whole", [True, False])
def test_the_crossing_is_that_of_the_closed_form(preset, whole):
    """B = (W/β) / (f/π − c/β), where f and c are what a second text adds; none if that is negative."""
    config, device = RoofConfig(preset, context=256), DEVICES["h100"]
    model = PRESETS[preset].config
    one, two = (
        [op for op in operators(model, lab.load_of(config, b)) if whole or op.name != "attention"]
        for b in (1, 2)
    )
    flops = sum(op.flops for op in one)
    added = sum(op.bytes for op in two) - sum(op.bytes for op in one)
    weights = sum(op.bytes for op in one) - added
    gained = flops / device.peak_flops - added / device.memory_bandwidth
    found = lab.crossing(config, whole)
    if gained <= 0:
        assert found is None
    else:
        assert found == int(np.ceil(weights / device.memory_bandwidth / gained))


def test_a_quarter_of_the_bits_a_quarter_of_the_batch():
    assert [lab.crossing(RoofConfig(weight_bits=bits), False) for bits in (16, 4)] == [328, 82]


def test_fewer_bits_and_larger_batches_never_make_a_token_dearer():
    times = [lab.run(RoofConfig(weight_bits=bits)).total_seconds for bits in (16, 8, 4)]
    assert times == sorted(times, reverse=True)
    result = lab.run(RoofConfig("mixtral-8x7b"))
    assert (np.diff(result.step_seconds / result.batches) <= 1e-12).all()


@pytest.mark.parametrize(
    ("values", "field", "rule"),
    [
        ({"preset": "bert-base"}, "preset", "known_choice"),
        ({"batch": 0}, "batch", "between"),
        ({"weight_bits": 3}, "weight_bits", "known_choice"),
        ({"preset": "gpt2", "context": 2048}, "context", "max_positions"),
    ],
)
def test_what_cannot_be_is_refused(values, field, rule):
    with pytest.raises(LabInputError) as error:
        RoofConfig(**values)
    assert (error.value.field, error.value.rule) == (field, rule)
