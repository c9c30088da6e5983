"""A model as the planner sees it adds up to the model itself."""

import pytest

from labcore.distributed.workload import plannable, preset_workload, workload
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.counting import flops_total, parameter_total
from labcore.model.presets import PRESETS


@pytest.mark.parametrize("name", plannable())
def test_the_parts_of_a_model_are_all_its_parameters(name):
    """Layer times count, plus both ends, minus the matrix that a tied model has once."""
    assert preset_workload(name).total_parameters == parameter_total(PRESETS[name].config)


@pytest.mark.parametrize("name", plannable())
def test_forward_operations_are_those_that_counting_finds(name):
    """`count_flops` counts masked scores too, as torch's own counter does."""
    config = PRESETS[name].config
    assert preset_workload(name).forward_flops(512, with_masked=True) == flops_total(config, 512)


def test_masked_scores_are_half_of_all_scores():
    """GPT-3, by hand: scores and weighted sums are 4·h per key, query and layer; half of it at s = 2048."""
    gpt3 = preset_workload("gpt3-175b")
    saved = gpt3.forward_flops(2048, True) - gpt3.forward_flops(2048, False)
    assert saved == 96 * 4 * 12288 * 2048 * 2048 / 2


def test_a_mixture_meets_two_of_eight_experts_per_token():
    """Mixtral: 46.7 billion parameters of which a token meets 12.9 billion (arXiv:2401.04088)."""
    mixtral = preset_workload("mixtral-8x7b")
    assert mixtral.active_parameters == pytest.approx(12.9e9, rel=0.005)
    assert preset_workload("llama-3-8b").active_parameters == 8_030_261_248


def test_a_learners_own_design_can_be_planned_too():
    own = workload(ModelConfig(num_layers=3))
    assert own.total_parameters == parameter_total(ModelConfig(num_layers=3))


def test_what_has_two_kinds_of_layers_is_refused():
    with pytest.raises(LabInputError, match="plannable"):
        workload(PRESETS["t5-small"].config)
    with pytest.raises(LabInputError, match="known_choice"):
        preset_workload("gpt5")
