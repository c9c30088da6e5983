"""Several documents in a row: each is read as if it stood alone."""

import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer

VOCAB = 20
DOCUMENTS = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
PLACES = torch.tensor([[0, 1, 2, 0, 1, 2, 3]])
TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2]])


def model(**changes) -> Transformer:
    config = ModelConfig(
        vocab_size=VOCAB, hidden_size=16, num_layers=2, num_heads=2, max_positions=16,
        **({"positions": "rope"} | changes),
    )  # fmt: skip
    return Transformer(config, torch.Generator().manual_seed(0)).eval()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["decoder", "encoder"])
@pytest.mark.parametrize("positions", ["rope", "learned", "alibi", "t5", "none"])
@pytest.mark.parametrize("trace", [False, True])
def test_each_document_is_read_as_if_alone(kind, positions, trace):
    """With a mask between them and positions that restart, logits are those of two separate texts.

    The fused kernel and the explicit formula (`trace`) must agree on it.
    """
    read = model(kind=kind, positions=positions, head="mlm" if kind == "encoder" else "lm")
    row = read(TOKENS, documents=DOCUMENTS, positions=PLACES, trace=trace).logits
    alone = torch.cat([read(TOKENS[:, :3]).logits, read(TOKENS[:, 3:]).logits], dim=1)
    torch.testing.assert_close(row, alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_without_the_mask_the_second_document_reads_the_first():
    read = model()
    other = TOKENS.clone()
    other[0, 0] = 7
    apart = [read(t, documents=DOCUMENTS, positions=PLACES).logits for t in (TOKENS, other)]
    together = [read(t).logits for t in (TOKENS, other)]
    assert torch.equal(apart[0][:, 3:], apart[1][:, 3:])
    assert not torch.allclose(together[0][:, 3:], together[1][:, 3:])


@torch.no_grad()
def test_padding_and_documents_go_together():
    read = model()
    padding = torch.tensor([[True] * 6 + [False]])
    row = read(TOKENS, padding_mask=padding, documents=DOCUMENTS, positions=PLACES).logits
    short = read(TOKENS[:, 3:6]).logits
    torch.testing.assert_close(row[:, 3:6], short, atol=1e-5, rtol=1e-5)


def test_documents_of_another_shape_or_with_a_cache_are_refused():
    read = model()
    with pytest.raises(LabInputError, match="same_shape"):
        read(TOKENS, documents=DOCUMENTS[:, :3])
    with pytest.raises(LabInputError, match="without_cache"):
        read(TOKENS, documents=DOCUMENTS, cache=KVCache())
