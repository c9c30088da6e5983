"""A learner's own picture: a file that strangers may have made, or a drawing. Checked, then made very small.

What a file claims is looked at before anything is unpacked: how many bytes it has, which format, how many
pixels it says it will unpack to. A bomb (a few kilobytes that become gigabytes) is refused by what its header
says. Of what is unpacked only 24 × 24 colours are kept, so that nothing else in the file reaches the page: no
name, no comment, no script.

Axes: P = 24 pixels a side.
"""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from labcore.errors import LabInputError
from labcore.vision.pictures import COLOURS, RGB, SIDE, coverage

MOST_BYTES = 4_000_000
MOST_PIXELS = 16_000_000  # a phone's photograph; as colours, 48 MB
FEWEST_SIDE = 8
MOST_RATIO = 8  # long side over short side: of a strip, the middle shows nothing
FORMATS = ("PNG", "JPEG")
ENDINGS = ("png", "jpg", "jpeg")
ERASED = len(COLOURS)  # the last colour of a drawing's palette: the paper
PALETTE = np.vstack([RGB, [(0.95, 0.95, 0.95)]])


def read_picture(data: bytes) -> np.ndarray:
    """The middle square of a PNG or JPEG, made small.  -> (P, P, 3) float32 in 0 to 1

    Raises LabInputError("picture", …): "too_many_bytes", "picture_format", "too_many_pixels",
    "too_few_pixels", "broken_picture".
    """
    if not data:
        raise LabInputError("picture", 0, "broken_picture")
    if len(data) > MOST_BYTES:
        raise LabInputError("picture", len(data), "picture_bytes", limit=MOST_BYTES // 1_000_000)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:  # reads the header only
            check_size(*image.size)
            image.draft(
                "RGB", (4 * SIDE, 4 * SIDE)
            )  # JPEG: unpack a smaller version, if there is one
            upright = ImageOps.exif_transpose(image)
            return small(upright)
    except LabInputError:
        raise
    except UnidentifiedImageError:
        raise LabInputError("picture", len(data), "picture_format") from None
    except Image.DecompressionBombError:
        raise LabInputError(
            "picture", len(data), "picture_pixels", limit=MOST_PIXELS // 1_000_000
        ) from None
    except Exception:
        raise LabInputError("picture", len(data), "broken_picture") from None


def check_size(width: int, height: int) -> None:
    """Refuse by what the header says."""
    size = f"{width} × {height}"
    if width * height > MOST_PIXELS:
        raise LabInputError("picture", size, "picture_pixels", limit=MOST_PIXELS // 1_000_000)
    if min(width, height) < FEWEST_SIDE:
        raise LabInputError("picture", size, "picture_small", limit=FEWEST_SIDE)
    if max(width, height) > MOST_RATIO * min(width, height):
        raise LabInputError("picture", size, "picture_strip", limit=MOST_RATIO)


def small(image: Image.Image) -> np.ndarray:
    """White paper behind what is transparent, the middle square, mean colours.  -> (P, P, 3)"""
    square = ImageOps.fit(image.convert("RGBA"), (SIDE, SIDE), Image.Resampling.BOX)
    paper = Image.new("RGBA", square.size, "white")
    colours = Image.alpha_composite(paper, square).convert("RGB")
    return np.asarray(colours, np.float32) / 255


def read_drawing(cells: str) -> np.ndarray:
    """A drawing: one digit for each of 24 × 24 squares, a place in the palette.  -> (P, P, 3)

    >>> read_drawing("6" * 576).shape
    (24, 24, 3)
    """
    if len(cells) != SIDE**2 or not set(cells) <= set("0123456"):
        raise LabInputError("drawing", len(cells), "drawing_cells", expected=SIDE**2)
    places = np.array([int(cell) for cell in cells]).reshape(SIDE, SIDE)
    return PALETTE[places].astype(np.float32)


def css_palette() -> list[str]:
    """The colours of a drawing, as a browser writes them."""
    return [f"rgb({r},{g},{b})" for r, g, b in (255 * PALETTE).round().astype(int).tolist()]


def as_png(picture: np.ndarray, scale: int = 1) -> bytes:
    """The picture as a file that we have written ourselves: what is sent to the page.  (P, P, 3)"""
    pixels = (np.asarray(picture).clip(0, 1) * 255).round().astype(np.uint8)
    image = Image.fromarray(pixels).resize((scale * SIDE, scale * SIDE), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _example() -> str:
    """A drawing to begin with: a red circle left of a blue square."""
    cells = np.full((SIDE, SIDE), ERASED)
    grid = np.arange(SIDE) + 0.5
    for colour, shape, x in ((0, 0, 6.5), (2, 1, 17.5)):
        across, down = grid[None, None, :] - x, grid[None, :, None] - SIDE / 2
        cells[coverage(across, down, np.array([shape]), np.array([4.4]))[0] > 0.5] = colour
    return "".join(map(str, cells.ravel()))


EXAMPLE = _example()
