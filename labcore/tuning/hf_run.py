"""The script `hf_sft.py`, run as it is in a process of its own; what its callback tells are the events.

Axes: N steps, E evaluations, Q questions.
"""

import json
import tempfile
import time
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from uuid import uuid4

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.tuning import hf_models, instructions
from labcore.tuning.instructions import Instruction
from labcore.tuning.script_process import lines
from labcore.zoo.cache import cache_root

SCRIPT = Path(__file__).with_name("hf_sft.py")
HUB_IDS = {hf_models.REAL: "HuggingFaceTB/SmolLM2-135M-Instruct"}
TRAINERS = ("trl", "plain")
RANKS = (1, 2, 4, 8, 16)
LIMITS = {
    "learning_rate": (1e-5, 1e-1), "steps": (1, 200), "eval_steps": (0, 200), "new_tokens": (1, 100),
}  # fmt: skip
EVAL_ROWS = 12
LEAST_ROWS = 20  # to train on some and keep some apart
MOST_QUESTIONS, MOST_CHARACTERS = 8, 300
OWN_ROWS_LIMIT = 200_000  # characters
ADAPTERS_KEPT = 12
LOADED, ENDED = 0.15, 0.9  # shares of a run that has loaded its model, and that has trained


@lab_config
class HFConfig:
    model: str = hf_models.REAL
    trainer: str = "trl"  # "plain": `transformers.Trainer`, labels and padding by hand
    load_4bit: bool = False  # QLoRA
    repack: bool = False  # leave a trap of bitsandbytes where it is; see the script's `load_model`
    lora_rank: int = 8
    learning_rate: float = 1e-3
    steps: int = 12
    eval_steps: int = 0  # 0: before and after only
    questions: tuple[str, ...] = ("Why do cats purr?",)  # answered before and after
    new_tokens: int = 40
    own_rows: str = ""  # a learner's own rows, JSON in Alpaca's columns; empty: the lab's
    seed: int = 0

    def __post_init__(self):
        for name, allowed in (
            ("model", hf_models.MODELS), ("trainer", TRAINERS), ("lora_rank", RANKS),
        ):  # fmt: skip
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        check_limits(self, LIMITS)
        if self.eval_steps and self.steps % self.eval_steps:
            raise LabInputError("eval_steps", self.eval_steps, "divides", whole=self.steps)
        if len(self.own_rows) > OWN_ROWS_LIMIT:
            raise LabInputError(
                "own_rows", len(self.own_rows), "at_most_bytes", limit=OWN_ROWS_LIMIT
            )
        if len(self.questions) > MOST_QUESTIONS:
            raise LabInputError("questions", len(self.questions), "at_most", limit=MOST_QUESTIONS)
        longest = max(map(len, self.questions), default=0)
        if longest > MOST_CHARACTERS:
            raise LabInputError("questions", longest, "at_most", limit=MOST_CHARACTERS)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One line of the script: `event` is "ready", "log", "saved" or "done"; "" while it is silent."""

    event: str
    step: int
    share: float  # of the run
    values: dict[str, float]  # of the trainer's log


@dataclass(frozen=True, slots=True, eq=False)
class HFResult:
    config: HFConfig
    loss: np.ndarray  # (N,) nats per token of the answers, of each step's rows
    learning_rate: np.ndarray  # (N,)
    grad_norm: np.ndarray  # (N,)
    seconds: np.ndarray  # (N,) of each step, by the clock
    cpu_seconds: np.ndarray  # (N,)
    rss_bytes: np.ndarray  # (N,) memory of the process after each step
    eval_step: np.ndarray  # (E,)
    eval_loss: np.ndarray  # (E,) nats per token of the answers, on rows kept apart
    rows: dict[str, int]  # "train" and "test"
    trained: int  # weights that learn
    base_bytes: int  # of the base model's weights, as transformers counts them
    before: list[str]  # (Q,) answers of the base model
    after: list[str]  # (Q,) of what was loaded again from disk
    files: dict[str, int]  # what was saved: name and bytes
    adapter: str  # the file in `adapters_folder()` that holds it
    wall_seconds: float  # with imports, loading, answers and saving


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A run as far as it has come; the arrays are those of `HFResult`."""

    loss: np.ndarray
    learning_rate: np.ndarray
    grad_norm: np.ndarray
    seconds: np.ndarray
    cpu_seconds: np.ndarray
    rss_bytes: np.ndarray
    eval_step: np.ndarray
    eval_loss: np.ndarray


def course(logs: Sequence[Mapping[str, float]]) -> Course:
    """What the trainer has logged, steps and evaluations apart."""
    steps = [line for line in logs if "loss" in line]
    looks = {line["step"]: line["eval_loss"] for line in logs if "eval_loss" in line}
    columns = ("loss", "learning_rate", "grad_norm", "seconds", "cpu_seconds", "rss_bytes")
    return Course(
        *(np.array([line[name] for line in steps], np.float64) for name in columns),
        np.array(list(looks)), np.array(list(looks.values())),
    )  # fmt: skip


