"""Deep stacks are the lab's own decoder with its drawn weights rescaled, and nothing else."""

import pytest
import torch

from labcore.architecture.deep_stacks import GAIN_HIGH, GAIN_LOW, WIDTH, Design, build
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer

VOCABULARY = 50


def weights(design: Design, num_layers: int = 3, seed: int = 0) -> dict[str, torch.Tensor]:
    return build(design, num_layers, VOCABULARY, seed).state_dict()


def test_the_standard_design_is_the_labs_own_initialisation():
    model = Transformer(Design().model(3, VOCABULARY), torch.Generator().manual_seed(0))
    for name, weight in weights(Design()).items():
        assert torch.equal(weight, model.state_dict()[name]), name


def test_a_gain_multiplies_the_matrices_of_the_blocks_and_leaves_tables_and_norms():
    plain, louder = weights(Design()), weights(Design(gain=2.0))
    for name in plain:
        factor = 2.0 if plain[name].dim() == 2 and ".layers." in name else 1.0
        torch.testing.assert_close(louder[name], factor * plain[name])


def test_unscaled_writers_are_root_2l_times_larger():
    """Three layers have six writers, so √6; the readers stay."""
    scaled, unscaled = weights(Design()), weights(Design(scaled_writers=False))
    for name in scaled:
        writes = name.endswith((".out.weight", ".down.weight"))
        torch.testing.assert_close(unscaled[name], scaled[name] * (6**0.5 if writes else 1.0))


def test_unscaled_writers_are_drawn_alike_at_every_depth():
    """σ = 0.02·√(768/32) = 0.098 whatever the depth; 4,096 draws, so 1.1 % standard error."""
    for depth in (1, 4):
        down = weights(Design(scaled_writers=False), depth)["stack.layers.0.mlp.down.weight"]
        assert down.numel() == 4 * WIDTH**2
        assert float(down.std()) == pytest.approx(0.02 * (768 / WIDTH) ** 0.5, rel=0.05)


def test_designs_of_one_seed_share_their_random_numbers():
    one, other = weights(Design()), weights(Design(placement="post", residual=False))
    for name in other:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"placement": "middle"}, "known_choice"),
        ({"norm": "none"}, "known_choice"),
        ({"gain": 0.0}, "between"),
        ({"gain": GAIN_HIGH * 1.01}, "between"),
        ({"gain": float("nan")}, "between"),
    ],
)
def test_a_design_that_is_none_is_refused(change, rule):
    with pytest.raises(LabInputError) as refused:
        Design(**change)
    assert (refused.value.field, refused.value.rule) == (next(iter(change)), rule)


@pytest.mark.parametrize("placement", ["pre", "post", "none"])
@pytest.mark.parametrize("mlp", [True, False])
def test_every_design_reads_a_text(placement, mlp):
    design = Design(residual=False, placement=placement, norm="rmsnorm", gain=GAIN_LOW, mlp=mlp)
    logits = build(design, 1, VOCABULARY, 0)(torch.tensor([[1, 2, 3]])).logits
    assert logits.shape == (1, 3, VOCABULARY)
    assert logits.isfinite().all()
