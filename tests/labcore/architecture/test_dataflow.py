"""A walk holds what the model computed; views cut it; sampling knobs need no second run."""

import numpy as np
import pytest
import torch

from labcore.architecture.dataflow import (
    DataflowConfig,
    draw,
    draw_many,
    next_token,
    run_model,
    view,
)
from labcore.errors import LabInputError
from labcore.model.config import MixtureOfExperts
from labcore.model.generation import next_token_probs


def config(text: str, target: str = "") -> DataflowConfig:
    return DataflowConfig("random", text, target)


def test_the_walk_ends_in_the_models_own_logits(make):
    loaded = make("decoder")
    walk = run_model(loaded, config("the cat"))
    logits = loaded.model(torch.tensor([walk.tokens.ids])).logits[0]
    # With and without a look inside sums are taken in another order, in 32 bits.
    np.testing.assert_allclose(walk.arrays["logits"], logits.detach(), atol=1e-4)


def test_tokens_carry_their_bytes(make):
    """天 is three bytes in UTF-8; each byte is a token of this alphabet and shows as itself."""
    tokens = run_model(make("decoder"), config("天")).tokens
    assert tokens.labels == ("<|bos|>", "<|zh|>", "⟨E5⟩", "⟨A4⟩", "⟨A9⟩")
    assert b"".join(tokens.pieces).decode() == "天"


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder_decoder"])
def test_every_matrix_has_a_row_per_token(make, kind):
    walk = run_model(make(kind, num_key_value_heads=2), config("the cat", target="猫"))
    for name in walk.arrays:
        matrix = view(walk, name, head=3)
        assert matrix.values.shape[0] == len(matrix.rows), name
        assert matrix.columns is None or matrix.values.shape[1] == len(matrix.columns), name


def test_a_view_is_a_slice_of_the_walk_not_a_copy(make):
    """So a knob that turns to another head costs nothing."""
    walk = run_model(make("decoder"), config("the cat"))
    matrix = view(walk, "layers.1.attn.weights", head=2)
    assert np.shares_memory(matrix.values, walk.arrays["layers.1.attn.weights"])


def test_query_heads_that_share_a_key_are_shown_the_same_one(make):
    """Four query heads over two key/value heads: 0 and 1 share the first, 2 and 3 the second."""
    walk = run_model(make("decoder", num_key_value_heads=2), config("the cat"))
    keys = [view(walk, "layers.0.attn.k", head=head).values for head in range(4)]
    np.testing.assert_array_equal(keys[0], keys[1])
    np.testing.assert_array_equal(keys[2], keys[3])
    assert not np.array_equal(keys[1], keys[2])


def test_the_stream_is_the_sum_of_what_the_blocks_said(make):
    arrays = run_model(make("decoder"), config("the cat")).arrays
    added = arrays["layers.0.attn.out"] + arrays["layers.0.mlp.out"]
    np.testing.assert_allclose(
        arrays["layers.0.resid_pre"] + added, arrays["layers.0.resid_post"], atol=1e-5
    )


def test_experts_leave_the_router_in_the_walk_but_not_their_insides(make):
    """An expert's inside has a row per token it was given, which is no picture of the text."""
    walk = run_model(make("decoder", moe=MixtureOfExperts()), config("the cat"))
    assert view(walk, "layers.0.mlp.router").values.shape == (9, 4)
    assert not any("experts" in name for name in walk.arrays)


@pytest.mark.parametrize("mark", ["[MASK]", "[mask]", "<mask>", "【?】", "【？】"])
def test_an_encoder_is_asked_where_the_mask_stands(make, mark):
    loaded = make("encoder", head="mlm")
    walk = run_model(loaded, config(f"a {mark} b"))
    assert walk.masked == (walk.position,) == (3,)  # after <|bos|>, <|en|>, "a"
    assert walk.tokens.ids[3] == loaded.tokenizer.mask_id


def test_without_a_mask_the_lesson_looks_at_the_last_token(make):
    walk = run_model(make("decoder"), config("abc"))
    assert (walk.masked, walk.position) == ((), 4)


