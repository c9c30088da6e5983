"""A small search for good hyper-parameters: many short runs, each chosen in the light of those before.

The sampler is a tree-structured Parzen estimator (Bergstra et al. 2011): it learns where good trials lie and
draws the next one there; or plain random draws, for comparison. A trial that after a third of its steps is
worse than most others were at the same step is cut short (the median rule). Both are optuna's; nothing
is stored on disk.

Axes: K trials, M looks at held-out text.
"""

import time
import warnings
from collections.abc import Generator
from dataclasses import dataclass, field

import optuna

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.pretraining.corpus import Source
from labcore.pretraining.monitor import STORIES, MonitorConfig
from labcore.pretraining.monitor_text import text_of
from labcore.training import faults, optimiser
from labcore.training.loop import train
from labcore.training.objectives import held_out_loss
from labcore.training.rules import OPTIMISERS

SAMPLERS = ("tpe", "random")
LIMITS = {"trials": (2, 40), "steps": (20, 200), "seed": (0, 9999)}
LOOKS = 6  # at held-out text in a trial; after each one it may be cut short
FIRST_RANDOM = 4  # trials that are drawn blindly, for the sampler to learn from
DECAYS, WARMUPS = (0.0, 0.01, 0.1), (0, 5, 15)


@lab_config
class SearchConfig:
    optimisers: tuple[str, ...] = ("adamw",)  # among which the search may choose
    lowest_rate: float = 1e-3
    highest_rate: float = 1e-1
    trials: int = 10
    steps: int = 60
    sampler: str = "tpe"
    prune: bool = True
    seed: int = 0
    corpus: Source = field(default=STORIES)

    def __post_init__(self):
        check_limits(self, LIMITS)
        if not self.optimisers:
            raise LabInputError("optimisers", self.optimisers, "not_empty")
        for name in self.optimisers:
            if name not in OPTIMISERS:
                raise LabInputError("optimiser", name, "known_choice", allowed=OPTIMISERS)
        if self.sampler not in SAMPLERS:
            raise LabInputError("sampler", self.sampler, "known_choice", allowed=SAMPLERS)
        if not 0 < self.lowest_rate < self.highest_rate:
            raise LabInputError("highest_rate", self.highest_rate, "above", limit=self.lowest_rate)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One finished or cut run."""

    number: int  # from 0
    optimiser: str
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    looks: list[int]  # (M,) steps at which held-out text was looked at
    validation_nats: list[float]  # (M,)
    cut: bool

    @property
    def final_nats(self) -> float:
        """The last look; of a trial that was cut, not comparable with the others."""
        return self.validation_nats[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    share: float  # of all trials done, 0 to 1
    trial: Trial | None  # one that has just ended
    number: int  # of the trial under way
    trials: int  # in all
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    trials: list[Trial]  # K
    best: int  # number of the best trial that was not cut
    updates: int  # made in all trials together
    floor_nats: float | None
    seconds: float


def run(config: SearchConfig) -> SearchResult:
    return drain(search(config))


def search(config: SearchConfig) -> Generator[Progress, None, SearchResult]:
    """Ask for a trial, train it, tell how good it was; so many times."""
    started, trials, updates = time.perf_counter(), [], 0
    study, text = new_study(config), text_of(config.corpus, MonitorConfig().batch_size, config.seed)
    for number in range(config.trials):
        asked = study.ask()
        monitor, looks, nats, cut = suggested(asked, config), [], [], False
        setup = monitor.setup(text.tokenizer.vocab_size)
        model, training = faults.build(setup, config.seed), setup.training
        moving = optimiser.build(
            monitor.optimiser, model, training.learning_rate, training.weight_decay
        )
        batches = faults.batches(setup, text.batch_at, 1, config.seed)
        for step in train(model, batches, training, optimiser=moving):
            updates += 1
            yield Progress(
                (number + step.share) / config.trials, None, number, config.trials, step.step
            )
            if step.step % max(1, config.steps // LOOKS) == 0 or step.share == 1 or step.diverged:
                looks.append(step.step)
                nats.append(
                    float("inf") if step.diverged else held_out_loss(model, [text.held_out])
                )
                asked.report(min(nats[-1], 1e9), step.step)
                cut = step.share < 1 and (
                    step.diverged or (config.prune and bool(asked.should_prune()))
                )
                if cut:
                    break
        state = optuna.trial.TrialState.PRUNED if cut else optuna.trial.TrialState.COMPLETE
        study.tell(asked, None if cut else nats[-1], state)
        trials.append(
            Trial(
                number, monitor.optimiser, monitor.learning_rate, monitor.weight_decay,
                monitor.warmup_steps, looks, nats, cut,
            )
        )  # fmt: skip
        yield Progress((number + 1) / config.trials, trials[-1], number, config.trials, looks[-1])
    whole = [trial for trial in trials if not trial.cut] or trials
    best = min(whole, key=lambda trial: trial.final_nats).number
    return SearchResult(trials, best, updates, text.floor_nats, time.perf_counter() - started)


def new_study(config: SearchConfig) -> optuna.Study:
    """A study in memory whose every draw follows from the seed."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samplers = {
        "tpe": lambda: optuna.samplers.TPESampler(
            n_startup_trials=FIRST_RANDOM, seed=config.seed, multivariate=False
        ),
        "random": lambda: optuna.samplers.RandomSampler(seed=config.seed),
    }
    pruner = optuna.pruners.MedianPruner(
        n_startup_trials=FIRST_RANDOM, n_warmup_steps=config.steps // 3
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.create_study(sampler=samplers[config.sampler](), pruner=pruner)


def suggested(asked: optuna.Trial, config: SearchConfig) -> MonitorConfig:
    """The run that the sampler wants to see next: rates are drawn on a logarithmic scale."""
    return MonitorConfig(
        optimiser=asked.suggest_categorical("optimiser", config.optimisers),
        learning_rate=asked.suggest_float(
            "learning_rate", config.lowest_rate, config.highest_rate, log=True
        ),
        weight_decay=asked.suggest_categorical("weight_decay", DECAYS),
        warmup_steps=asked.suggest_categorical("warmup_steps", WARMUPS),
        steps=config.steps,
        seed=config.seed,
        corpus=config.corpus,
    )
