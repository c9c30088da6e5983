"""The world of shapes: counted by hand, painted where it says, told in words that can be read back."""

import numpy as np
import pytest
import torch

from labcore.vision import captions, tellable
from labcore.vision.patches import PATCHES, patches
from labcore.vision.pictures import (
    ABOVE,
    ALONE,
    COLOURS,
    FOILS,
    HELD_OUT,
    LEFT,
    RGB,
    SHAPES,
    SIDE,
    Scenes,
    all_scenes,
    coverage,
    draw_scenes,
    foil,
    is_held_out,
    paint,
)


def rows(scenes: Scenes) -> set[tuple]:
    table = np.column_stack([scenes.colours, scenes.shapes, scenes.relations])
    return set(map(tuple, table.tolist()))


def test_there_are_as_many_scenes_as_counting_says():
    """24 things alone, 4 of them held out; 24 · 15 · 2 with two, both different in colour and shape."""
    seen, other = all_scenes(False), all_scenes(True)
    assert len(seen) + len(other) == 24 + 24 * 15 * 2
    assert (seen.relations == ALONE).sum() == 20
    assert len(rows(seen) | rows(other)) == len(seen) + len(other)


def test_training_never_shows_what_is_held_out():
    scenes = draw_scenes(2000, np.random.default_rng(0))
    two = scenes.relations != ALONE
    assert not is_held_out(scenes.colours[:, 0], scenes.shapes[:, 0]).any()
    assert not is_held_out(scenes.colours[two, 1], scenes.shapes[two, 1]).any()
    # Yet each colour and each shape of those pairs is shown, in other company.
    for colour, shape in HELD_OUT:
        assert (scenes.colours == colour).any()
        assert (scenes.shapes == shape).any()


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_a_shape_covers_the_area_of_its_formula(shape):
    """Circle πr², square (1.7r)², cross 2·2·0.72r² − (0.72r)², triangle of height 1.75r and base 1.75r."""
    r = 5.0
    grid = np.arange(SIDE) + 0.5 - SIDE / 2
    area = coverage(grid[None, None], grid[None, :, None], np.array([shape]), np.array([r])).sum()
    expected = (
        np.pi * r**2,
        (1.7 * r) ** 2,
        1.75 * r * 1.75 * r / 2,
        4 * 0.72 * r**2 - (0.72 * r) ** 2,
    )
    assert area == pytest.approx(expected[shape], rel=0.05)


@pytest.mark.parametrize(("relation", "axis"), [(LEFT, 1), (ABOVE, 0)])
def test_the_first_thing_stands_left_or_on_top(relation, axis):
    """Where the picture is nearest to a thing's colour, on average, that thing stands."""
    pool = all_scenes(False, singles=False)
    scenes = pool[pool.relations == relation]
    pictures = paint(scenes, np.random.default_rng(0))
    where = []
    for thing in range(2):
        far = np.abs(pictures - RGB[scenes.colours[:, thing]][:, None, None]).sum(-1)
        near = (far < 0.25).sum(axis=2 if axis == 0 else 1)  # counted along the other axis
        where.append((near * np.arange(SIDE)).sum(1) / near.sum(1).clip(1))
    assert ((where[1] - where[0]) > 4).mean() > 0.99


def test_pictures_are_never_alike_and_the_seed_settles_them():
    scenes = all_scenes(False)[np.zeros(5, int)]
    one, again = (paint(scenes, np.random.default_rng(3)) for _ in range(2))
    assert (one == again).all()
    assert np.abs(one[0] - one[1]).mean() > 0.02
    assert one.min() >= 0
    assert one.max() <= 1


@pytest.mark.parametrize("kind", FOILS)
def test_a_false_caption_is_false_and_has_the_words_it_should(kind):
    scenes = all_scenes(False, singles=False)
    false = foil(scenes, kind)
    assert not (rows(scenes) - rows(all_scenes(False)))
    for language in captions.LANGUAGES:
        for at in range(0, len(scenes), 7):
            true, wrong = (captions.caption(one, at, language) for one in (scenes, false))
            assert true != wrong
            assert (sorted(true) == sorted(wrong)) == (kind != "colour")
    assert (false.colours[:, 0] != false.colours[:, 1]).all()


def test_no_two_scenes_have_the_same_caption():
    for language in captions.LANGUAGES:
        told = [
            captions.caption(part, at, language)
            for part in (all_scenes(False), all_scenes(True)) for at in range(len(part))
        ]  # fmt: skip
        assert len(set(told)) == len(told) == 744
        assert all(len(words) < captions.LONGEST for words in told)


def test_questions_have_the_answer_that_the_scene_has():
    scenes = Scenes(np.array([[0, 2]]), np.array([[0, 1]]), np.array([LEFT]))
    english = [tellable.told(scenes, 0, "en", task, 1) for task in tellable.TASKS]
    assert [one.answer for one in english] == [
        " a red circle left of a blue square", " blue", " square",
    ]  # fmt: skip
    assert tellable.told(scenes, 0, "zh", "shape", 0).question == "红色的是什么？"
    drawn = tellable.draw_told(all_scenes(False), np.random.default_rng(0))
    shares = [np.mean([one.task == task for one in drawn]) for task in tellable.TASKS]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.05)


def test_patches_are_windows_of_the_picture():
    """Against slicing by hand; without overlap, the pieces put together are the picture."""
    pictures = torch.rand(2, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0))
    cut = patches(pictures).reshape(2, PATCHES, 3, 8, 8)
    inner = pictures[1, 6:14, 10:18].permute(
        2, 0, 1
    )  # rows 8 − 2 to 8 + 6, columns 12 − 2 to 12 + 6
    assert torch.equal(cut[1, 2 * 6 + 3], inner)
    whole = patches(pictures, window=4).reshape(2, 6, 6, 3, 4, 4)
    assert torch.equal(whole.permute(0, 1, 4, 2, 5, 3).reshape(2, SIDE, SIDE, 3), pictures)


def test_the_words_of_both_languages_stand_in_one_vocabulary():
    assert len(set(captions.VOCABULARY)) == len(captions.VOCABULARY)
    assert set(COLOURS) | set(captions.SHAPE_WORDS["zh"]) <= set(captions.VOCABULARY)
    scenes = all_scenes(False)
    row = captions.rows_of([captions.caption(scenes, 30, "en")])[0]
    words = [captions.VOCABULARY[at] for at in row if at > 1]
    assert tuple(words) == captions.caption(scenes, 30, "en")
