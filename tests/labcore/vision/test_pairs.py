"""Contrastive training: the loss with hard negatives, what a bag cannot tell, and the recorded figures."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.frontier.contrastive import contrastive_loss
from labcore.vision import looking
from labcore.vision.pair_exam import exam, mark, matrix_set
from labcore.vision.pair_model import Pair, as_tensor, caption_rows
from labcore.vision.pair_training import (
    PairConfig,
    draw_batch,
    learn,
    with_hard_negatives,
)
from labcore.vision.pictures import ALONE, all_scenes, foil

QUICK = {"steps": 3, "batch_size": 8}


def test_without_hard_negatives_it_is_clips_loss():
    cosines = torch.rand(5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(with_hard_negatives(cosines, 0.07), contrastive_loss(cosines, 0.07))


def test_with_hard_negatives_a_picture_chooses_among_all_a_caption_among_pictures():
    """Written out with log-softmax by hand."""
    cosines = torch.rand(4, 9, generator=torch.Generator().manual_seed(1)).double()
    scaled = (cosines / 0.2).numpy()
    rows = [np.log(np.exp(scaled[i]).sum()) - scaled[i, i] for i in range(4)]
    columns = [np.log(np.exp(scaled[:, i]).sum()) - scaled[i, i] for i in range(4)]
    expected = (np.mean(rows) + np.mean(columns)) / 2
    assert float(with_hard_negatives(cosines, 0.2)) == pytest.approx(expected)


def test_no_scene_comes_twice_in_a_batch():
    scenes = draw_batch(all_scenes(False), 128, np.random.default_rng(0))
    table = np.column_stack([scenes.colours, scenes.shapes, scenes.relations])
    assert len(np.unique(table, axis=0)) == 128


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["order", "binding"])
def test_a_bag_gives_the_same_words_the_same_vector_whatever_its_weights(language, kind):
    scenes = all_scenes(False, singles=False)[:40]
    names = [language] * 40
    for reader, alike in (("bag", True), ("transformer", False)):
        pair = Pair(reader, 0.07, True, torch.Generator().manual_seed(5))
        true, false = (pair.read(caption_rows(one, names)) for one in (scenes, foil(scenes, kind)))
        near = F.cosine_similarity(true, false)
        assert bool((near > 1 - 1e-5).all()) == alike


def test_the_bags_ties_are_counted_as_ties():
    pair = Pair("bag", 0.07, True, torch.Generator().manual_seed(0))
    marks = mark(pair, exam(False, 1))
    assert marks.tied[:2] == pytest.approx([1, 1])
    assert marks.won[:2] == pytest.approx([0, 0])
    assert marks.tied[2] < 0.1


def test_the_exam_of_held_out_pairs_holds_one_in_each_scene():
    asked = exam(True, 0)
    assert (
        len(
            np.unique(
                np.column_stack(
                    [asked.scenes.colours, asked.scenes.shapes, asked.scenes.relations]
                ),
                axis=0,
            )
        )
        == 200
    )
    shown = matrix_set(True, 0).scenes
    assert (shown.relations != ALONE).all()
    assert (shown.colours[0::2] == shown.colours[1::2, ::-1]).all()
    assert (shown.shapes[0::2] == shown.shapes[1::2, ::-1]).all()


def test_a_run_is_settled_by_its_config():
    one, again = (drain(learn(PairConfig(**QUICK))) for _ in range(2))
    assert (one.losses == again.losses).all()
    assert one.matrices.shape == (2, 2, 12, 12)
    assert one.steps.tolist() == [1, 3]
    assert np.abs(one.matrices).max() <= 1 + 1e-6
    other = drain(learn(PairConfig(seed=1, **QUICK)))
    assert (one.losses != other.losses).any()


def test_the_first_loss_is_about_the_logarithm_of_what_is_chosen_among():
    """Before training all cosines are much alike; a fixed temperature of 1 makes them count as alike."""
    plain = drain(learn(PairConfig(temperature=1.0, learned=False, **QUICK)))
    assert plain.losses[0] == pytest.approx(np.log(8), abs=0.1)
    assert plain.temperatures.tolist() == pytest.approx([1, 1])
    hard = drain(learn(PairConfig(temperature=1.0, learned=False, negatives="hard", **QUICK)))
    assert hard.losses[0] > plain.losses[0] + 0.2


@pytest.mark.parametrize(
    "bad",
    [
        {"reader": "rnn"}, {"negatives": "none"}, {"batch_size": 2}, {"batch_size": 129},
        {"temperature": 0.0}, {"temperature": float("nan")}, {"steps": 0}, {"learning_rate": 2.0},
    ],
)  # fmt: skip
def test_bad_settings_are_refused(bad):
    with pytest.raises(LabInputError):
        PairConfig(**bad)


def test_the_bundled_towers_are_as_good_as_the_page_says():
    """Remade by `python -m labcore.recipes.picture_pair`; pictures that no training has shown."""
    marks = [mark(looking.bundled_pair(), exam(held_out, 7)) for held_out in (False, True)]
    assert marks[0].found.min() > 0.8
    assert marks[1].found.min() > 0.45
    assert marks[0].won.min() > 0.95


def test_the_nearest_caption_of_the_opening_picture_is_its_own():
    sight = looking.look_at(looking.SightConfig())
    assert sight.nearest["en"][0][0] == "a red circle left of a blue square"
    assert sight.nearest["zh"][0][0] == "红色的圆形在蓝色的方块左边"
    assert np.allclose(sight.weights.sum(-1), 1, atol=1e-5)
    blind = looking.look_at(looking.SightConfig(eye="untrained"))
    assert blind.nearest["en"][0][1] < 0.5


def test_pixels_survive_the_way_there_and_back():
    pixels = looking.generated(looking.SceneConfig())
    assert looking.as_pixels(looking.picture_of(pixels)) == pixels
    with pytest.raises(LabInputError):
        looking.SightConfig(pixels[:-1])
    with pytest.raises(LabInputError):
        looking.SceneConfig(first=("mauve", "circle"))


def test_the_eye_has_no_mask_and_places_of_its_own():
    """Every patch sees every other, and the same patches in other places give another vector."""
    pair = Pair("transformer", 0.07, True, torch.Generator().manual_seed(0)).eval()
    picture = torch.rand(1, 24, 24, 3, generator=torch.Generator().manual_seed(0))
    seen = pair.eye(picture, trace=True)
    assert (seen.trace["layers.0.attn.weights"] > 0).all()
    turned = picture.flip(2)
    assert not torch.allclose(pair.see(picture), pair.see(turned), atol=1e-3)
    assert as_tensor(np.zeros((1, 24, 24, 3))).dtype == torch.float32
