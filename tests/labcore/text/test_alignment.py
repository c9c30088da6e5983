"""The true alignment of a translation pair: what the grammar told from the same decision."""

import pytest
import torch

from labcore.architecture.build_train_corpus import world
from labcore.text.alignment import aligned_pair, aligned_pairs
from labcore.text.world import pair_teller, sample_pair, split_of


def test_a_pair_worked_by_hand():
    """Two decisions, the weekday and the number; `一个` and `只` belong to no English word but the frame.

    The animal's measure word is told from the animal, so it aligns with the animal's name.
    """
    words = [
        ("<|en|>", None), ("One", None), (" Thursday", "weekday"), (",", None), (" she", "hero"),
        (" saw", None), (" only", None), (" four", "number"), (" owls", "animal"), (".", None),
        ("<|eos|>", None), ("<|bos|>", None), ("<|zh|>", None), ("有", None), ("一", None),
        ("个", None), ("星期四", "weekday"), ("，", None), ("她", "hero"), ("只", None),
        ("看见", None), ("四", "number"), ("只", "animal"), ("猫头鹰", "animal"), ("。", None),
        ("<|eos|>", None),
    ]  # fmt: skip
    aligned = aligned_pair(world(), words)
    label = world().tokenizer.label
    found = {
        label(aligned.target[row]): [label(aligned.source[c]) for c in aligned.truth[row].nonzero()[0]]
        for row in range(len(aligned.target))
        if aligned.truth[row].any()
    }  # fmt: skip
    assert found["星期四"] == ["␣Thursday"]
    assert found["她"] == ["␣she"]
    assert found["四"] == ["␣four"]
    assert "␣owls" in found["只"]
    assert aligned.pair.en == "One Thursday, she saw only four owls."


def test_an_aligned_pair_is_the_pair_that_the_world_tells():
    """The same generator gives the same pairs, and their ids are those of `pair_ids`."""
    told = [sample_pair(rng) for rng in [torch.Generator().manual_seed(3)] for _ in range(20)]
    rng = torch.Generator().manual_seed(3)
    for pair in told:
        aligned = aligned_pair(world(), pair_teller().tell_why(rng))
        assert aligned.pair == pair
        assert (aligned.source, aligned.target) == world().pair_ids(pair)


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_rows_and_columns_speak_of_decisions_only(split):
    """A marked row opens a word of some decision, and special tokens are never marked."""
    specials = {world().tokenizer.special_id(n) for n in world().tokenizer.special_tokens}
    pairs = aligned_pairs(world(), 20, torch.Generator().manual_seed(0), split)
    for pair in pairs:
        assert split_of(pair.pair.en) == split
        assert pair.truth.shape == (len(pair.target), len(pair.source))
        for row, variable in enumerate(pair.variables):
            assert variable is not None or not pair.truth[row].any()
            assert pair.target[row] not in specials or not pair.truth[row].any()
        for column in pair.truth.any(axis=0).nonzero()[0]:
            assert pair.source[column] not in specials
