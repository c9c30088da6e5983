"""A world of coloured shapes: scenes, the pictures that show them, the captions that tell them.

A scene is one shape, or two of different colour and form, one left of or above the other. A picture places
them by chance, each in a size and a shade of its own, so that no two pictures of a scene are alike. A caption
begins on the left, or on top. Four of the 24 pairs of colour and shape are never shown in training: whoever
names them has put together what it knows apart.

Axes: B scenes, 2 objects at most, P = 24 pixels a side.
"""

from dataclasses import dataclass

import numpy as np

SIDE = 24
COLOURS = ("red", "green", "blue", "yellow", "purple", "black")
SHAPES = ("circle", "square", "triangle", "cross")
FOILS = ("order", "binding", "colour")
RELATIONS = ("alone", "left", "above")
ALONE, LEFT, ABOVE = range(3)
RGB = np.array([
    (0.86, 0.12, 0.12), (0.13, 0.62, 0.18), (0.12, 0.28, 0.88), (0.95, 0.82, 0.10),
    (0.58, 0.16, 0.72), (0.08, 0.08, 0.08),
])  # fmt: skip
HELD_OUT = ((0, 1), (1, 2), (2, 3), (3, 0))  # red square, green triangle, blue cross, yellow circle
SINGLES = 0.2  # share of scenes with one object
PAPER, SHADE, NOISE = (0.86, 1.0), 0.09, 0.02  # brightness of the paper, spread of a colour


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """B scenes; of those with one object, the second column means nothing."""

    colours: np.ndarray  # (B, 2)
    shapes: np.ndarray  # (B, 2)
    relations: np.ndarray  # (B,)

    def __len__(self) -> int:
        return len(self.relations)

    def __getitem__(self, rows) -> "Scenes":
        return Scenes(self.colours[rows], self.shapes[rows], self.relations[rows])


def is_held_out(colours: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    pairs = np.zeros((len(COLOURS), len(SHAPES)), bool)
    pairs[tuple(zip(*HELD_OUT, strict=True))] = True
    return pairs[colours, shapes]


def all_scenes(held_out: bool, singles: bool = True) -> Scenes:
    """Every scene without a pair that is held out, or every scene with one.

    >>> len(all_scenes(False, singles=False)), len(all_scenes(True, singles=False))
    (504, 216)
    """
    rows = [
        (c1, c2, s1, s2, relation)
        for relation in ((ALONE, LEFT, ABOVE) if singles else (LEFT, ABOVE))
        for c1 in range(len(COLOURS)) for s1 in range(len(SHAPES))
        for c2 in range(len(COLOURS)) for s2 in range(len(SHAPES))
        if (relation == ALONE and (c1, s1) == (c2, s2))
        or (relation != ALONE and c1 != c2 and s1 != s2)
    ]  # fmt: skip
    table = np.array(rows)
    scenes = Scenes(table[:, :2], table[:, 2:4], table[:, 4])
    return scenes[is_held_out(scenes.colours, scenes.shapes).any(axis=1) == held_out]


def draw_scenes(count: int, rng: np.random.Generator, held_out: bool = False) -> Scenes:
    """Some scenes by chance, a fifth of them with one object."""
    pool = all_scenes(held_out)
    alone = pool.relations == ALONE
    weight = np.where(alone, SINGLES / alone.sum(), (1 - SINGLES) / (~alone).sum())
    return pool[rng.choice(len(pool), count, p=weight)]


def stacked(first: Scenes, second: Scenes) -> Scenes:
    return Scenes(
        np.concatenate([first.colours, second.colours]),
        np.concatenate([first.shapes, second.shapes]),
        np.concatenate([first.relations, second.relations]),
    )


def foil(scenes: Scenes, kind: str) -> Scenes:
    """Scenes that are nearly these: whose captions use the same words in another order, or one other colour.

    order: both things change places. binding: their colours do. colour: the first thing gets another colour.
    """
    colours, shapes = scenes.colours.copy(), scenes.shapes.copy()
    if kind == "order":
        colours, shapes = colours[:, ::-1], shapes[:, ::-1]
    elif kind == "binding":
        colours = colours[:, ::-1]
    else:
        step = np.ones(len(scenes), int)
        while (clash := (colours[:, 0] + step) % len(COLOURS) == colours[:, 1]).any():
            step = step + clash
        colours[:, 0] = (colours[:, 0] + step) % len(COLOURS)
    return Scenes(colours, shapes, scenes.relations)


def paint(scenes: Scenes, rng: np.random.Generator) -> np.ndarray:
    """One picture of each scene.  -> (B, P, P, 3) float32 in 0 to 1"""
    count = len(scenes)
    radius = rng.uniform(3.6, 5.2, (count, 2))
    centre = places(scenes.relations, rng)  # (B, 2 objects, 2: x, y)
    paper = rng.uniform(*PAPER, (count, 1)) + rng.uniform(-0.03, 0.03, (count, 3))
    picture = np.broadcast_to(paper[:, None, None, :], (count, SIDE, SIDE, 3)).copy()
    grid = np.arange(SIDE) + 0.5
    for which in range(2):
        x = grid[None, None, :] - centre[:, which, 0, None, None]
        y = grid[None, :, None] - centre[:, which, 1, None, None]
        cover = coverage(x, y, scenes.shapes[:, which], radius[:, which])
        if which:
            cover = cover * (scenes.relations != ALONE)[:, None, None]
        shade = RGB[scenes.colours[:, which]] + rng.uniform(-SHADE, SHADE, (count, 3))
        picture += cover[..., None] * (shade[:, None, None, :] - picture)
    picture += rng.normal(0, NOISE, picture.shape)
    return picture.clip(0, 1).astype(np.float32)


def places(relations: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where the middles are.  (B,) -> (B, 2, 2)"""
    count = len(relations)
    along = np.stack([rng.uniform(5.2, 7.2, count), rng.uniform(16.8, 18.8, count)], axis=1)
    middle = rng.uniform(6.5, SIDE - 6.5, (count, 1))
    across = middle + rng.uniform(-1.5, 1.5, (count, 2))
    centre = np.stack([along, across], axis=-1)  # left: x along, y across
    above = relations == ABOVE
    centre[above] = centre[above][..., ::-1]
    alone = relations == ALONE
    centre[alone, 0] = rng.uniform(5.5, SIDE - 5.5, (int(alone.sum()), 2))
    return centre


def coverage(x: np.ndarray, y: np.ndarray, shapes: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How much of each pixel a shape covers: half where its edge runs through the middle.

    (B, 1, P), (B, P, 1), (B,), (B,) -> (B, P, P)
    """
    r = radius[:, None, None]
    ax, ay = np.abs(x), np.abs(y)
    arm = 0.36 * r
    outside = (
        np.sqrt(x**2 + y**2) - r,
        np.maximum(ax, ay) - 0.85 * r,
        np.maximum(y - 0.75 * r, 0.894 * ax - 0.447 * (y + r)),  # tip above, base below
        np.minimum(np.maximum(ax - r, ay - arm), np.maximum(ay - r, ax - arm)),
    )  # distances to the edge, negative inside; about so at corners
    chosen = np.select([(shapes == at)[:, None, None] for at in range(len(SHAPES))], outside)
    return (0.5 - chosen).clip(0, 1)
