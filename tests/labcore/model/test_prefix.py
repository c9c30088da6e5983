"""A prefix that is read both ways: the mask by hand, and the model under it."""

import pytest
import torch

from labcore.architecture.families_masks import who_sees_whom
from labcore.errors import LabInputError
from labcore.model.attention import attention_mask
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.trace import patch
from labcore.model.transformer import Transformer

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [2, 7, 1, 8, 2, 8, 1]])
PREFIX = torch.tensor([[True] * 3 + [False] * 4, [True] * 5 + [False] * 2])


def model(**changes) -> Transformer:
    config = ModelConfig(
        vocab_size=20, hidden_size=16, num_layers=2, num_heads=2, max_positions=16, **changes
    )
    return Transformer(config, torch.Generator().manual_seed(0)).eval()


def by_hand(length: int, prefix: int) -> torch.Tensor:
    """Row t sees column s if s is not after t, or if both lie in the prefix."""
    return torch.tensor(
        [[s <= t or (s < prefix and t < prefix) for s in range(length)] for t in range(length)]
    )


@pytest.mark.parametrize("prefix", range(8))
def test_the_mask_is_the_one_built_by_hand(prefix):
    index, inside = torch.arange(7), (torch.arange(7) < prefix)[None]
    mask = attention_mask(index, index, causal=True, prefix=inside)[0, 0]
    assert torch.equal(mask, by_hand(7, prefix))
    assert torch.equal(
        mask, who_sees_whom("prefix", torch.ones(7, dtype=torch.bool), prefix=prefix)
    )


@torch.no_grad()
def test_each_row_has_its_own_prefix_in_every_layer():
    trace = model()(TOKENS, prefix_mask=PREFIX, trace=True).trace
    for layer in range(2):
        mask = trace[f"layers.{layer}.attn.mask"][:, 0]
        assert torch.equal(mask[0], by_hand(7, 3))
        assert torch.equal(mask[1], by_hand(7, 5))


@torch.no_grad()
@pytest.mark.parametrize("positions", ["rope", "learned", "alibi", "t5"])
def test_fused_and_explicit_attention_agree_with_the_mask_put_in_by_intervention(positions):
    read = model(positions=positions)
    masks = patch("layers.0.attn.mask", by_hand(7, 3)) | patch("layers.1.attn.mask", by_hand(7, 3))
    fused, explicit = (
        read(TOKENS[:1], prefix_mask=PREFIX[:1], trace=t).logits for t in (False, True)
    )
    patched = read(TOKENS[:1], interventions=masks).logits
    torch.testing.assert_close(fused, patched, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(explicit, patched, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_news_runs_backwards_inside_the_prefix_and_never_behind_it():
    read = model()
    last_of_prefix, after = TOKENS[:1].clone(), TOKENS[:1].clone()
    last_of_prefix[0, 2], after[0, 3] = 11, 11
    before, one, other = (
        read(t, prefix_mask=PREFIX[:1]).logits[0, 0] for t in (TOKENS[:1], last_of_prefix, after)
    )
    assert not torch.allclose(before, one)
    assert torch.equal(before, other)


@torch.no_grad()
def test_a_prefix_of_one_or_none_is_plain_causal_reading():
    read = model()
    plain = read(TOKENS).logits
    for length in (0, 1):
        inside = (torch.arange(7) < length).expand(2, -1)
        torch.testing.assert_close(read(TOKENS, prefix_mask=inside).logits, plain)


@torch.no_grad()
def test_padding_and_documents_hold_inside_a_prefix_too():
    read = model()
    padding = torch.tensor([[True] * 5 + [False] * 2])
    alone = read(TOKENS[:1, :5], prefix_mask=PREFIX[:1, :5]).logits
    filled = read(TOKENS[:1], padding_mask=padding, prefix_mask=PREFIX[:1]).logits
    torch.testing.assert_close(filled[:, :5], alone, atol=1e-5, rtol=1e-5)
    documents = torch.tensor([[0, 0, 1, 1, 1, 1, 1]])
    trace = read(TOKENS[:1], documents=documents, prefix_mask=PREFIX[:1], trace=True).trace
    assert not trace["layers.0.attn.mask"][0, 0, 0, 2]


def test_an_encoder_a_cache_and_another_shape_are_refused():
    with pytest.raises(LabInputError, match="decoder_only"):
        model(kind="encoder")(TOKENS, prefix_mask=PREFIX)
    with pytest.raises(LabInputError, match="without_cache"):
        model()(TOKENS, prefix_mask=PREFIX, cache=KVCache())
    with pytest.raises(LabInputError, match="same_shape"):
        model()(TOKENS, prefix_mask=PREFIX[:, :3])
