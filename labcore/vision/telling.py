"""The bundled picture reader at work: it tells a picture, answers a question, and shows where it looked.

Each word is written while the language model looks back on all that stands before it: the picture's nine
places, the question, its own words. How much of that look falls on each place is the map over the picture.

Axes: T tokens written, L layers, H heads, W soft words.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from labcore import shipped
from labcore.configs import lab_config
from labcore.errors import check_choices
from labcore.model.generation import next_token_probs
from labcore.vision.captions import LANGUAGES
from labcore.vision.looking import SceneConfig, bundled_pair, generated, picture_of
from labcore.vision.pair_model import as_tensor
from labcore.vision.picture_reader import (
    LONGEST_ANSWER,
    OPENING,
    SOFT_WORDS,
    PictureReader,
    opening,
)

ASSET = Path(__file__).parents[2] / "assets" / "vision" / "reader.safetensors"
BUNDLED_MODE = "full"
SHOWN = ("picture", "blank", "shuffled")  # what the reader is given
CANDIDATES = 4


@lab_config
class TellConfig:
    pixels: bytes = generated(SceneConfig())
    question: str = ""  # empty: tell the picture
    language: str = "en"
    given: str = "picture"  # or a blank sheet, or the picture's patches in another order

    def __post_init__(self):
        check_choices(self, {"language": LANGUAGES, "given": SHOWN})
        picture_of(self.pixels)


@dataclass(frozen=True, slots=True, eq=False)
class Telling:
    picture: np.ndarray  # (P, P, 3) what was given
    text: str
    tokens: list[str]  # as written, the end not counted
    candidates: list[list[tuple[str, float]]]  # for each token, what else could have come
    weights: np.ndarray  # (T, L, H, W) of each token, when it was chosen, on the picture's places
    ended: bool  # by itself, not by the limit


@cache
def bundled_reader() -> PictureReader:
    """The reader of `python -m labcore.recipes.picture_reader`. Shared: read it, never train it."""
    reader = PictureReader(bundled_pair().eye, BUNDLED_MODE, torch.Generator().manual_seed(0))
    kept = {name: weight.float() for name, weight in shipped.tensors(ASSET).items()}
    missing = set(reader.trained()) ^ set(kept)
    if missing:
        raise ValueError(f"not the weights of this reader: {sorted(missing)}")
    reader.load_state_dict(kept, strict=False)
    return reader.eval().requires_grad_(False)


@torch.no_grad()
def tell(config: TellConfig, reader: PictureReader | None = None) -> Telling:
    """Write the likeliest token, again and again, up to the end."""
    reader = reader or bundled_reader()
    tokenizer = reader.tokenizer
    picture = given_picture(config)
    soft = reader.soft_words(as_tensor(picture[None]))
    if config.given == "shuffled":
        order = torch.randperm(SOFT_WORDS, generator=torch.Generator().manual_seed(0))
        soft = soft[:, order]
    row = [*opening(tokenizer, config.language), *[tokenizer.pad_id] * SOFT_WORDS]
    row += tokenizer.encode(config.question)
    layers = reader.writer.config.num_layers
    written, candidates, weights, ended = [], [], [], False
    while len(written) < LONGEST_ANSWER and not ended:
        output = reader.read(torch.tensor([[*row, *written]]), soft, trace=True)
        probs = next_token_probs(output.logits[0, -1])
        best = probs.topk(CANDIDATES)
        token = int(best.indices[0])
        ended = token == tokenizer.eos_id
        if not ended:
            written.append(token)
            candidates.append(
                [(tokenizer.label(int(i)), float(p)) for p, i in zip(*best, strict=True)]
            )
            weights.append(torch.stack([
                output.trace[f"layers.{layer}.attn.weights"][0, :, -1, OPENING : OPENING + SOFT_WORDS]
                for layer in range(layers)
            ]))  # fmt: skip
    maps = torch.stack(weights).numpy() if weights else np.zeros((0, layers, 4, SOFT_WORDS))
    return Telling(
        picture, tokenizer.decode(written).strip(), [tokenizer.label(token) for token in written],
        candidates, maps, ended,
    )  # fmt: skip


def given_picture(config: TellConfig) -> np.ndarray:
    picture = picture_of(config.pixels)
    return np.full_like(picture, 0.93) if config.given == "blank" else picture
