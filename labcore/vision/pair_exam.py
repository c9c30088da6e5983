"""What the two towers can tell apart: pictures and captions found again, true captions against false ones.

The false captions of "order" and "binding" use exactly the words of the true one. A tie is counted as a tie:
a bag of words gives nothing else.

Axes: M pairs of an exam, S pictures of a matrix.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.frontier.contrastive import found_at, similarity
from labcore.vision.captions import LANGUAGES
from labcore.vision.pair_model import Pair, as_tensor, caption_rows
from labcore.vision.pictures import FOILS, Scenes, all_scenes, foil, paint, stacked

SIZE = 200  # pairs of an exam, all different
SHOWN = 6  # scenes of a matrix, each beside the same with its things changed round
TIE = 1e-5  # cosines closer than this differ by the order of additions alone


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    scenes: Scenes
    pictures: np.ndarray  # (M, P, P, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    found: np.ndarray  # (2,) share of captions found by their picture, of pictures by their caption
    won: (
        np.ndarray
    )  # (3,) by FOILS: share of pictures nearer to their caption than to the false one
    tied: np.ndarray  # (3,) share that are as near to both


def exam(held_out: bool, seed: int) -> Exam:
    """Scenes with two things, no two alike, with all their pairs seen in training or one that is not."""
    rng = np.random.default_rng(seed)
    pool = all_scenes(held_out, singles=False)
    scenes = pool[rng.choice(len(pool), SIZE, replace=False)]
    return Exam(scenes, paint(scenes, rng))


def matrix_set(held_out: bool, seed: int) -> Exam:
    """Some scenes, each followed by the one in which its things have changed places."""
    rng = np.random.default_rng(seed)
    pool = all_scenes(held_out, singles=False)
    some = pool[rng.choice(len(pool), SHOWN, replace=False)]
    both = stacked(some, foil(some, "order"))
    scenes = both[np.arange(2 * SHOWN).reshape(2, SHOWN).T.ravel()]
    return Exam(scenes, paint(scenes, rng))


@torch.no_grad()
def cosines(pair: Pair, asked: Exam, language: str) -> Tensor:
    """All pictures with all captions.  -> (M, M)"""
    rows = caption_rows(asked.scenes, [language] * len(asked.scenes))
    return similarity(pair.see(as_tensor(asked.pictures)), pair.read(rows))


@torch.no_grad()
def mark(pair: Pair, asked: Exam) -> Marks:
    """The mean over both languages."""
    seen = pair.see(as_tensor(asked.pictures))
    found, won, tied = [], [], []
    for language in LANGUAGES:
        names = [language] * len(asked.scenes)
        true = pair.read(caption_rows(asked.scenes, names))
        found.append(found_at(similarity(seen, true)))
        right = F.cosine_similarity(seen, true)
        wrong = [
            F.cosine_similarity(seen, pair.read(caption_rows(foil(asked.scenes, kind), names)))
            for kind in FOILS
        ]
        won.append([float((right - other > TIE).double().mean()) for other in wrong])
        tied.append([float(((right - other).abs() <= TIE).double().mean()) for other in wrong])
    return Marks(np.mean(found, axis=0), np.mean(won, axis=0), np.mean(tied, axis=0))
