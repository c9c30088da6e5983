"""Colours that can be seen, told apart, and that mean one thing."""

import itertools
import sys

import numpy as np
import pytest

from app import theme
from app.catalog import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# sRGB → XYZ (D65), IEC 61966-2-1; dichromats' view of linear RGB, Machado et al. 2009, severity 1.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
EYES = {
    "usual": np.eye(3),
    "protan": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deutan": np.array([[0.3673, 0.8607, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
}  # fmt: skip
FIGURES = {
    "attention": ("query", "key", "value"),
    "fate": ("kept", "dropped"),
    "curves": ("train", "validation", "learning_rate"),
    "preference": ("chosen", "rejected"),
    "before and after": ("baseline", "changed"),
    "stacks": ("pre_norm", "post_norm", "no_norm", "no_residual", "live"),
    "languages": ("zh", "en"),
}


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: (lighter + 0.05) / (darker + 0.05) of relative luminances."""
    darker, lighter = sorted((linear(one) @ XYZ[1], linear(other) @ XYZ[1]))
    return (lighter + 0.05) / (darker + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    share = XYZ @ rgb / XYZ.sum(axis=1)
    root = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def lightness(colour: str) -> float:
    return lab(linear(colour))[0]


def test_contrast_is_the_one_of_wcag():
    """Black on white is 21:1 by definition, a colour on itself 1:1."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("meaning", sorted(theme.MEANING))
def test_every_meaning_stands_out_from_both_pages(meaning):
    """WCAG 2.2, 1.4.11: graphical objects need 3:1."""
    for page in (theme.LIGHT, theme.DARK):
        assert contrast(theme.MEANING[meaning], page["background"]) >= 3


@pytest.mark.parametrize("page", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_and_links_can_be_read(page):
    """WCAG 2.2, 1.4.6 asks 7:1 for text, 1.4.3 asks 4.5:1 for what is short, such as a link."""
    for background in (page["background"], page["secondary"]):
        assert contrast(page["text"], background) >= 7
        assert contrast(page["link"], background) >= 4.5


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("figure", FIGURES)
def test_meanings_that_meet_in_a_figure_differ_for_every_eye(figure, eye):
    """A difference of 10 in CIELAB is plain to see side by side; 2.3 is the least one can see."""
    seen = [lab(np.clip(EYES[eye] @ linear(theme.MEANING[m]), 0, 1)) for m in FIGURES[figure]]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 10


def test_more_weight_is_always_further_from_the_page():
    """A map that turns back in lightness would show two weights alike."""
    light = [lightness(stop) for stop in theme.colour_map("sequential", dark=False)]
    dark = [lightness(stop) for stop in theme.colour_map("sequential", dark=True)]
    assert (np.diff(light) < -5).all()
    assert (np.diff(dark) > 5).all()


@pytest.mark.parametrize("dark", [False, True])
def test_signed_maps_turn_once_at_zero_and_match_on_both_sides(dark):
    values = np.array([lightness(stop) for stop in theme.colour_map("diverging", dark)])
    steps = np.diff(values) * (1 if dark else -1)
    middle = len(values) // 2
    assert (steps[:middle] < -5).all()
    assert (steps[middle:] > 5).all()
    assert np.abs(values - values[::-1]).max() < 6  # −x and +x are equally strong


@pytest.mark.parametrize(("dark", "page"), [(False, theme.LIGHT), (True, theme.DARK)])
def test_no_attention_looks_like_the_page(dark, page):
    assert theme.colour_map("sequential", dark)[0] == page["background"]


def test_plotly_gets_the_same_stops_evenly_spaced():
    scale = theme.colour_scale("diverging", dark=True)
    assert [stop for _, stop in scale] == list(theme.DIVERGING_DARK)
    assert [place for place, _ in scale] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])


def test_roles_without_a_meaning_take_colours_in_turn():
    assert theme.colour("query", 5) == theme.MEANING["query"]
    assert [theme.colour("", i) for i in range(8)] == [*theme.CATEGORICAL, theme.CATEGORICAL[0]]


def test_streamlits_settings_repeat_the_palette():
    """Streamlit reads its colours from a file; they must not drift from those of the figures."""
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["theme"]["chartCategoricalColors"] == list(theme.CATEGORICAL)
    for name, page in (("light", theme.LIGHT), ("dark", theme.DARK)):
        table = settings["theme"][name]
        assert table["backgroundColor"] == page["background"]
        assert table["secondaryBackgroundColor"] == page["secondary"]
        assert table["textColor"] == page["text"]
        assert table["primaryColor"] == page["primary"]
        assert table["linkColor"] == page["link"]
        assert table["borderColor"] == page["border"]
        assert set(theme.colour_map("sequential", name == "dark")) <= set(
            table["chartSequentialColors"]
        )


def test_settings_serve_thirty_learners_and_chinese_type():
    """The two settings that were measured to decide it, and SC families for every kind of text."""
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["runner"]["postScriptGC"] is False
    assert settings["server"]["fileWatcherType"] == "none"
    assert settings["server"]["address"] == "localhost"  # a cloud's own check asks there too
    for role in ("font", "headingFont", "codeFont"):
        assert "SC'" in settings["theme"][role]
