import pytest
import torch
import torch.nn.functional as F

from labcore.model.attention import attention_mask, fused, masked_softmax, scaled_dot_product


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_attention_worked_by_hand():
    """Scores ln 3 and 0 give weights 3/4 and 1/4; values 4 and 8 mix to 3 + 2 = 5."""
    q = torch.tensor([[[[1.0]]]])
    k = torch.tensor([[[[3.0]], [[1.0]]]]).log().reshape(1, 1, 2, 1)
    v = torch.tensor([4.0, 8.0]).reshape(1, 1, 2, 1)
    mask = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    assert scaled_dot_product(q, k, v, mask, None, 1.0).item() == pytest.approx(5.0)


@pytest.mark.parametrize("key_value_heads", [4, 2, 1])
def test_grouped_queries_share_consecutive_heads(key_value_heads):
    """Query head h reads key/value head h // (H/K), as in torch's own enable_gqa."""
    q = drawn(2, 4, 5, 8)
    k, v = drawn(2, key_value_heads, 7, 8, seed=1), drawn(2, key_value_heads, 7, 8, seed=2)
    mask = torch.ones(2, 1, 5, 7, dtype=torch.bool)
    expected = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    torch.testing.assert_close(scaled_dot_product(q, k, v, mask, None, 8**-0.5), expected)


def test_explicit_and_fused_attention_agree_on_rows_without_any_key():
    """With a mask, a bias and an empty row: equal outputs, equal gradients, no NaN, 0 in that row."""
    mask = attention_mask(torch.arange(5), torch.arange(5), causal=True, padding_mask=None)
    mask = mask & torch.tensor([[False, False, True, True, True]])[:, None, None]
    bias = drawn(1, 4, 5, 5, seed=3)
    results = []
    for attention in (scaled_dot_product, fused):
        inputs = [drawn(1, 4, 5, 8, seed=seed).requires_grad_() for seed in range(3)]
        out = attention(*inputs, mask, bias, 0.3)
        out.square().sum().backward()
        results.append([out.detach(), *(x.grad for x in inputs)])
    for one, other in zip(*results, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert (results[0][0][:, :, :2] == 0).all()


def test_softmax_weights_sum_to_one_and_survive_huge_scores():
    scores = drawn(1, 2, 3, 4) * 1e4
    mask = torch.ones(1, 1, 3, 4, dtype=torch.bool).tril()
    weights = masked_softmax(scores, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 3))
    assert (weights.masked_select(~mask.expand_as(weights)) == 0).all()
    expected = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    torch.testing.assert_close(weights, expected)


def test_a_row_that_an_intervention_emptied_weighs_nothing_and_a_forbidden_infinity_is_not_seen():
    """Scores of -inf at every allowed key: 0 throughout, not a share for the future; inf ahead: ignored."""
    mask = torch.ones(1, 1, 3, 3, dtype=torch.bool).tril()
    scores = torch.zeros(1, 1, 3, 3)
    scores[..., 0, 0], scores[..., 1, 2] = -torch.inf, torch.inf
    expected = [[0, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]]
    torch.testing.assert_close(masked_softmax(scores, mask)[0, 0], torch.tensor(expected))


def test_a_score_that_is_no_number_shows():
    scores = torch.zeros(1, 1, 2, 2)
    scores[..., 1, 1] = torch.nan
    weights = masked_softmax(scores, torch.ones(1, 1, 2, 2, dtype=torch.bool))
    assert weights[0, 0].isnan().tolist() == [[False, False], [True, True]]


def test_a_causal_window_of_two_sees_itself_and_its_neighbour():
    mask = attention_mask(torch.arange(4), torch.arange(4), causal=True, window=2)
    assert mask[0, 0].long().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]


def test_an_encoders_window_looks_both_ways():
    mask = attention_mask(torch.arange(3), torch.arange(3), causal=False, window=2)
    assert mask[0, 0].long().tolist() == [[1, 1, 0], [1, 1, 1], [0, 1, 1]]


def test_a_query_beyond_the_cache_sees_all_that_came_before():
    """Two new tokens after three remembered ones."""
    mask = attention_mask(torch.arange(3, 5), torch.arange(5), causal=True)
    assert mask[0, 0].long().tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]


def test_padding_is_seen_by_nobody():
    real = torch.tensor([[True, True, False]])
    mask = attention_mask(torch.arange(3), torch.arange(3), causal=False, padding_mask=real)
    assert mask[0, 0].long().tolist() == [[1, 1, 0]] * 3
    assert attention_mask(torch.arange(3), torch.arange(3), causal=False) is None
