"""Instructions to be tuned on: a question, perhaps a text it is about, and the answer that is wanted.

The columns are Alpaca's (`instruction`, `input`, `output`; github.com/tatsu-lab/stanford_alpaca). Two small
sets come with the lab, one in each language. A file of one's own is read whole or refused with the number
of the row that is wrong; a data set of a hub is read as it is, and rows that ask or answer nothing are left
out.
"""

import importlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import TimeoutError as DeadlineError
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from labcore.errors import LabInputError
from labcore.text.hub_rows import ANSWER_SECONDS, within

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "instructions"
BUNDLED = ("en", "zh")
HUB_SETS = (
    "tatsu-lab/alpaca",
    "rajpurkar/squad",
)  # what the page offers where a hub can be reached
COLUMNS = ("instruction", "input", "output")
MOST_BYTES = 4_000_000
MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Instruction:
    instruction: str
    input: str  # may be empty
    output: str

    @property
    def user(self) -> str:
        """What the user says: the text, if there is one, below the instruction."""
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction


def load(name: str) -> tuple[Instruction, ...]:
    """A bundled set ("en", "zh"), a JSON or JSON-lines file, or a data set of a hub ("owner/name").

    Raises LabInputError("instructions", …): "readable_rows", "instruction_row" (fact: `row`),
    "at_most_bytes", "not_installed", "data_unreachable".
    """
    if name in BUNDLED:
        return read((FOLDER / f"{name}.json").read_bytes())
    path = Path(name)
    if path.suffix in (".json", ".jsonl"):
        if not path.is_file():
            raise LabInputError("instructions", path.name, "readable_rows")
        return read(path.read_bytes())
    return from_hub(name)


def read(data: bytes) -> tuple[Instruction, ...]:
    """A file's rows: a JSON list of objects, or one object a line."""
    if len(data) > MOST_BYTES:
        raise LabInputError("instructions", len(data), "at_most_bytes", limit=MOST_BYTES)
    try:
        text = data.decode("utf-8-sig").strip()
        rows = json.loads(text) if text.startswith("[") else [*map(json.loads, text.splitlines())]
    except (ValueError, RecursionError) as error:
        raise LabInputError("instructions", type(error).__name__, "readable_rows") from error
    if not rows:
        raise LabInputError("instructions", 0, "not_empty")
    return tuple(_row(number, row) for number, row in enumerate(rows[:MOST_ROWS], start=1))


def _row(number: int, row: Any) -> Instruction:
    made = as_instruction(row) if isinstance(row, Mapping) else None
    if made is None:
        raise LabInputError("instructions", str(row)[:60], "instruction_row", row=number)
    return made


def as_instruction(row: Mapping[str, Any]) -> Instruction | None:
    """A row in Alpaca's columns or in SQuAD's; None if it asks or answers nothing."""
    if "question" in row:  # SQuAD: arXiv:1606.05250
        answers = row.get("answers")
        texts = answers.get("text") if isinstance(answers, Mapping) else None
        row = {
            "instruction": row["question"], "input": row.get("context", ""),
            "output": texts[0] if texts else None,
        }  # fmt: skip
    values = [row.get(name, "" if name == "input" else None) for name in COLUMNS]
    if not all(isinstance(value, str) for value in values):
        return None
    instruction, given, output = map(str.strip, values)
    return Instruction(instruction, given, output) if instruction and output else None


def from_hub(name: str) -> tuple[Instruction, ...]:
    """The first rows of a hub's training split, those that ask and answer something."""
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise LabInputError("instructions", name, "not_installed", package="datasets") from None
    hub = importlib.import_module("huggingface_hub")
    importlib.import_module("huggingface_hub.errors")
    try:
        within(ANSWER_SECONDS, lambda: hub.HfApi().dataset_info(name, timeout=ANSWER_SECONDS))
        rows = datasets.load_dataset(name, split="train")
    except (OSError, ValueError, DeadlineError, hub.errors.HTTPError) as error:
        raise LabInputError("instructions", name, "data_unreachable") from error
    kept = usable(rows)
    if not kept:
        raise LabInputError("instructions", name, "readable_rows")
    return kept


def usable(rows: Iterable[Mapping[str, Any]]) -> tuple[Instruction, ...]:
    """Those of the first rows that can be trained on."""
    made = (as_instruction(row) for row in islice(rows, MOST_ROWS))
    return tuple(one for one in made if one is not None)
