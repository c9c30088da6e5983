"""The palette, by meaning: a colour says the same thing in every figure of the lab.

Seven hues after Okabe and Ito (https://jfly.uni-koeln.de/color/), shifted in lightness until each one
stands out at 3:1 or better (WCAG 2.2, 1.4.11) from both backgrounds, so one colour serves the light and
the dark theme.  Meanings that meet in one figure have different hues; meanings that never meet may share.

>>> from app import theme
>>> theme.MEANING["query"]
'#0f6cb3'
>>> theme.colour_map("sequential", dark=False)[0]  # no attention looks like the page itself
'#fdfcf9'
"""

from __future__ import annotations

from typing import Literal

Hex = str

BLUE, AMBER, GREEN, VERMILION = "#0f6cb3", "#c08400", "#078a68", "#c4431c"
PURPLE, SKY, GRAY = "#b4559a", "#4596c8", "#747a85"

# Backgrounds and text, the same numbers as in .streamlit/config.toml (a test compares).
LIGHT = {
    "background": "#fdfcf9",
    "secondary": "#f3f1ea",
    "text": "#1f2430",
    "border": "#dedacf",
    "primary": BLUE,
    "link": "#0b5c9a",
}
DARK = {
    "background": "#14171c",
    "secondary": "#1e232b",
    "text": "#e6e8eb",
    "border": "#343b46",
    "primary": SKY,
    "link": "#7fc1e8",
}

MEANING: dict[str, Hex] = {
    # attention
    "query": BLUE,
    "key": AMBER,
    "value": GREEN,
    # what happens to an item: a token, a document, a weight, a guess
    "kept": GREEN,
    "dropped": VERMILION,
    # curves
    "train": BLUE,
    "validation": VERMILION,
    "expected": GRAY,
    "floor": GRAY,
    "uniform": SKY,
    "learning_rate": AMBER,
    "gradient": PURPLE,
    "reward": GREEN,
    "divergence": PURPLE,
    "guess": AMBER,
    # before and after, without and with
    "baseline": GRAY,
    "changed": BLUE,
    "chosen": GREEN,
    "rejected": VERMILION,
    # where memory and time go
    "parameters": BLUE,
    "gradients": PURPLE,
    "optimizer": AMBER,
    "activations": GREEN,
    "cache": SKY,
    "communication": VERMILION,
    "idle": GRAY,
    # processes of one run, beside what all of them make together ("train")
    "rank_0": AMBER,
    "rank_1": GREEN,
    "rank_2": PURPLE,
    "rank_3": SKY,
    # what a formula says, and what was measured
    "formula": GRAY,
    "measured": BLUE,
    # the passes of a pipeline
    "forward": BLUE,
    "backward": AMBER,
    "weight_gradient": GREEN,
    # how a stack is built; a run of one's own beside recorded ones
    "pre_norm": BLUE,
    "post_norm": VERMILION,
    "no_norm": GREEN,
    "no_residual": PURPLE,
    "live": AMBER,
    # positional encodings, and RoPE's cures ("none": without)
    "rope": BLUE,
    "alibi": GREEN,
    "t5": SKY,
    "none": GRAY,
    "sinusoidal": AMBER,
    "learned": VERMILION,
    "linear": VERMILION,
    "ntk": PURPLE,
    "yarn": GREEN,
    # optimisers
    "sgd": AMBER,
    "adamw": BLUE,
    "lion": GREEN,
    "muon": PURPLE,
    # forms of a scaling law: its floor fitted, known, left out
    "law_free": BLUE,
    "law_known": GREEN,
    "law_none": VERMILION,
    # how a budget is shared out, by whose law; four small models, with experts and without
    "approach1": BLUE,
    "approach2": SKY,
    "approach3": GREEN,
    "printed": AMBER,
    "epoch": VERMILION,
    "kaplan": GRAY,
    "dense": GRAY,
    "moe": BLUE,
    "free": VERMILION,
    "wide": GREEN,
    # number formats, and the fields of a number
    "fp32": GRAY,
    "fp16": VERMILION,
    "bf16": BLUE,
    "e4m3": GREEN,
    "e5m2": AMBER,
    "sign": VERMILION,
    "exponent": GREEN,
    "mantissa": BLUE,
    # what a run keeps in few bits, and what cures it
    "master": GREEN,
    "by_chance": PURPLE,
    # training objectives
    "causal": BLUE,
    "masked": GREEN,
    "prefix": PURPLE,
    "span": AMBER,
    # what a request is, and how a model was taught to refuse
    "forbidden": VERMILION,
    "forbidden_new": PURPLE,
    "borderline": AMBER,
    "harmless": GREEN,
    "shallow": VERMILION,
    "adversarial-1": AMBER,
    "adversarial-2": SKY,
    "deep": BLUE,
    # languages
    "zh": VERMILION,
    "en": BLUE,
    "neutral": GRAY,
}

# For series that have no meaning beyond "another one", in the order in which they are easiest to tell apart.
CATEGORICAL: tuple[Hex, ...] = (BLUE, VERMILION, GREEN, AMBER, PURPLE, SKY, GRAY)

# Weights, 0 to 1: from the page's own colour to full ink, one way in lightness.
SEQUENTIAL_LIGHT = ("#fdfcf9", "#dbe9f2", "#a9cde6", "#6aa8d4", "#2f7fbd", "#12569a", "#0b2f63")
SEQUENTIAL_DARK = ("#14171c", "#173253", "#1c5186", "#2a78b8", "#57a4d6", "#a0d0ea", "#eef8ff")

# Signed values: vermilion below zero, the page's colour at zero, blue above.
DIVERGING_LIGHT = ("#7a2c0c", "#c75a2a", "#eeb08a", "#f8f3ec", "#9cc8e3", "#2f7fbd", "#0d3f73")
DIVERGING_DARK = ("#ffcaa8", "#e98453", "#a14a22", "#1d2128", "#1f5d92", "#4fa0d6", "#c6e6fa")

MapName = Literal["sequential", "diverging"]

_MAPS = {
    ("sequential", False): SEQUENTIAL_LIGHT,
    ("sequential", True): SEQUENTIAL_DARK,
    ("diverging", False): DIVERGING_LIGHT,
    ("diverging", True): DIVERGING_DARK,
}


def colour_map(name: MapName, dark: bool) -> tuple[Hex, ...]:
    """Evenly spaced colour stops, lowest value first."""
    return _MAPS[name, dark]


def colour_scale(name: MapName, dark: bool) -> list[list[float | str]]:
    """The same stops as Plotly writes them: `[[0.0, '#…'], …, [1.0, '#…']]`."""
    stops = colour_map(name, dark)
    return [[index / (len(stops) - 1), stop] for index, stop in enumerate(stops)]


def colour(meaning: str, index: int = 0) -> Hex:
    """The colour of a meaning; a role that has none takes the `index`-th categorical colour."""
    return MEANING.get(meaning, CATEGORICAL[index % len(CATEGORICAL)])
