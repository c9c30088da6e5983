"""What the bundled towers see in one picture: patches, attention over them, the nearest captions.

Nobody told the eye where to look: it was only asked which caption belongs to which picture. The same eye
before training is the control: whatever pattern it shows, nothing was learnt.

Axes: L layers, H heads, N patches, P pixels a side, C captions.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from labcore import shipped
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.frontier.contrastive import similarity
from labcore.vision.captions import LANGUAGES, caption, join
from labcore.vision.pair_model import Pair, as_tensor, caption_rows
from labcore.vision.patches import patches
from labcore.vision.pictures import (
    COLOURS,
    RELATIONS,
    SHAPES,
    SIDE,
    Scenes,
    all_scenes,
    paint,
    stacked,
)

ASSET = Path(__file__).parents[2] / "assets" / "vision" / "pair.safetensors"
EYES = ("trained", "untrained")
NEAREST = 5


@lab_config
class SceneConfig:
    """A picture from the generator."""

    relation: str = "left"  # or "above", or "alone"
    first: tuple[str, str] = ("red", "circle")
    second: tuple[str, str] = ("blue", "square")
    seed: int = 0  # of places, sizes and shades

    def __post_init__(self):
        check_choices(self, {"relation": RELATIONS})
        check_limits(self, {"seed": (0, 2**31)})
        for field in ("first", "second"):
            colour, shape = getattr(self, field)
            if colour not in COLOURS or shape not in SHAPES:
                raise LabInputError(
                    field, (colour, shape), "known_choice", allowed=COLOURS + SHAPES
                )


def scene_of(config: SceneConfig) -> Scenes:
    both = config.first, config.second
    return Scenes(
        np.array([[COLOURS.index(colour) for colour, _ in both]]),
        np.array([[SHAPES.index(shape) for _, shape in both]]),
        np.array([RELATIONS.index(config.relation)]),
    )


def generated(config: SceneConfig) -> bytes:
    """The picture's pixels."""
    return as_pixels(paint(scene_of(config), np.random.default_rng(config.seed))[0])


def as_pixels(picture: np.ndarray) -> bytes:
    """(P, P, 3) in 0 to 1 -> bytes, three to a pixel"""
    return (255 * picture.clip(0, 1)).round().astype(np.uint8).tobytes()


def picture_of(pixels: bytes) -> np.ndarray:
    """-> (P, P, 3) float32 in 0 to 1"""
    if len(pixels) != SIDE * SIDE * 3:
        raise LabInputError("picture", len(pixels), "broken_picture")
    return np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE, 3).astype(np.float32) / 255


@lab_config
class SightConfig:
    pixels: bytes = generated(SceneConfig())
    eye: str = "trained"  # or "untrained", the same before its first update

    def __post_init__(self):
        check_choices(self, {"eye": EYES})
        picture_of(self.pixels)


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    picture: np.ndarray  # (P, P, 3)
    windows: np.ndarray  # (N, 8, 8, 3) what each patch shows
    weights: np.ndarray  # (L, H, N, N) attention of each patch on all
    alike: np.ndarray  # (N, N) cosines of what the patches have become
    nearest: dict[str, list[tuple[str, float, float]]]  # by language: caption, probability, cosine


@cache
def bundled_pair() -> Pair:
    """The towers of `python -m labcore.recipes.picture_pair`. Shared: read it, never train it."""
    pair = new_pair()
    weights = shipped.tensors(ASSET)
    pair.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return pair.eval().requires_grad_(False)


def new_pair() -> Pair:
    return Pair("transformer", 0.07, True, torch.Generator().manual_seed(1))


@cache
def _captions(language: str) -> tuple[list[str], torch.Tensor]:
    """Every caption of the world."""
    scenes = stacked(all_scenes(False), all_scenes(True))
    told = [join(caption(scenes, at, language), language) for at in range(len(scenes))]
    return told, caption_rows(scenes, [language] * len(scenes))


@torch.no_grad()
def look_at(config: SightConfig) -> Sight:
    picture = picture_of(config.pixels)
    pair = bundled_pair() if config.eye == "trained" else new_pair().eval()
    shown = as_tensor(picture[None])
    output = pair.eye(shown, trace=True)
    layers = pair.eye.transformer.config.num_layers
    weights = [output.trace[f"layers.{layer}.attn.weights"][0] for layer in range(layers)]
    nearest = {}
    for language in LANGUAGES:
        told, rows = _captions(language)
        cosines = similarity(pair.see(shown), pair.read(rows))[0]
        shares = (cosines / pair.temperature).softmax(dim=0)
        best = cosines.topk(NEAREST).indices.tolist()
        nearest[language] = [(told[at], float(shares[at]), float(cosines[at])) for at in best]
    hidden = output.hidden[0]
    return Sight(
        picture,
        patches(shown)[0].reshape(-1, 3, 8, 8).permute(0, 2, 3, 1).numpy(),
        torch.stack(weights).numpy(),
        similarity(hidden, hidden).numpy(),
        nearest,
    )
