"""bertviz (Vig, arXiv:1906.05714) inside the page: head view, model view, neuron view, from our own traces.

bertviz writes for notebooks: require.js, d3 and jQuery come from a CDN.  Here its scripts are read from the
installed packages when they are needed (bertviz itself, d3 from mpld3, jQuery from sphinxcontrib-jquery),
so the views draw with no network, and for any model that gives a trace.

Axes: L layers, H heads, K key heads, T query positions, S key positions, d width of a head.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from importlib.metadata import distribution
from typing import Any

import numpy as np
import pandas as pd

from app.charts.words import figure_words
from app.figures import Figure
from app.i18n import Words
from labcore.errors import LabInputError

# More than this and a browser is busy for seconds: bertviz draws a line for every weight.
MOST_TOKENS_HEAD_VIEW = 48
MOST_TOKENS_MODEL_VIEW = 24
MOST_TOKENS_NEURON_VIEW = 24
LONGEST_LABEL = 12  # characters
ROOT_ID = "bertviz"

JQUERY = ("sphinxcontrib-jquery", "sphinxcontrib/jquery/jquery.js")
D3 = ("mpld3", "mpld3/js/d3.v5.min.js")

# bertviz asks require.js for its libraries; both are already there.
REQUIRE_SHIM = (
    "window.require = window.requirejs = (names, start) => start(window.jQuery, window.d3);"
    "window.require.config = () => {};"
)
STYLE = (
    # bertviz's text is black in every theme
    "html { color-scheme: light; background: #fff; }"
    "body { margin: 0; padding: 8px; font-family: 'Source Sans', 'PingFang SC', 'Microsoft YaHei',"
    " 'Noto Sans CJK SC', sans-serif; overflow: auto; }"
    "#vis svg { min-width: 360px; }"
    "select { font: inherit; margin-right: 1em; }"
)


def head_view(
    attention: np.ndarray,
    tokens: Sequence[str],
    text: Words,
    *,
    alt: str,
    keys: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
) -> Figure:
    """Lines from each token to those it looks at, one colour per head, one layer at a time.

    `attention` (L, H, T, S); `layers` names its L layers (0 … L-1 by default).  `keys` are the tokens looked
    at where they are others (cross-attention).  `heads` are switched on at first (all by default).
    Raises LabInputError("tokens", …, "at_most") above 48 tokens.
    """
    attention = np.asarray(attention, np.float32)
    keys = list(tokens if keys is None else keys)
    _at_most(max(len(tokens), len(keys)), MOST_TOKENS_HEAD_VIEW)
    layers = list(range(len(attention)) if layers is None else layers)
    params = {
        "attention": [_pairs(attention, tokens, keys) | {"name": None}],
        "default_filter": "0",
        "root_div_id": ROOT_ID,
        "layer": layers[0],
        "heads": None if heads is None else list(heads),
        "include_layers": layers,
    }
    body = f"{_select(text, 'layer', 'layer')}<div id='vis'></div>"
    height = 90 + int(22.5 * max(len(tokens), len(keys)))
    return Figure(
        "html",
        page(body, "head_view.js", params),
        alt,
        _table(attention, layers, tokens, keys, text),
        min(height, 900),
    )


def model_view(
    attention: np.ndarray,
    tokens: Sequence[str],
    text: Words,
    *,
    alt: str,
    keys: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
) -> Figure:
    """Every head of every layer at a glance; a click enlarges one.  `attention` (L, H, T, S).

    Raises LabInputError("tokens", …, "at_most") above 24 tokens.
    """
    attention = np.asarray(attention, np.float32)
    keys = list(tokens if keys is None else keys)
    longest = max(len(tokens), len(keys))
    _at_most(longest, MOST_TOKENS_MODEL_VIEW)
    layers = list(range(len(attention)) if layers is None else layers)
    heads = attention.shape[1]
    params = {
        "attention": [_pairs(attention, tokens, keys) | {"name": None}],
        "default_filter": "0",
        "display_mode": "light",
        "root_div_id": ROOT_ID,
        "include_layers": layers,
        "include_heads": list(range(heads)),
        "total_heads": heads,
    }
    thumbnails = len(layers) * (longest * 84 / heads + 10) + 38  # as model_view.js lays them out
    height = int(max(thumbnails, 18 * longest + 55)) + 40
    return Figure(
        "html",
        page("<div id='vis'></div>", "model_view.js", params),
        alt,
        _table(attention, layers, tokens, keys, text),
        min(height, 900),
    )


def neuron_view(
    attention: np.ndarray,
    queries: np.ndarray,
    keys: np.ndarray,
    tokens: Sequence[str],
    text: Words,
    *,
    alt: str,
    causal: bool,
    layers: Sequence[int] | None = None,
) -> Figure:
    """How one query meets every key, number by number: q, k, q × k, their sum, softmax.

    `attention` (L, H, T, T), `queries` (L, H, T, d), `keys` (L, K, T, d) as in `layers.{i}.attn.q` and `.k`
    (after RoPE, so that their products are the model's own); with K < H each key head is shown to its group.
    The column of sums is q·k/√d: where a model adds a position bias (ALiBi, T5) or does not scale (T5) the
    softmax beside it is still the model's own.
    Raises LabInputError("tokens", …, "at_most") above 24 tokens.
    """
    attention, queries = np.asarray(attention, np.float32), np.asarray(queries, np.float32)
    _at_most(len(tokens), MOST_TOKENS_NEURON_VIEW)
    group = queries.shape[1] // np.shape(keys)[1]
    keys = np.repeat(np.asarray(keys, np.float32), group, axis=1)
    layers = list(range(len(attention)) if layers is None else layers)
    pairs = _pairs(attention, tokens, tokens) | {
        "queries": _rounded(queries),
        "keys": _rounded(keys),
    }
    params = {
        "attention": {"all": pairs},
        "default_filter": "all",
        "root_div_id": ROOT_ID,
        "bidirectional": not causal,
        "display_mode": "light",
        "layer": 0,
        "head": 0,
    }
    selects = _select(text, "layer", "layer") + _select(text, "head.one", "att_head")
    # neuron_view.js counts layers from 0; their names are put on afterwards
    name_layers = (
        f"{json.dumps(layers)}.forEach((layer, index) => "
        "{ document.querySelectorAll('#layer option')[index].textContent = layer; });"
    )
    return Figure(
        "html",
        page(
            f"{selects}<div id='vis' style='min-width: 1010px'></div>",
            "neuron_view.js",
            params,
            name_layers,
        ),
        alt,
        _table(attention, layers, tokens, tokens, text),
        min(26 * len(tokens) + 150, 900),
    )


def page(body: str, script: str, params: dict[str, Any], after: str = "") -> str:
    """A page of HTML that holds everything it needs.  `body` is trusted; `params` may hold anything."""
    libraries = [installed(*JQUERY), installed(*D3), REQUIRE_SHIM]
    source = installed("bertviz", f"bertviz/{script}")
    drawing = [
        f"window.bertviz_params = {json_in_script(params)};",
        source.replace("PYTHON_PARAMS", "window.bertviz_params"),
        after,
    ]
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><style>{STYLE}</style>"
        f"{_scripts(libraries)}</head>"
        f"<body><div id='{ROOT_ID}'>{body}</div>{_scripts(drawing)}</body></html>"
    )


def _scripts(sources: Sequence[str]) -> str:
    return "".join(f"<script>{source}</script>" for source in sources if source)


def json_in_script(value: Any) -> str:
    """JSON that cannot end the <script> it stands in: no "<", and nothing beyond ASCII (U+2028 included).

    >>> json_in_script("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


@cache
def installed(package: str, path: str) -> str:
    """A file of an installed package, read without importing the package."""
    return distribution(package).locate_file(path).read_text(encoding="utf-8")


def _pairs(attention: np.ndarray, tokens: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    return {
        "attn": _rounded(attention),
        "left_text": [_shortened(token) for token in tokens],
        "right_text": [_shortened(token) for token in keys],
    }


def _shortened(token: str) -> str:
    """bertviz gives a token 110 pixels and cuts what stands over at the wrong end."""
    return token if len(token) <= LONGEST_LABEL else token[: LONGEST_LABEL - 1] + "…"


def _rounded(values: np.ndarray) -> list:
    """Four decimals: finer than a line's opacity can show, and a third of the bytes."""
    return np.round(values.astype(np.float64), 4).tolist()


def _at_most(count: int, limit: int) -> None:
    if count > limit:
        raise LabInputError("tokens", count, "at_most", limit=limit)


def _select(text: Words, word: str, id: str) -> str:
    return f"<label>{escape(figure_words(text)(word))} <select id='{id}'></select></label>"


def _table(
    attention: np.ndarray,
    layers: Sequence[int],
    tokens: Sequence[str],
    keys: Sequence[str],
    text: Words,
) -> Callable[[], pd.DataFrame]:
    """One row per weight above zero, built when it is asked for."""
    words = figure_words(text)

    def build() -> pd.DataFrame:
        layer, head, row, column = np.nonzero(attention)
        return pd.DataFrame(
            {
                words("layer"): np.asarray(layers)[layer],
                words("heads"): head,
                words("query"): [f"{index} {tokens[index]}" for index in row],
                words("key"): [f"{index} {keys[index]}" for index in column],
                words("weight"): attention[layer, head, row, column],
            }
        )

    return build
