"""Pictures of positional encodings: matrices, curves over distance, a sentence moved or reordered.

Axes: T positions, S key positions, D width, H heads, P pairs of channels.
"""

from collections.abc import Sequence

import numpy as np

from app.charts import bars, maps
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.positions_length import ENCODINGS, TRAINED_LENGTH
from labcore.architecture.positions_order import OrderResult, PlaceResult, Reader
from labcore.architecture.positions_shapes import Line, ShapesResult
from labcore.architecture.positions_shift import Moved, ShiftResult

SMALLEST = 1e-8  # a difference of exactly zero has no logarithm; below what rounding leaves
LINE_ROLES = {
    "measured": "changed", "formula": "guess", "from_start": "changed", "from_later": "guess",
    "nothing": "baseline", "first_token": "changed",
}  # fmt: skip


def name_of(encoding: str, text: Words) -> str:
    return text(f"option.encoding.{encoding}")


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


# Shapes.


def gallery(result: ShapesResult, encoding: str, text: Words) -> Figure:
    """Six attention maps of a text whose words are all the same.  Selects {"head": which encoding}."""
    alone = np.stack([result.shapes[name].alone for name in ENCODINGS])  # (6, T, S)
    labels = numbers(alone.shape[1])
    return maps.attention_grid(
        alone, labels, labels, text, alt=text("alt.gallery", encoding=name_of(encoding, text)),
        head_labels=[name_of(name, text) for name in ENCODINGS], causal=True,
        selected=ENCODINGS.index(encoding), high=0.3, height=640,
    )  # fmt: skip


def own_matrix(result: ShapesResult, encoding: str, head: int, text: Words) -> Figure:
    """What the encoding holds, place by channel or place by place."""
    matrix = result.shapes[encoding].matrix
    matrix = np.asarray(matrix[head] if matrix.ndim == 3 else matrix, np.float32)
    over_keys = encoding in ("alibi", "t5", "none")
    rows, columns = matrix.shape
    return maps.matrix(
        matrix, numbers(rows), numbers(columns), text,
        alt=text(f"alt.matrix.{encoding}", rows=rows, columns=columns),
        row_title=text("axis.query" if over_keys else "axis.position"),
        column_title=text("axis.key" if over_keys else f"axis.column.{encoding}"),
        value_title=text(f"value.{encoding}"),
        mask=np.tril(np.ones(matrix.shape, bool)) if over_keys else None,
        height=560,
    )  # fmt: skip


def over_distance(lines: Sequence[Line], encoding: str, text: Words) -> Figure:
    """What the encoding makes of distance."""
    series = [
        Series(
            line_name(line.name, text), line.distance, line.value, LINE_ROLES.get(line.name, ""),
            dashed=line.name in ("formula", "from_later"),
            spread=None if line.low is None else (line.low, line.high),
        )
        for line in lines
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.distance"), y_title=text(f"axis.lines.{encoding}"),
        x_range=(0, int(lines[0].distance[-1])), alt=text(f"alt.lines.{encoding}"),
    )  # fmt: skip


def line_name(name: str, text: Words) -> str:
    if name.startswith("head "):
        return text("line.head", number=name.removeprefix("head "))
    return text(f"line.{name}")


def trained_bias(bias: np.ndarray, text: Words) -> Figure:
    """What training wrote into T5's table, by distance.  (H, K)"""
    distance = np.arange(bias.shape[1])
    series = [
        Series(text("line.head", number=head), distance, row) for head, row in enumerate(bias)
    ]
    return curve(
        series, x_title=text("axis.distance"), y_title=text("axis.lines.t5"),
        marks=[(TRAINED_LENGTH - 1, text("mark.trained_distance"))],
        alt=text("alt.trained_bias", heads=len(bias)),
    )  # fmt: skip


