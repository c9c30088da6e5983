"""LoRA on full weights against LoRA on four-bit ones (QLoRA), three seeds; and the formats side by side.

Axes: A arms, S seeds, N steps, F formats.
"""

import tempfile
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.tuning import hf_models, instructions
from labcore.tuning.hf_run import HFConfig, HFResult, rows_json, run
from labcore.tuning.script_process import lines

STEPS = 6
# The second arm is what it is meant to be; the third meets the trap that `hf_sft.load_model` takes away.
ARMS = {
    "lora": HFConfig(steps=STEPS),
    "qlora": HFConfig(steps=STEPS, load_4bit=True, questions=()),
    "repacked": HFConfig(steps=STEPS, load_4bit=True, repack=True, questions=()),
}
# What the lab's recorded default run is, and a longer one.
LONGER = HFConfig(
    steps=48, eval_steps=8,
    questions=("Why do cats purr?", "How do I remove a coffee stain from a shirt?", "What is a metaphor?"),
)  # fmt: skip
FORMAT_ROWS = 16
FORMATS_SCRIPT = Path(__file__).with_name("hf_formats.py")


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    loss: np.ndarray  # (S, N) nats per token of the answers
    grad_norm: np.ndarray  # (S, N)
    cpu_seconds: np.ndarray  # (S, N) of each step
    eval_loss: np.ndarray  # (S, 2) before and after, on rows kept apart
    rss_bytes: np.ndarray  # (S, N)
    words_before: np.ndarray  # (S, Q) words of the answers
    words_after: np.ndarray  # (S, Q)


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    arms: dict[str, Arm]
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    """Every arm with every seed, one after the other."""
    started = time.perf_counter()
    arms = {
        name: arm([run(replace(config, seed=seed)) for seed in seeds])
        for name, config in ARMS.items()
    }
    return Study(arms, seeds, time.perf_counter() - started)


def arm(results: list[HFResult]) -> Arm:
    columns = ("loss", "grad_norm", "cpu_seconds", "eval_loss", "rss_bytes")
    return Arm(
        *(np.stack([getattr(result, name) for result in results]) for name in columns),
        *(
            np.array([[len(said.split()) for said in getattr(result, name)] for result in results])
            for name in ("before", "after")
        ),
    )  # fmt: skip


# One model in six formats.


@lab_config
class FormatsConfig:
    model: str = hf_models.REAL

    def __post_init__(self):
        if self.model not in hf_models.MODELS:
            raise LabInputError("model", self.model, "known_choice", allowed=hf_models.MODELS)


@dataclass(frozen=True, slots=True)
class Weighed:
    name: str
    share: float  # of the formats done
    matrices: int  # bytes of the matrices in the blocks
    scales: int  # bytes of their scales
    rest: int  # bytes of embeddings and norms
    counted: int  # bytes as `get_memory_footprint` counts
    loss: float  # nats per token of the answers
    divergence: float  # KL from the fp32 model, nats per token
    agreement: float  # share of tokens whose likeliest prediction is fp32's
    cpu_seconds: float  # to read the rows once
    tokens: int  # that were asked for


def weigh(config: FormatsConfig) -> Generator[Weighed | None, None, list[Weighed]]:
    """Load the model in each format and let it predict the same answers."""
    found: list[Weighed] = []
    with tempfile.TemporaryDirectory(prefix="llm-lab-hf-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        model, data = hf_models.folder_of(config.model, folder), folder / "rows.json"
        data.write_text(rows_json(instructions.load("en")[:FORMAT_ROWS]), encoding="utf-8")
        told = lines(FORMATS_SCRIPT, ["--model", str(model), "--data", str(data)], folder)
        with closing(told) as news:
            for line in news:
                if line is not None:
                    line.pop("event")
                    found.append(Weighed(share=(len(found) + 1) / 6, **line))
                    yield found[-1]
                else:
                    yield None
    return found


def run_weigh(config: FormatsConfig) -> "Formats":
    return Formats(drain(weigh(config)))


@dataclass(frozen=True, slots=True, eq=False)
class Formats:
    """A result that can be recorded."""

    rows: list[Weighed]  # (F,)
