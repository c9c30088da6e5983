"""How long a linear map takes in the form in which it is stored, and how many bytes that is.

Every form is warmed up first; then rounds go through all forms in turn, so that whatever else the machine
does meets all of them alike. A round is the mean of some calls; the median over rounds is told with the
fastest and the slowest. Time is the processor's, not the clock's: with one thread it is what an idle
core would take, and on a shared machine rounds differ by a tenth instead of by a factor. Of whole models
only one is in memory at a time, so their rounds do not take turns.

Axes: F forms, R rounds, I inputs, O outputs.
"""

import copy
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from labcore.compression import judged, stored_linear
from labcore.compression.quantise_smollm import NAME
from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.tuning.lora import replace
from labcore.zoo import load

LIMITS = {"width": (64, 4096), "rows": (1, 256), "rounds": (3, 50)}
ROUND_SECONDS = 0.02  # a round has as many calls as fit into it
WARM_UP_CALLS = 3
PROMPT_TOKENS = 48


@lab_config
class SpeedConfig:
    width: int = 1024  # inputs and outputs of the map
    rows: int = 1  # tokens that go through it at once: 1 when writing, many when reading a prompt
    rounds: int = 9
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Step:
    form: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class SpeedResult:
    forms: list[str]
    seconds: np.ndarray  # (F, R) per call
    stored_bytes: np.ndarray  # (F,)
    errors: np.ndarray  # (F,) ‖y' − y‖² / ‖y‖² against fp32


@dataclass(frozen=True, slots=True, eq=False)
class SpeedStudy:
    """One map and the whole of SmolLM2, for one token and for many at once."""

    layers: dict[str, SpeedResult] = field(default_factory=dict)  # by rows
    models: dict[str, SpeedResult] = field(default_factory=dict)  # by tokens


def run(config: SpeedConfig) -> SpeedResult:
    return drain(measure(config))


@torch.no_grad()
def measure(config: SpeedConfig) -> Generator[Step, None, SpeedResult]:
    """One map in every form."""
    rng = torch.Generator().manual_seed(config.seed)
    weight = torch.randn(config.width, config.width, generator=rng) / config.width**0.5
    x = torch.randn(config.rows, config.width, generator=rng)
    modules = {}
    names = stored_linear.available()
    for at, name in enumerate(names):
        modules[name] = stored_linear.FORMS[name](weight)
        yield Step(name, (at + 1) / (2 * len(names)))
    outputs = {name: module(x) for name, module in modules.items()}
    seconds = timed(
        {name: lambda module=module: module(x) for name, module in modules.items()}, config.rounds
    )
    return SpeedResult(
        list(modules),
        seconds,
        np.array([stored_linear.bytes_of(module) for module in modules.values()]),
        np.array([_off(outputs[name], outputs["fp32"]) for name in modules]),
    )


def timed(calls: dict[str, Callable[[], object]], rounds: int) -> np.ndarray:
    """Processor seconds per call: warm-up, then rounds through all of them in turn.  -> (F, R)"""
    repeats = {}
    for name, call in calls.items():
        for _ in range(WARM_UP_CALLS):
            call()
        started = time.process_time()
        call()
        repeats[name] = max(1, int(ROUND_SECONDS / (time.process_time() - started)))
    seconds = np.zeros((len(calls), rounds))
    for at in range(rounds):
        for row, (name, call) in enumerate(calls.items()):
            started = time.process_time()
            for _ in range(repeats[name]):
                call()
            seconds[row, at] = (time.process_time() - started) / repeats[name]
    return seconds


@torch.no_grad()
def whole_model(tokens: int, rounds: int = 5) -> SpeedResult:
    """SmolLM2 with the matrices of its blocks in each form, one forward pass over so many tokens."""
    whole = load(NAME).model
    text = torch.arange(100, 100 + tokens)[None]
    says = whole(text).logits
    forms, seconds, sizes, errors = [], [], [], []
    for name in stored_linear.available():
        model = in_form(copy.deepcopy(whole), name)
        forms.append(name)
        errors.append(_off(model(text).logits, says))
        sizes.append(sum(stored_linear.bytes_of(m) for m in placed(model)))
        seconds.append(timed({name: lambda model=model: model(text)}, rounds)[0])
        del model
    return SpeedResult(forms, np.stack(seconds), np.array(sizes), np.array(errors))


def in_form(model: nn.Module, form: str) -> nn.Module:
    """Every matrix of the blocks kept in this form; the model is changed."""
    for name, linear in judged.matrices(model).items():
        replace(model, name, stored_linear.FORMS[form](linear.weight.detach()))
    return model


def placed(model: nn.Module) -> list[nn.Module]:
    """What stands where the matrices of the blocks were."""
    names = judged.matrices(load(NAME).model)
    return [model.get_submodule(name) for name in names]


def _off(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got - expected).square().sum() / expected.square().sum())


def study() -> SpeedStudy:
    layers = {str(rows): run(SpeedConfig(rows=rows, rounds=15)) for rows in (1, 64)}
    models = {str(tokens): whole_model(tokens) for tokens in (1, PROMPT_TOKENS)}
    return SpeedStudy(layers, models)