def trained_rows(cosines: np.ndarray, text: Words) -> Figure:
    """How alike the rows of the learned table are, trained and untrained ones.  (N, N)"""
    labels = numbers(len(cosines))
    return maps.matrix(
        cosines, labels, labels, text, alt=text("alt.trained_rows", trained=TRAINED_LENGTH),
        row_title=text("axis.position"), column_title=text("axis.position"),
        value_title=text("value.cosine"), signed=True, bounds=(-1.0, 1.0), height=900,
    )  # fmt: skip


# Shift.


def size(change: float) -> str:
    """A difference in words: 0, 4e-07 or 1.68."""
    return "0" if change == 0 else f"{change:.0e}" if change < 1e-3 else f"{change:.2f}"


def changes(result: ShiftResult, text: Words) -> Figure:
    """The largest change of a score and of a weight, per encoding, with its number."""
    names = [
        f"{name_of(moved.encoding, text)}  {size(moved.score_change)}" for moved in result.moved
    ]
    parts = [
        (text("series.score_change"), [moved.score_change for moved in result.moved], "query"),
        (text("series.weight_change"), [moved.weight_change for moved in result.moved], "key"),
    ]
    largest = max(result.moved, key=lambda moved: moved.score_change)
    return bars.grouped(
        parts, names, text, value_title=text("axis.change"),
        alt=text(
            "alt.changes", encoding=name_of(largest.encoding, text),
            change=size(largest.score_change),
        ),
    )  # fmt: skip


def one_map(
    weights: np.ndarray, high: float, result: ShiftResult, key: str, text: Words,
    signed: bool = False,
) -> Figure:  # fmt: skip
    """One head's weights up to `high`, or a difference of two maps.  (T, S)"""
    return maps.matrix(
        weights, result.tokens, result.tokens, text, alt=text(f"alt.{key}", tokens=len(result.tokens)),
        row_title=text("axis.query"), column_title=text("axis.key"),
        value_title=text("value.difference" if signed else "value.weight"),
        signed=signed, bounds=(-high if signed else 0.0, high),
        mask=result.allowed, height=420,
    )  # fmt: skip


def difference(moved: Moved, layer: int, head: int) -> np.ndarray:
    return moved.after[layer, head] - moved.before[layer, head]


# Order.


def reordering(result: OrderResult, text: Words) -> Figure:
    """Which vectors changed when the words were reordered, reader by reader, as powers of ten."""
    change = np.stack([reader.change for reader in result.readers])  # (readers, T)
    powers = np.log10(np.maximum(change, SMALLEST))
    return maps.matrix(
        powers, [short_name(reader, text) for reader in result.readers], result.after, text,
        alt=text("alt.reordering"), row_title=text("axis.reader"), column_title=text("axis.new_order"),
        value_title=text("value.power"), signed=False, bounds=(-7.0, 0.5), height=300,
    )  # fmt: skip


def reader_name(reader: Reader, text: Words) -> str:
    encoding = name_of(reader.encoding, text)
    return text(f"reader.{reader.kind}", encoding=encoding)


def short_name(reader: Reader, text: Words) -> str:
    """For the narrow margin of a phone."""
    return text(f"reader.short.{reader.kind}", encoding=name_of(reader.encoding, text))


def place_errors(result: PlaceResult, text: Words) -> Figure:
    """How far off a linear probe is after each layer, in places."""
    roles = {"encoder": "baseline", "decoder": "changed"}
    series = [
        Series(text(f"series.{kind}"), np.arange(len(errors)), errors, roles[kind], points=True)
        for kind, errors in result.errors.items()
    ]
    last = {kind: f"{errors[-1]:.1f}" for kind, errors in result.errors.items()}
    return curve(
        series, x_title=text("axis.layers_passed"), y_title=text("axis.places"),
        floor=(result.chance, text("series.chance", places=f"{result.chance:.1f}")),
        y_range=(0, None), alt=text("alt.places", **last), height=280,
    )  # fmt: skip
