"""Attention of small random models: true rows, honest cuts, comparisons that refuse to lie."""

import numpy as np
import pytest

from labcore.architecture.attention_maps import (
    AttentionConfig,
    attend,
    difference,
    flow,
    looked_at_by,
    looks_at,
    pick_head,
)
from labcore.architecture.head_patterns import HeadLabel
from labcore.architecture.prompt import MAX_CHARACTERS, MAX_TOKENS
from labcore.errors import LabInputError

ODD_TEXTS = [
    "👩‍👩‍👧 🎉",
    "مرحبا بالعالم",
    "שלום",
    "x",
    "<|eos|> </s> [MASK]",
    "天" * 30,
    "a\x00b\udc80",
]


def config(text: str, target: str = "") -> AttentionConfig:
    return AttentionConfig("random", text, target)


def test_rows_sum_to_one_and_a_decoder_looks_only_back(make):
    heads = attend(make("decoder", num_key_value_heads=2), config("the cat sat")).kinds["self"]
    assert heads.weights.shape == (2, 4, 13, 13)  # <|bos|> <|en|> and eleven bytes
    np.testing.assert_allclose(heads.weights.sum(axis=-1), 1, atol=1e-5)
    assert heads.causal
    assert np.triu(heads.weights, k=1).max() == 0


def test_an_encoder_looks_both_ways(make):
    heads = attend(make("encoder", head="none"), config("the cat sat")).kinds["self"]
    assert not heads.causal
    assert heads.allowed.all()
    assert heads.queries.labels[0] == "<|bos|>"
    assert heads.queries.labels[-1] == "<|eos|>"
    assert "next_token" in heads.scores


def test_a_translator_has_three_kinds_of_attention(make):
    result = attend(make("encoder_decoder"), config("the cat", target="猫"))
    shapes = {kind: heads.weights.shape[2:] for kind, heads in result.kinds.items()}
    assert shapes == {"encoder": (9, 9), "decoder": (5, 5), "cross": (5, 9)}
    assert result.kinds["cross"].scores == {}
    assert result.kinds["decoder"].queries.labels[:2] == ("<|bos|>", "<|zh|>")
    for heads in result.kinds.values():
        np.testing.assert_allclose(heads.weights.sum(axis=-1), 1, atol=1e-5)


def test_without_a_translation_the_model_writes_its_own(make):
    """The decoder's tokens are then what the model itself would say, so each row asks about them."""
    heads = attend(make("encoder_decoder"), config("the cat")).kinds["cross"]
    assert len(heads.queries.ids) > 2


def test_a_sliding_window_is_seen_in_the_mask(make):
    heads = attend(make("decoder", sliding_window=3), config("the cat sat")).kinds["self"]
    assert heads.allowed.sum(axis=1).max() == 3


def test_the_same_text_gives_the_same_map(make):
    first, again = (attend(make("decoder"), config("twice")).kinds["self"] for _ in range(2))
    np.testing.assert_array_equal(first.weights, again.weights)
    assert first.opening == again.opening


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder_decoder"])
def test_any_text_gives_a_map(make, kind, text):
    for heads in attend(make(kind), config(text, target="好")).kinds.values():
        assert np.isfinite(heads.weights).all()
        assert len(heads.queries.labels) == heads.weights.shape[2] <= MAX_TOKENS


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "　"])
def test_an_empty_text_is_refused_by_name(make, text):
    with pytest.raises(LabInputError) as caught:
        attend(make("decoder"), config(text))
    assert (caught.value.field, caught.value.rule) == ("text", "not_empty")


def test_a_text_of_a_hundred_thousand_characters_is_cut_and_the_cut_is_counted(make):
    """Bytes are tokens here: of 2,000 characters read, 62 fit beside <|bos|> and <|en|>."""
    prompt = attend(make("decoder"), config("a" * 100_000)).kinds["self"].queries
    assert len(prompt.ids) == MAX_TOKENS
    assert prompt.dropped_tokens == MAX_CHARACTERS - (MAX_TOKENS - 2)
    assert prompt.dropped_characters == 100_000 - MAX_CHARACTERS


def test_a_text_that_fits_loses_nothing(make):
    prompt = attend(make("decoder"), config("short")).kinds["self"].queries
    assert (prompt.dropped_tokens, prompt.dropped_characters) == (0, 0)


def test_the_page_opens_on_the_best_named_head_but_not_on_an_idle_one():
    spread = np.array([[0.9, 0.2], [0.5, 0.7]])
    sink = HeadLabel(0, 0, "first_token", 0.99)
    itself = HeadLabel(0, 1, "self", 0.8)
    previous = HeadLabel(1, 1, "previous_token", 0.6)
    assert pick_head([sink, itself, previous], spread) == (1, 1)
    assert pick_head([sink], spread) == (0, 0)


def test_without_names_the_page_opens_on_the_most_focused_head():
    assert pick_head([], np.array([[0.9, 0.2], [0.5, 0.7]])) == (0, 1)
    assert pick_head([], np.full((1, 2), np.nan)) == (0, 0)


def test_one_tokens_row_and_column_are_those_of_the_map(make):
    heads = attend(make("decoder"), config("the cat")).kinds["self"]
    np.testing.assert_array_equal(looks_at(heads, 1, 2, 5), heads.weights[1, 2, 5])
    np.testing.assert_array_equal(looked_at_by(heads, 1, 2, 5), heads.weights[1, 2, :, 5])
    with pytest.raises(LabInputError, match="layer"):
        looks_at(heads, 2, 0, 0)


def test_flow_ends_at_the_input_tokens(make):
    kinds = attend(make("encoder_decoder"), config("the cat", target="猫")).kinds
    np.testing.assert_allclose(flow(kinds["encoder"]).sum(axis=-1), 1, atol=1e-5)
    with pytest.raises(LabInputError, match="self_attention_only"):
        flow(kinds["cross"])


def test_two_texts_are_subtracted_where_their_tokens_lie_over_each_other(make):
    """ "cat" and "car" differ in the last of their three bytes, at position 4 after two openings."""
    loaded = make("decoder")
    cat, car = (attend(loaded, config(text)).kinds["self"] for text in ("cat", "car"))
    found = difference(cat, car, (0, 1), (0, 1))
    assert found.changed == (4,)
    assert np.abs(found.values[:4]).max() < 1e-6  # causal: what came before cannot know
    np.testing.assert_allclose(found.values, cat.weights[0, 1] - car.weights[0, 1])


@pytest.mark.parametrize("other", ["cats", "dogs and cats", "xyzabc"])
def test_texts_that_do_not_match_are_left_side_by_side(make, other):
    """Another length, or as long but another text: a difference by position would mean nothing."""
    loaded = make("decoder")
    left, right = (attend(loaded, config(text)).kinds["self"] for text in ("kitten", other))
    assert difference(left, right, (0, 0), (0, 0)) is None


def test_two_models_of_different_depth_can_be_subtracted_head_by_head(make):
    shallow = attend(make("decoder", num_layers=1), config("the cat")).kinds["self"]
    deep = attend(make("decoder", num_layers=3), config("the cat")).kinds["self"]
    found = difference(shallow, deep, (0, 0), (2, 3))
    assert found.changed == ()
    np.testing.assert_allclose(found.values.sum(axis=-1), 0, atol=1e-5)  # rows: 1 - 1
