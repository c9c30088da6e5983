"""How good is the diagnosis? Runs whose fault is known, diagnosed from what they show.

The rules were tuned on runs with seeds from 100 on. The runs here have seeds below that, so nobody had
seen them. Each is diagnosed four times, with ever fewer signals: what can the curves alone tell?

N steps, L blocks.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from labcore.configs import lab_config
from labcore.pretraining import clinic, monitor
from labcore.pretraining.clinic import CASES, RECIPES, log_of_steps, make
from labcore.pretraining.monitor import MonitorConfig
from labcore.pretraining.monitor_text import text_of
from labcore.training import faults
from labcore.training.diagnosis import diagnose
from labcore.training.faults import FAULTS
from labcore.training.signals import RunLog

LEVELS = ("all", "trainer", "losses", "loss")
# Another word for the same illness: without a floor nobody can prove that the text came again.
ALIKE = {"duplicates": ("overfitting",), "poisoned_batch": ("spikes",)}
# Healthy as well, with other knobs: what a rule must not complain about.
OTHER_RECIPES: dict[str, dict] = {
    "third_of_the_rate": {"learning_rate": 3e-3},
    "tenth_of_the_rate": {"learning_rate": 1e-3},
    "no_clipping": {"clip_norm": None},
    "four_rows": {"batch_size": 4},
    "constant": {"schedule": "constant"},
    "wsd": {"schedule": "wsd"},
    "sgd": {"optimiser": "sgd", "learning_rate": 0.3},
    "lion": {"optimiser": "lion", "learning_rate": 1e-3},
    "muon": {"optimiser": "muon"},
    "wide": {"num_layers": 2, "hidden_size": 96},
    "deep": {"num_layers": 8, "hidden_size": 32},
    "short": {"steps": 60},
}

# The same faults in smaller doses, on which nothing was tuned: {name: (fault, what differs from it)}.
MILDER: dict[str, tuple[str, dict]] = {
    "gain_2": ("bad_init", {"gain": 2.0}),
    "gain_3": ("bad_init", {"gain": 3.0}),
    "batches_16": ("duplicates", {"distinct_batches": 16}),
    "batches_64": ("duplicates", {"distinct_batches": 64}),
    "writers_3": ("exploding", {"writers_gain": 3.0}),
    "writers_10": ("exploding", {"writers_gain": 10.0}),
    "rate_x3": ("rate_too_high", {"learning_rate": 3 * clinic.RATE}),
    "rate_x10": ("rate_too_high", {"learning_rate": 10 * clinic.RATE}),
    "cold_third": ("no_warmup", {"learning_rate": clinic.RATE / 3}),
    "poison_early": ("poisoned_batch", {"poisoned_steps": (12,)}),
    "poison_often": ("poisoned_batch", {"poisoned_steps": (40, 75, 120, 131)}),
    "leak_80": ("leak", {"steps": 80}),
}


@dataclass(frozen=True, slots=True, eq=False)
class PairsStudy:
    """Every run of the clinic's pairs, with several seeds."""

    seeds: list[int]
    steps: int
    runs: dict[str, list[RunLog]]  # {recipe: one log for each seed}
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One run and what was said of it."""

    truth: str  # the fault that was put in, "healthy" for none
    recipe: str  # "default", a key of OTHER_RECIPES or MILDER, or one of the clinic's recipes
    seed: int
    log: RunLog | None  # None for the clinic's own runs, which `PairsStudy` holds
    named: dict[str, str]  # {level: the first diagnosis}
    strength: float  # of the first, with all signals

    @property
    def group(self) -> str:
        """ "healthy", "milder" (smaller doses than any that the rules were tuned on) or "full"."""
        if self.truth == "healthy":
            return "healthy"
        return "milder" if self.recipe in MILDER else "full"

    def right(self, level: str) -> bool:
        return self.named[level] in (self.truth, *ALIKE.get(self.truth, ()))


@lab_config
class TableConfig:
    faults: tuple[str, ...] = FAULTS
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    others: tuple[str, ...] = tuple(OTHER_RECIPES)  # with the first seed
    milder: tuple[str, ...] = tuple(MILDER)
    milder_seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    runs: list[Judged]
    seconds: float


def blinded(log: RunLog, level: str) -> RunLog:
    """The log as somebody has it who logs less.

    "trainer": what a usual trainer writes, and no floor, which natural text has not. "losses": the two
    losses alone. "loss": the training loss alone.
    """
    if level == "all":
        return log
    nothing, no_blocks = np.full(len(log.step), np.nan), np.zeros((len(log.step), 0))
    log = replace(
        log, update_ratio=nothing, activation_rms=no_blocks, layer_update_ratio=no_blocks,
        floor_nats=None,
    )  # fmt: skip
    if level in ("losses", "loss"):
        log = replace(log, grad_norm=nothing, learning_rate=nothing)
    return replace(log, validation_nats=nothing) if level == "loss" else log


def judge(truth: str, recipe: str, seed: int, log: RunLog) -> Judged:
    """What the rules call the run at each level."""
    named = {level: diagnose(blinded(log, level))[0] for level in LEVELS}
    faults = {level: finding.fault for level, finding in named.items()}
    return Judged(truth, recipe, seed, log, faults, named["all"].strength)


def table(config: TableConfig, study: PairsStudy) -> Table:
    """Each fault with each seed, healthy runs made otherwise, and the clinic's own runs."""
    started, runs = time.perf_counter(), []
    for fault in config.faults:
        for seed in config.seeds:
            result = monitor.run(MonitorConfig(fault=fault, seed=seed))
            runs.append(judge(fault, "default", seed, slim(result.log)))
    for name in config.others:
        seed = config.seeds[0]
        result = monitor.run(MonitorConfig(seed=seed, **OTHER_RECIPES[name]))
        runs.append(judge("healthy", name, seed, slim(result.log)))
    for name in config.milder:
        for seed in config.milder_seeds:
            runs.append(judge(MILDER[name][0], name, seed, slim(milder(name, seed))))
    return Table([*runs, *of_pairs(study)], time.perf_counter() - started)


