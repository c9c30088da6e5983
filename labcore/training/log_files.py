"""A log from outside, read: CSV (W&B's too), JSON (Trainer's `trainer_state.json`), JSON lines, the lines
that a script prints, TensorBoard events.

Every kind becomes the same thing, a list of records {name: number} in the order of the file. The file is
text to be read, never code to be run, and what it may cost is bounded before anything is built from it.
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labcore.errors import LabInputError
from labcore.training.event_files import is_event_file, scalars
from labcore.training.log_columns import (
    BLOCK_SIGNALS,
    EPOCH,
    LOSSES,
    SIGNALS,
    STEP,
    block_of,
    choose,
)
from labcore.training.signals import RunLog

LIMIT_BYTES = 8 * 2**20
LIMIT_ROWS, LIMIT_COLUMNS = 200_000, 2_000
LEAST_POINTS = 8  # of a loss: below that no rule has anything to go by
LARGEST_STEP = 2.0**53
NOT_A_NUMBER = math.inf  # how a loss that was measured as NaN or infinite stands in a `RunLog`

Record = dict[str, float]
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)\b"
_PAIR = re.compile(rf"((?:[A-Za-z_/]{{1,40}} )?[A-Za-z_/]{{1,40}})['\"]?\s?[:=]?\s?({_NUMBER})")


@dataclass(frozen=True, slots=True, eq=False)
class LogTable:
    """What a file holds, before anything is made of it."""

    kind: str  # "csv", "json", "lines", "printed" or "events"
    records: list[Record]
    counts: dict[str, int]  # {name: how many numbers stand under it}

    @property
    def columns(self) -> dict[str, str]:
        """{signal: name}, as the names suggest."""
        return choose(self.counts)


# Files to records.


def read_table(data: bytes) -> LogTable:
    """Read a file of unknown kind; anything odd is a `LabInputError`."""
    if len(data) > LIMIT_BYTES:
        raise LabInputError("log", len(data), "at_most_bytes", limit=LIMIT_BYTES)
    if is_event_file(data):
        return _table("events", list(scalars(data)))
    text = _text(data)
    if text.lstrip()[:1] in ("{", "["):
        for kind, read in (("json", from_json), ("lines", from_json_lines)):
            try:
                return _table(kind, read(text))
            except LabInputError:  # read, and too much
                raise
            except (ValueError, RecursionError, TypeError, AttributeError):
                continue
    if (
        text.count("\n") > LIMIT_ROWS + 1
    ):  # before a column is made of it; one line names the columns
        raise _too_large(text.count("\n"))
    table = _table("csv", from_csv(text))
    if not LOSSES & table.columns.keys():
        printed = _table("printed", from_printed(text))
        if LOSSES & printed.columns.keys():
            return printed
    if not table.counts:
        raise LabInputError("log", len(data), "log_readable")
    return table


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # a spreadsheet's "Unicode text"
        return data.decode("utf-16", "replace")
    text = data.decode("utf-8-sig", "replace")
    if "\0" in text or text.count("\ufffd") > 0.01 * len(text):
        raise LabInputError("log", len(data), "log_readable")
    return text


def _table(kind: str, records: list[Record]) -> LogTable:
    counts = Counter(name for record in records for name in record)
    if len(records) > LIMIT_ROWS or len(counts) > LIMIT_COLUMNS:
        raise _too_large(len(records))
    return LogTable(kind, records, dict(counts))


def _too_large(rows: int) -> LabInputError:
    return LabInputError("log", rows, "log_size", rows=LIMIT_ROWS, columns=LIMIT_COLUMNS)


def from_json(text: str) -> list[Record]:
    """`{"log_history": [{…}, …]}`, `[{…}, …]` or `{"loss": […], …}`."""
    whole = json.loads(text)
    if isinstance(whole, dict):
        if "log_history" in whole:
            whole = whole["log_history"]
        else:
            whole = [
                dict(zip(whole, row, strict=True)) for row in zip(*whole.values(), strict=True)
            ]
    # The Trainer closes with a summary, whose "train_loss" is a mean over the whole run.
    return [_numbers(record) for record in whole if "train_runtime" not in record]


def from_json_lines(text: str) -> list[Record]:
    return [_numbers(json.loads(line)) for line in text.splitlines() if line.strip()]


def from_csv(text: str) -> list[Record]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return []
    comma = max(",;\t", key=lines[0].count)
    try:
        header, *rows = csv.reader(lines, delimiter=comma)
    except csv.Error:
        return []
    if comma == ";":  # where a semicolon parts the cells, a comma marks the decimals
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    names = [name.strip() for name in header]
    return [_numbers(dict(zip(names, row, strict=False))) for row in rows]


def from_printed(text: str) -> list[Record]:
    """Lines such as "iter 100: loss 2.45, lr 3e-4", each a record."""
    return [_numbers(dict(_PAIR.findall(line))) for line in text.splitlines()]


def _numbers(record: Mapping[str, object]) -> Record:
    """The entries that are numbers; what was measured and came out as none (NaN) becomes infinite."""
    found: Record = {}
    for name, value in record.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            continue
        try:
            number = float(value)
        except (ValueError, OverflowError):
            continue
        found[str(name)] = number if math.isfinite(number) else NOT_A_NUMBER
    return found


# Records to a `RunLog`.


def log_of(
    table: LogTable,
    columns: Mapping[str, str],
    floor_nats: float | None = None,
    uniform_nats: float | None = None,
) -> RunLog:
    """The signals of a table.  `columns` {signal, or "step": name} says where each is to be read."""
    if not LOSSES & columns.keys():
        raise LabInputError("log", sorted(table.counts)[:8], "log_has_loss")
    blocks = {name: block for name in table.counts if (block := block_of(name))}
    rows = _rows(table.records, columns, blocks)

    def column(key: str) -> np.ndarray:
        return np.array([values.get(key, np.nan) for _, values in rows])

    points = max(int((~np.isnan(column(key))).sum()) for key in LOSSES)
    if points < LEAST_POINTS:
        raise LabInputError("log", points, "log_points", limit=LEAST_POINTS)
    by_block = {
        signal: _side_by_side(
            [column(name) for name in sorted(blocks, key=blocks.get) if blocks[name][0] == signal],
            len(rows),
        )
        for signal in BLOCK_SIGNALS
    }
    return RunLog(
        step=np.array([step for step, _ in rows]).astype(np.int64),
        **{signal: column(signal) for signal in SIGNALS},
        **by_block,
        floor_nats=floor_nats,
        uniform_nats=uniform_nats,
    )


def _side_by_side(columns: Sequence[np.ndarray], length: int) -> np.ndarray:
    """L columns (N,) -> (N, L)"""
    return np.column_stack(columns) if columns else np.zeros((length, 0))


def _rows(
    records: Sequence[Record], columns: Mapping[str, str], blocks: Mapping[str, tuple[str, int]]
) -> list[tuple[float, Record]]:
    """(step, {signal: value}): what was logged at one step in one row, whatever the order of the file.

    subtle: a run that was resumed counts some steps twice. So a row's key is not the step alone: first
    comes how often the loss has gone back so far.
    """
    keys = {name: signal for signal, name in columns.items() if signal not in (STEP, EPOCH)}
    keys |= {name: name for name in blocks}
    main = "loss_nats" if "loss_nats" in columns else "validation_nats"
    rows: dict[tuple[int, float, int], Record] = {}
    step, passes, last, times = 0.0, 0, -math.inf, Counter()
    for record in records:
        found = {keys[name]: value for name, value in record.items() if name in keys}
        step = record.get(columns[STEP], step) if STEP in columns else step + bool(found)
        if not abs(step) < LARGEST_STEP:
            raise LabInputError("log", step, "log_steps")
        if main in found:
            passes += step < last
            last = step
        for key, value in found.items():
            place = (passes, step)
            rows.setdefault((*place, times[key, place]), {})[key] = value
            times[key, place] += 1
    return [(step, values) for (_, step, _), values in sorted(rows.items(), key=lambda row: row[0])]