def test_candidates_before_and_after_the_knobs(make):
    """Before: softmax of the logits. After: as `labcore.model.generation` draws them."""
    loaded = make("decoder")
    walk = run_model(loaded, config("the cat"))
    found = next_token(walk, loaded.tokenizer, temperature=0.5, top_k=3)
    logits = torch.from_numpy(walk.arrays["logits"][-1])
    np.testing.assert_allclose(found.before, logits.softmax(0)[found.ids], rtol=1e-5)
    drawn = next_token_probs(logits, temperature=0.5, top_k=3)
    np.testing.assert_allclose(found.after, drawn[found.ids], rtol=1e-5)
    assert (found.after > 0).sum() == found.kept == 3
    assert found.entropy_after_nats < found.entropy_before_nats
    assert list(found.before) == sorted(found.before, reverse=True)


def test_knobs_at_rest_change_nothing(make):
    loaded = make("decoder")
    found = next_token(run_model(loaded, config("the cat")), loaded.tokenizer)
    np.testing.assert_allclose(found.before, found.after, rtol=1e-5)
    assert found.kept == loaded.model.config.vocab_size


def test_entropy_of_a_sure_model_is_zero(make):
    loaded = make("decoder")
    found = next_token(run_model(loaded, config("x")), loaded.tokenizer, temperature=0)
    assert found.entropy_after_nats == 0


def test_draws_follow_the_distribution_that_is_shown(make):
    """400 draws of a token shown at share p: within 4·√(p(1-p)/400) of it; none of those cut off."""
    loaded = make("decoder")
    walk = run_model(loaded, config("the cat"))
    found = next_token(walk, loaded.tokenizer, temperature=0.7, top_k=4)
    drawn = [draw(walk, seed, temperature=0.7, top_k=4) for seed in range(400)]
    assert set(drawn) <= set(found.ids[:4].tolist())
    share, p = drawn.count(found.ids[0]) / 400, found.after[0]
    assert abs(share - p) < 4 * (p * (1 - p) / 400) ** 0.5
    assert draw(walk, seed=5) == draw(walk, seed=5)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"temperature": -1}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"position": 99}, "position"),
    ],
)
def test_knobs_out_of_range_are_named(make, arguments, field):
    loaded = make("decoder")
    walk = run_model(loaded, config("the cat"))
    with pytest.raises(LabInputError) as caught:
        next_token(walk, loaded.tokenizer, **arguments)
    assert caught.value.field == field


def test_views_that_do_not_exist_are_named(make):
    walk = run_model(make("decoder"), config("the cat"))
    with pytest.raises(LabInputError, match="known_name"):
        view(walk, "layers.9.attn.weights")
    with pytest.raises(LabInputError, match="head"):
        view(walk, "layers.0.attn.weights", head=4)


def test_a_model_without_a_vocabulary_cannot_name_a_token(make):
    loaded = make("encoder", head="none")
    with pytest.raises(LabInputError, match="needs_vocabulary_head"):
        next_token(run_model(loaded, config("the cat")), loaded.tokenizer)


def test_an_empty_text_is_refused_by_name(make):
    with pytest.raises(LabInputError, match="not_empty"):
        run_model(make("decoder"), config(" \n"))


def test_the_same_text_walks_the_same_way(make):
    first, again = (run_model(make("decoder"), config("twice")) for _ in range(2))
    assert first.arrays.keys() == again.arrays.keys()
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])


def test_many_draws_begin_with_the_single_one_and_follow_the_distribution(make):
    """2,000 draws at p near 0.5 have a standard error of 0.011; 0.05 is over four of them."""
    walk = run_model(make("decoder"), config("the cat"))
    tokens = draw_many(walk, 2000, seed=3, top_k=2)
    assert tokens[0] == draw(walk, seed=3, top_k=2)
    np.testing.assert_array_equal(tokens, draw_many(walk, 2000, seed=3, top_k=2))
    probabilities = next_token_probs(torch.from_numpy(walk.arrays["logits"][-1]), top_k=2)
    for token in probabilities.nonzero()[:, 0].tolist():
        assert (tokens == token).mean() == pytest.approx(float(probabilities[token]), abs=0.05)
