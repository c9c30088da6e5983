import math

import pytest
import torch
from transformers.models.t5.modeling_t5 import T5Attention

from labcore.model.config import ModelConfig, RopeScaling
from labcore.model.positions import (
    alibi_bias,
    alibi_slopes,
    ntk_theta,
    rope_frequencies,
    rotate,
    rotation,
    scaled_frequencies,
    sinusoidal,
    t5_bucket,
    yarn_amplitude,
)
from labcore.model.transformer import Transformer


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_sinusoids_are_those_of_the_formula():
    """D = 4: channels sin(p), cos(p), sin(p/100), cos(p/100), since 10000^(2/4) = 100."""
    expected = [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]
    torch.testing.assert_close(sinusoidal(torch.tensor([3]), 4)[0], torch.tensor(expected))


def test_sinusoids_of_an_odd_width_lack_the_last_cosine():
    positions = torch.arange(5)
    assert sinusoidal(positions, 5).shape == (5, 5)
    assert torch.equal(sinusoidal(positions, 5)[:, 0], positions.float().sin())


def test_a_rotation_by_a_right_angle_worked_by_hand():
    """d = 4, pairs (0, 2) and (1, 3). A quarter turn sends (a, b) to (-b, a); no turn keeps it."""
    x = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
    cos, sin = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    assert rotate(x, cos, sin).flatten().tolist() == [-3.0, 2.0, 1.0, 4.0]


def test_rope_sees_only_the_distance():
    """q_i · k_j depends on i - j alone: shifting all positions by 1000 changes no score."""
    q, k = drawn(1, 2, 6, 16), drawn(1, 2, 6, 16, seed=1)
    positions, frequencies = torch.arange(6)[None], rope_frequencies(16, 10000.0)

    def scores(shift: int) -> torch.Tensor:
        turn = rotation(positions + shift, frequencies)
        return rotate(q, *turn) @ rotate(k, *turn).transpose(-2, -1)

    torch.testing.assert_close(scores(0), scores(1000), atol=2e-3, rtol=0)
    turned = rotation(positions, frequencies)
    torch.testing.assert_close(rotate(q, *turned).norm(dim=-1), q.norm(dim=-1))


def test_the_shift_invariance_holds_in_the_whole_model():
    model = Transformer(ModelConfig(positions="rope")).eval()
    tokens = torch.arange(8)[None]
    with torch.no_grad():
        here = model(tokens).logits
        there = model(tokens, positions=torch.arange(8)[None] + 500).logits
    torch.testing.assert_close(here, there, atol=1e-3, rtol=0)


