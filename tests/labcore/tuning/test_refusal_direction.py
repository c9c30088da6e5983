"""The refusal direction: by hand, as a projection, on the bundled model, and as recorded."""

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.tuning import cabinet
from labcore.tuning import refusal_direction as lab
from labcore.tuning.cabinet import Phrasing
from labcore.tuning.cabinet_base import load_cabinet, reply
from labcore.tuning.refusal import GROUPS, RefusalConfig
from labcore.tuning.refusal_direction import SITES, DirectionStudy, SteerConfig


def test_the_difference_of_means_by_hand():
    refused = torch.tensor([[3.0, 1.0], [5.0, 1.0]])
    answered = torch.tensor([[1.0, 1.0], [1.0, 3.0], [1.0, 2.0]])
    assert lab.difference_of_means(refused, answered).tolist() == [3.0, -1.0]


def test_ablation_by_hand():
    """Along (3, 4)/5 the point (5, 5) has the component 7; set to 2, it moves by −5 · (0.6, 0.8)."""
    moved = lab.ablate(torch.tensor([5.0, 5.0]), torch.tensor([3.0, 4.0]), 2.0)
    assert moved.tolist() == pytest.approx([2.0, 1.0])


@pytest.mark.parametrize("towards", [0.0, -1.3])
def test_ablation_is_idempotent_and_leaves_what_is_orthogonal(towards):
    generator = torch.Generator().manual_seed(0)
    stream = torch.randn(4, 7, 64, generator=generator, dtype=torch.double)
    direction = torch.randn(64, generator=generator, dtype=torch.double)
    unit = direction / direction.norm()
    once = lab.ablate(stream, direction, towards)
    assert torch.allclose(lab.ablate(once, direction, towards), once)
    assert torch.allclose(once @ unit, torch.full((4, 7), towards, dtype=torch.double))
    across = torch.eye(64, dtype=torch.double) - torch.outer(unit, unit)
    assert torch.allclose(once @ across, stream @ across)


def test_a_planted_direction_is_found():
    """Two clouds that differ along one axis by 5, and by chance elsewhere."""
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(400, 16, generator=generator) for _ in range(2))
    one[:, 3] += 5
    found = lab.difference_of_means(one, other)
    assert found[3] / found.norm() > 0.99


def test_doing_nothing_is_doing_nothing():
    """Without a change the answers are those of the cached way of writing."""
    policy = load_cabinet("shallow").eval()
    things = torch.arange(0, 120, 7)
    said = lab.steered_reply(policy, things, {})
    assert torch.equal(said, reply(policy, cabinet.prompts(things, Phrasing())))


def test_the_component_of_the_examples_is_what_the_means_say():
    policy, config = load_cabinet("shallow").eval(), RefusalConfig()
    directions = lab.Directions(policy, config)
    length = directions.found.norm(dim=1)
    assert torch.allclose(directions.refused_mean - directions.answered_mean, length, atol=1e-5)
    assert torch.allclose(directions.random.norm(dim=1), length, atol=1e-5)


def test_taking_it_out_near_the_end_ends_refusals_and_a_random_one_does_not():
    new = GROUPS.index("forbidden_new")
    zero, random = (lab.steer(SteerConfig(5, way)) for way in ("zero", "random_zero"))
    assert zero.refused[new] < 0.2
    assert random.refused[new] > 0.8
    assert lab.steer(SteerConfig(5, "add")).refused[GROUPS.index("harmless_new")] > 0.2


@pytest.mark.parametrize("bad", [{"site": 6}, {"way": "sing"}, {"strength": 9.0}])
def test_changes_that_cannot_be_made_are_refused(bad):
    with pytest.raises(LabInputError):
        SteerConfig(**bad)


# What was recorded, over three seeds.


@pytest.fixture(scope="module")
def study() -> DirectionStudy:
    return results.load(results.RECORDINGS / "safety-direction.safetensors", DirectionStudy).result


def test_zero_is_no_neutral_place(study):
    """At the end of block 1: nearly all still refused with zero, hardly any with the mean."""
    site = SITES.index("layers.0.resid_post")
    seen = GROUPS.index("forbidden_seen")
    assert (study.refused["zero"][:, site, seen] > 0.9).all()
    assert (study.refused["mean"][:, site, seen] < 0.2).all()
    answered, refused = study.means[:, site, 1], study.means[:, site, 0]
    share = -answered / (refused - answered)
    assert ((share > 0.3) & (share < 0.5)).all()


def test_near_the_end_both_end_refusals_and_harmless_answers_stay(study):
    for way in ("zero", "mean"):
        assert study.refused[way][:, -2:, :2].max() < 0.1
        kept = study.answered[way][:, -1, GROUPS.index("harmless_new")]
        before = study.answered["none"][:, -1, GROUPS.index("harmless_new")]
        assert (kept > before - 0.1).all()


def test_the_random_direction_is_a_control(study):
    assert (study.refused["random_zero"][:, :, 0] == 1).all()
    assert (study.refused["random_add"][:, :, GROUPS.index("harmless_new")] == 0).all()
    assert (study.refused["add"][:, :, GROUPS.index("harmless_new")] > 0.2).all()


def test_neighbours_agree_and_ends_do_not(study):
    cosine = study.cosine.mean(axis=0)
    assert np.allclose(np.diag(cosine), 1)
    assert cosine[3, 4] > 0.9
    assert abs(cosine[0, 5]) < 0.2
