"""Runs without a model, for the tests of background runs. The workers import them by path."""

import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labcore.errors import LabInputError


@dataclass(frozen=True)
class Steps:
    """How many steps, how long each, and a file that gets one line per time the run is begun."""

    count: int = 5
    seconds: float = 0.0
    began: str = ""


@dataclass(frozen=True)
class Step:
    number: int
    share: float
    pid: int


@dataclass(frozen=True)
class Squares:
    values: np.ndarray  # (count,)


def squares(config: Steps) -> Generator[Step, None, Squares]:
    """One square a step."""
    if config.began:
        with Path(config.began).open("a") as file:
            file.write("began\n")
    for number in range(config.count):
        time.sleep(config.seconds)
        yield Step(number, (number + 1) / config.count, os.getpid())
    return Squares(np.arange(config.count) ** 2)


def divide_by_zero(config: Steps) -> Generator[Step, None, float]:
    yield Step(0, 0.5, os.getpid())
    return config.count / 0


def refuse(config: Steps) -> Generator[Step, None, None]:
    yield Step(0, 0.5, os.getpid())
    raise LabInputError("count", config.count, "at_most", limit=3)


def eat_memory(config: Steps) -> Generator[Step, None, int]:
    """Ask for `count` GiB at once."""
    yield Step(0, 0.0, os.getpid())
    return np.ones(config.count * 2**27).size


def endless(config: Steps) -> Generator[Step, None, None]:
    """Yield without measure."""
    number = 0
    while True:
        yield Step(number, 0.0, 0)
        number += 1


def fill_the_disk(config: Steps) -> Generator[Step, None, None]:
    """Write into the file `began`, `count` MB of it."""
    yield Step(0, 0.5, os.getpid())
    Path(config.began).write_bytes(bytes(config.count * 2**20))


def beats(config: Steps) -> Generator[Step, None, None]:
    """A line in the file `began` for every step, so that others see it go on and stop."""
    for number in range(config.count):
        time.sleep(config.seconds)
        with Path(config.began).open("a") as file:
            file.write("beat\n")
        yield Step(number, (number + 1) / config.count, os.getpid())
