"""A weight on screen is the weight in the model."""

import numpy as np
import pytest

from labcore.architecture.weights import weight_matrix, weight_names
from labcore.errors import LabInputError


def test_a_window_is_cut_from_the_models_own_numbers(make):
    loaded = make("decoder")
    part = weight_matrix(loaded, "stack.layers.1.attn.q.weight", slice(4, 8), slice(0, 5))
    whole = loaded.model.stack.layers[1].attn.q.weight.detach().numpy()
    np.testing.assert_array_equal(part.values, whole[4:8, :5])
    assert part.rows == ("4", "5", "6", "7")


def test_rows_of_the_vocabulary_carry_their_tokens(make):
    loaded = make("decoder")
    matrix = weight_matrix(loaded, "token_embedding.weight")
    assert matrix.rows[ord("a")] == "a"  # the byte alphabet counts like ASCII
    assert len(matrix.rows) == loaded.tokenizer.vocab_size


def test_a_vector_is_one_row(make):
    matrix = weight_matrix(make("decoder"), "stack.final_norm.weight")
    assert matrix.values.shape == (1, 32)
    assert matrix.rows == ("0",)


def test_a_tied_head_is_listed_once(make):
    """`tie_embeddings`: the head's matrix is the embedding, so only one name owns the numbers."""
    names = weight_names(make("decoder"))
    assert "token_embedding.weight" in names
    assert "head.output.weight" not in names
    assert "head.output.weight" in weight_names(make("decoder", tie_embeddings=False))


def test_an_unknown_weight_is_refused(make):
    with pytest.raises(LabInputError, match="known_name"):
        weight_matrix(make("decoder"), "stack.layers.9.attn.q.weight")
