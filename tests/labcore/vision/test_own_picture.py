"""A learner's own picture: what hostile files come to, and that only colours are kept."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from labcore.errors import LabInputError
from labcore.vision import own_picture as lab
from labcore.vision.pictures import SIDE


def a_file(image: Image.Image, format: str = "PNG", **more) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **more)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG whose header claims a size, whatever it holds."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_picture_keeps_its_colours(format, mode):
    """Left half dark, right half light, in whatever mode: so it comes out."""
    picture = Image.new(mode, (96, 96), "black")
    picture.paste(Image.new(mode, (48, 96), "white"), (48, 0))
    small = lab.read_picture(a_file(picture, format))
    assert small.shape == (SIDE, SIDE, 3)
    assert small.dtype == np.float32
    assert small[:, : SIDE // 2 - 1].max() < 0.1
    assert small[:, SIDE // 2 + 1 :].min() > 0.9


def test_the_middle_square_is_taken_and_paper_laid_behind():
    wide = Image.new("RGBA", (90, 30), (0, 0, 0, 0))  # clear all over
    wide.paste((255, 0, 0, 255), (30, 0, 60, 30))
    assert np.allclose(lab.read_picture(a_file(wide)), [1, 0, 0], atol=0.01)
    assert np.allclose(lab.read_picture(a_file(Image.new("RGBA", (30, 30), (9, 9, 9, 0)))), 1)


def test_a_photograph_stands_upright():
    """EXIF orientation 6: the sensor lay on its side, so what it wrote at the left belongs at the top."""
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste((0, 0, 255), (0, 0, 20, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    small = lab.read_picture(a_file(picture, "PNG", exif=exif))
    assert small[0].mean(axis=0)[0] < 0.1  # blue along the top
    assert small[-1].mean() > 0.9


def refused(data: bytes) -> str:
    with pytest.raises(LabInputError) as caught:
        lab.read_picture(data)
    assert caught.value.field == "picture"
    return caught.value.rule


def test_a_bomb_is_refused_by_its_header_alone(monkeypatch):
    """20,000 × 20,000 colours would be 1.2 GB; a decoder that would tell shows that none is unpacked."""

    def never(*_):
        raise AssertionError("unpacked")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", never)
    assert refused(png_claiming(20_000, 20_000, b"\0" * 1_000_000)) == "picture_pixels"
    assert refused(png_claiming(4001, 4000)) == "picture_pixels"


def test_a_claim_beyond_what_pillow_itself_allows_is_refused_too():
    assert refused(png_claiming(2_000_000, 2_000_000)) == "picture_pixels"


def test_a_text_that_unpacks_to_a_hundred_megabytes_is_refused():
    image = Image.new("RGB", (32, 32))
    data = a_file(image)
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * 100_000_000, 9))
    assert refused(data[:33] + bomb + data[33:]) == "broken_picture"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "broken_picture"),
        (b"\0" * (lab.MOST_BYTES + 1), "picture_bytes"),
        (b"not a picture", "picture_format"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "picture_format",
        ),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "picture_format"),
        (a_file(Image.new("RGB", (64, 64)), "GIF"), "picture_format"),
        (a_file(Image.new("RGB", (64, 64)), "BMP"), "picture_format"),
        (a_file(Image.new("RGB", (4, 64))), "picture_small"),
        (a_file(Image.new("RGB", (900, 100))), "picture_strip"),
        (png_claiming(64, 64, b"\0" * 50), "broken_picture"),
    ],
)
def test_what_cannot_be_used_is_refused(data, rule):
    assert refused(data) == rule


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_cut_off_anywhere_it_is_read_whole_or_refused(format):
    """No cut may get past as another error: the page would say that it broke."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8))
    data = a_file(picture, format)
    rules = {refused(data[:cut]) for cut in range(1, len(data) - 20, 37)}
    assert rules <= {"broken_picture", "picture_format"}


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_bytes_changed_by_chance_never_break_out(format):
    rng = np.random.default_rng(1)
    data = a_file(Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)), format)
    for _ in range(150):
        spoilt = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            spoilt[at] = rng.integers(0, 256)
        try:
            picture = lab.read_picture(bytes(spoilt))
        except LabInputError:
            continue
        assert picture.shape == (SIDE, SIDE, 3)
        assert np.isfinite(picture).all()


def test_script_in_the_comments_goes_nowhere():
    """The only thing that leaves is colours; written out again, none of the file's words are in it."""
    note = PngImagePlugin.PngInfo()
    note.add_text("Title", "<script>alert(1)</script>")
    data = a_file(Image.new("RGB", (48, 48), "red"), pnginfo=note)
    assert b"script" in data
    again = lab.as_png(lab.read_picture(data))
    assert b"script" not in again
    assert np.allclose(lab.read_picture(lab.as_png(lab.read_picture(data), scale=2)), [1, 0, 0])


def test_a_drawing_is_its_palette():
    cells = ["6"] * SIDE**2
    cells[SIDE + 2] = "0"
    picture = lab.read_drawing("".join(cells))
    assert np.allclose(picture[1, 2], lab.PALETTE[0])
    assert np.allclose(picture[0, 0], lab.PALETTE[6])


@pytest.mark.parametrize(
    "cells", ["", "6" * 575, "7" * 576, "<script>".ljust(576, "6"), "六" * 576]
)
def test_what_is_no_drawing_is_refused(cells):
    with pytest.raises(LabInputError, match="drawing_cells"):
        lab.read_drawing(cells)
