"""The letters on which encodings are compared: same targets at every length, an exact price for each."""

import math

import numpy as np
import pytest
import torch

from labcore.architecture import positions_text as lab
from labcore.errors import LabInputError
from labcore.text.world import split_of


@pytest.fixture(scope="module")
def letters():
    return lab.letters("en")


def test_longer_windows_with_the_same_ends_ask_for_the_same_letters():
    """A stream of its own indices: the window of 3 that ends at 9 reads 6, 7, 8 and is asked for 7, 8, 9."""
    stream, ends = torch.arange(20), torch.tensor([9, 12])
    short, long = lab.windows(stream, ends, 3), lab.windows(stream, ends, 6)
    assert short.tokens.tolist() == [[6, 7, 8], [9, 10, 11]]
    assert short.targets.tolist() == [[7, 8, 9], [10, 11, 12]]
    assert torch.equal(long.targets[:, -3:], short.targets)
    assert torch.equal(long.tokens[:, -3:], short.tokens)


def test_random_windows_stay_inside_the_stream_and_follow_the_seed():
    stream = torch.arange(12)

    def drawn(seed):
        batches = lab.random_windows(stream, 5, 64, seed)
        return torch.cat([next(batches).targets for _ in range(3)])

    assert drawn(0).min() == 1  # the first window begins at the first token
    assert drawn(0).max() == 11
    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))


def test_no_held_out_story_is_trained_on():
    assert all(split_of(story.text) == "held_out" for story in lab.told("en", "held_out"))
    some = (story for _, story in zip(range(50), lab.told("en", "train"), strict=False))
    assert all(split_of(story.text) == "train" for story in some)


def test_every_held_out_letter_has_its_exact_price(letters):
    """A story begins with two certain tokens; the price of the rest is that of the world itself."""
    world = lab.world_of_letters()
    first = world.story_ids(next(lab.told("en", "held_out")))
    assert letters.held_out[: len(first)].tolist() == first
    assert letters.held_out_nats[:2].tolist() == [0.0, 0.0]
    told = world.sequence_nats(first)
    assert letters.held_out_nats[2 : len(first)] == pytest.approx(told[1:])
    # The first of the two certain tokens costs the world ln 2: it tosses a coin for the language.
    assert told[0] == pytest.approx(math.log(2))
    assert len(letters.held_out_nats) == len(letters.held_out)
    assert np.isfinite(letters.held_out_nats).all()


def test_a_language_that_the_world_does_not_speak_is_refused():
    with pytest.raises(LabInputError) as error:
        lab.letters("fr")
    assert error.value.field == "language"
