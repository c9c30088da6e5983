"""What a config lets pass, runs: each function that asks for a config alone, with small values in its fields.

It gives numbers that are finite, or refuses the config in a sentence. Of a run in steps the first two are
taken. `LLM_LAB_EXAMPLES=2000` tries that many configs for each function instead of a few.
"""

import inspect
import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

FIRST = 2


def ran(function, config) -> list:
    """What it gives, or the first things that it yields."""
    given = function(config)
    if not inspect.isgenerator(given):
        return [given]
    try:
        return list(itertools.islice(given, FIRST))
    finally:
        given.close()


def not_finite(given: Any, where: str = "", seen: set | None = None) -> Iterator[str]:
    """The places in a result where a number is infinite or none."""
    seen = set() if seen is None else seen
    if isinstance(given, float | complex | np.floating):
        if not np.isfinite(given):
            yield where
    elif isinstance(given, torch.Tensor):
        if not bool(torch.isfinite(given.detach()).all()):
            yield where
    elif isinstance(given, np.ndarray):
        if given.dtype.kind in "fc" and not np.isfinite(given).all():
            yield where
    elif id(given) not in seen:
        seen.add(id(given))
        for name, part in parts(given):
            yield from not_finite(part, f"{where}.{name}", seen)


def parts(given: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(given) and not isinstance(given, type):
        for f in fields(given):
            yield f.name, getattr(given, f.name, None)
    elif isinstance(given, dict):
        for value in given.values():
            yield "*", value
    elif isinstance(given, list | tuple | set | frozenset):
        for value in given:
            yield "*", value