def test_half_split_and_interleaved_rope_differ_by_a_permutation_only():
    """The paper turns the pairs (2i, 2i + 1), as complex numbers; we turn (i, i + d/2)."""
    x, d = drawn(1, 1, 5, 8), 8
    cos, sin = rotation(torch.arange(5)[None], rope_frequencies(d, 100.0))
    complex_pairs = torch.view_as_complex(x.unflatten(-1, (d // 2, 2)).contiguous())
    interleaved = torch.view_as_real(complex_pairs * torch.complex(cos, sin)).flatten(-2)
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])  # first halves of all pairs, then second halves
    torch.testing.assert_close(rotate(x[..., order], cos, sin), interleaved[..., order])


def test_linear_scaling_puts_position_8_where_4_was():
    plain = rotation(torch.tensor([[4]]), rope_frequencies(8, 100.0))
    halved, _ = scaled_frequencies(8, 100.0, RopeScaling("linear", factor=2.0), length=8)
    torch.testing.assert_close(rotation(torch.tensor([[8]]), halved), plain)


def test_dynamic_scaling_starts_at_the_trained_length():
    """Twice the trained length, factor 2, d = 4: the base grows by (2·2 - 1)^(4/2) = 9."""
    scaling = RopeScaling("dynamic", factor=2.0, original_max_positions=16)
    assert ntk_theta(4, 100.0, scaling, length=16) == 100.0
    assert ntk_theta(4, 100.0, scaling, length=32) == pytest.approx(900.0)


def test_llama3_keeps_fast_pairs_and_divides_slow_ones():
    """Over 8192 tokens: more than 4 turns are kept, fewer than 1 are divided by the factor."""
    scaling = RopeScaling("llama3", factor=8.0, original_max_positions=8192)
    plain = rope_frequencies(128, 500000.0)
    scaled, amplitude = scaled_frequencies(128, 500000.0, scaling, length=1)
    turns = 8192 * plain / (2 * math.pi)
    torch.testing.assert_close(scaled[turns > 4], plain[turns > 4])
    torch.testing.assert_close(scaled[turns < 1], plain[turns < 1] / 8)
    between = (turns > 1) & (turns < 4)
    assert between.any()
    assert (scaled[between] < plain[between]).all()
    assert (scaled[between] > plain[between] / 8).all()
    assert amplitude == 1.0


def test_yarn_keeps_the_fastest_pair_divides_the_slowest_and_raises_the_amplitude():
    """0.1 · ln 4 + 1 = 1.1386."""
    scaling = RopeScaling("yarn", factor=4.0, original_max_positions=2048)
    plain = rope_frequencies(64, 10000.0)
    scaled, amplitude = scaled_frequencies(64, 10000.0, scaling, length=1)
    assert scaled[0] == plain[0]
    assert scaled[-1] == pytest.approx(float(plain[-1]) / 4)
    assert amplitude == pytest.approx(1.13863, abs=1e-5)
    assert yarn_amplitude(RopeScaling("yarn", factor=1.0)) == 1.0


def test_alibi_slopes_for_8_heads_are_the_papers():
    """1/2, 1/4, …, 1/256 (arXiv:2108.12409, section 3)."""
    assert alibi_slopes(8) == [2.0**-n for n in range(1, 9)]


def test_alibi_slopes_for_12_heads_are_those_of_8_and_every_second_of_16():
    """The authors' rule for head counts that are no power of two; 16 heads start at 2^-0.5."""
    assert alibi_slopes(12) == pytest.approx(
        [2.0**-n for n in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    )
    assert len(alibi_slopes(3)) == 3
    assert alibi_slopes(1) == [2.0**-8]


def test_alibi_bias_worked_by_hand():
    """2 heads have slopes 1/16 and 1/256; query at 5, keys at 3 and 6: distances 2 and 1."""
    bias = alibi_bias(torch.tensor([[5]]), torch.tensor([[3, 6]]), 2)
    assert bias.shape == (1, 2, 1, 2)
    assert bias.flatten().tolist() == [-2 / 16, -1 / 16, -2 / 256, -1 / 256]


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (12, 20), (8, 100)])
def test_t5_buckets_equal_those_of_transformers(bidirectional, buckets, max_distance):
    relative = torch.arange(-300, 301)
    theirs = T5Attention._relative_position_bucket(
        relative, bidirectional, num_buckets=buckets, max_distance=max_distance
    )
    assert torch.equal(t5_bucket(relative, buckets, max_distance, bidirectional), theirs)


def test_an_encoder_without_positions_sees_a_set():
    """Permuting the tokens permutes the output and changes nothing else."""
    model = Transformer(ModelConfig(kind="encoder", positions="none")).eval()
    tokens = torch.randint(512, (1, 9), generator=torch.Generator().manual_seed(0))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        straight, permuted = model(tokens).logits, model(tokens[:, order]).logits
    torch.testing.assert_close(permuted, straight[:, order], atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rope", "alibi", "t5"])
def test_an_encoder_with_positions_sees_a_sequence(positions):
    """The last token stays; swapping two others changes what the encoder says about it."""
    model = Transformer(ModelConfig(kind="encoder", positions=positions)).eval()
    with torch.no_grad():
        one = model(torch.tensor([[1, 2, 3, 4]])).logits[0, -1]
        other = model(torch.tensor([[2, 1, 3, 4]])).logits[0, -1]
    assert (one - other).abs().max() > 1e-3