def run(config: HFConfig) -> HFResult:
    return drain(fine_tune(config))


def arguments(config: HFConfig, model: str, data: str, out: str) -> list[str]:
    """The script's command line for this config; options at the script's own defaults are left out."""
    return [
        "--model", model, "--data", data, "--out", out, "--steps", str(config.steps),
        *(["--trainer", "plain"] if config.trainer == "plain" else []),
        *(["--load-4bit"] if config.load_4bit else []),
        *(["--repack"] if config.repack else []),
        *(["--lora-rank", str(config.lora_rank)] if config.lora_rank != 8 else []),
        *(["--learning-rate", f"{config.learning_rate:g}"] if config.learning_rate != 1e-3 else []),
        *(["--eval-steps", str(config.eval_steps)] if config.eval_steps else []),
        *(["--new-tokens", str(config.new_tokens)] if config.new_tokens != 40 else []),
        *(["--seed", str(config.seed)] if config.seed else []),
        "--eval-rows", str(EVAL_ROWS),
        *(["--prompt", *config.questions] if config.questions else []),
    ]  # fmt: skip


def fine_tune(config: HFConfig) -> Generator[Told, None, HFResult]:
    """Start the script and follow it to its end."""
    started = time.perf_counter()
    heard: list[dict] = []
    with tempfile.TemporaryDirectory(prefix="llm-lab-hf-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        yield Told("", 0, 0.0, {})
        model = hf_models.folder_of(config.model, folder)
        data, out = folder / "rows.json", folder / "tuned"
        data.write_text(rows_json(rows_of(config)), encoding="utf-8")
        now = Told("", 0, 0.0, {})
        command = arguments(config, str(model), str(data), str(out))
        with closing(lines(SCRIPT, command, folder)) as news:
            for line in news:
                if line is not None:
                    heard.append(line)
                now = told(config, line, now)
                yield now
        adapter = keep_adapter(out, HUB_IDS.get(config.model, config.model))
    return gathered(config, heard, adapter, time.perf_counter() - started)


def told(config: HFConfig, line: dict | None, before: Told) -> Told:
    """A line as an event; without one, the run is where it was `before`."""
    if line is None:
        return Told("", before.step, before.share, {})
    step, trained = line.get("step", before.step), line.get("step", before.step) / config.steps
    late = {"saved": ENDED, "done": 1.0}
    share = late.get(line["event"], LOADED + (ENDED - LOADED) * trained)
    values = {name: value for name, value in line.items() if name != "event"}
    return Told(line["event"], step, share, values if line["event"] == "log" else {})


def rows_of(config: HFConfig) -> tuple[Instruction, ...]:
    """The lab's own rows, or the learner's."""
    if not config.own_rows.strip():
        return instructions.load("en")
    rows = instructions.read(config.own_rows.encode())
    if len(rows) < LEAST_ROWS:
        raise LabInputError("own_rows", len(rows), "at_least", limit=LEAST_ROWS)
    return rows


def rows_json(rows: tuple[Instruction, ...]) -> str:
    """A JSON list in Alpaca's columns, one row a line."""
    spelled = [
        {"instruction": row.instruction, "input": row.input, "output": row.output} for row in rows
    ]
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in spelled) + "\n]\n"


def gathered(config: HFConfig, heard: list[dict], adapter: str, seconds: float) -> HFResult:
    """All lines of a run, as arrays."""
    one = {line["event"]: line for line in heard}
    seen = course([line for line in heard if line["event"] == "log"])
    return HFResult(
        config, *(getattr(seen, field.name) for field in fields(Course)), one["ready"]["rows"],
        one["ready"]["trained"], one["ready"]["base_bytes"], one["ready"]["answers"],
        one["done"]["answers"], one["saved"]["files"], adapter, seconds,
    )  # fmt: skip


# The adapter, to be taken home.


def adapters_folder() -> Path:
    return cache_root() / "adapters"


def keep_adapter(out: Path, base: str) -> str:
    """Zip what the script saved, without the tokenizer that everybody has; the oldest zips go.

    The adapter's config names the model that it belongs to: by its hub id, not by a folder of ours.
    """
    folder = adapters_folder()
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{uuid4().hex}.zip"
    settings = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = base
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("adapter_config.json", json.dumps(settings, indent=1))
        packed.write(out / "adapter_model.safetensors", "adapter_model.safetensors")
    kept = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime)
    for path in kept[:-ADAPTERS_KEPT]:
        path.unlink(missing_ok=True)
    return name


def adapter_bytes(result: HFResult) -> bytes | None:
    """The zip of a run's adapter; None if it has been let go, or was made on another machine."""
    path = adapters_folder() / Path(result.adapter).name
    return path.read_bytes() if result.adapter and path.is_file() else None