def milder(name: str, seed: int) -> RunLog:
    """A run of the clinic with four blocks and a fault in a small dose."""
    fault, changes = MILDER[name]
    steps = changes.get("steps", clinic.PairConfig().steps)
    text = text_of(clinic.STORIES, clinic.BATCH_ROWS, seed)
    setup = clinic.setup_of(clinic.Recipe(fault), steps, text.tokenizer.vocab_size)
    training = {n: value for n, value in changes.items() if n in ("steps", "learning_rate")}
    setup = replace(
        setup,
        model=setup.model.with_(num_layers=4),
        training=replace(setup.training, **training),
        **{n: value for n, value in changes.items() if n not in training},
    )
    model = faults.build(setup, seed)
    batches = faults.batches(setup, text.batch_at, 1, seed)
    return log_of_steps(
        list(clinic.trained(model, clinic.adamw(model, setup), setup, text, batches))
    )


def pairs(
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = clinic.PairConfig().steps,
    recipes: Sequence[str] = tuple(RECIPES),
) -> PairsStudy:
    """The clinic's recipes with all seeds."""
    started = time.perf_counter()
    runs = {
        name: [slim(log_of_steps(list(make(RECIPES[name], steps, seed)))) for seed in seeds]
        for name in recipes
    }
    return PairsStudy(list(seeds), steps, runs, time.perf_counter() - started)


def of_pairs(study: PairsStudy) -> list[Judged]:
    """The clinic's own runs as rows of the table: the sick ones, and the twins as healthy ones."""
    truths = {case.sick: case.fault for case in CASES.values()}
    return [
        replace(judge(truths.get(name, "healthy"), name, seed, log), log=None)
        for name, logs in study.runs.items()
        for seed, log in zip(study.seeds, logs, strict=True)
    ]


def confusion(runs: list[Judged], level: str) -> tuple[list[str], list[str], np.ndarray]:
    """Truths, names given, and how many runs of each truth were given each name.  (rows, columns)

    >>> runs = [Judged("leak", "", seed, None, {"loss": "healthy"}, 1.0) for seed in (0, 1)]
    >>> confusion(runs, "loss")
    (['leak'], ['leak', 'healthy'], array([[0, 2]]))
    """
    truths = list(dict.fromkeys(run.truth for run in runs))
    columns = list(dict.fromkeys([*truths, *(run.named[level] for run in runs)]))
    counts = np.zeros((len(truths), len(columns)), np.int64)
    for run in runs:
        counts[truths.index(run.truth), columns.index(run.named[level])] += 1
    return truths, columns, counts


def slim(log: RunLog) -> RunLog:
    """The same log in half the bytes: seven digits are more than any rule looks at."""
    short = {
        field.name: value.astype(np.float32)
        for field in fields(log)
        if isinstance(value := getattr(log, field.name), np.ndarray) and field.name != "step"
    }
    return replace(log, step=log.step.astype(np.int32), **short)
