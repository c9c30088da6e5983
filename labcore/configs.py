"""What a lab is asked, as a value: a frozen dataclass whose fields are what they say.

Python does not hold a field to its annotation, so the rules of a config would compare `None` with 1 or let
NaN through (which is neither below a limit nor above it). In a class marked `@lab_config` the rules of its
own `__post_init__` meet values of the right kind only; what they let pass must be finite.
"""

import math
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from labcore.errors import LabInputError

Config = TypeVar("Config")

WHOLE_LIMIT = 2**63  # what a tensor of whole numbers can hold
SEED_LIMIT = 2**32 - 1  # and a generator seeded by it, or by the next few


def lab_config(cls: type[Config]) -> type[Config]:
    """`@dataclass(frozen=True, slots=True)` with fields that are checked: `LabInputError` names the one
    at fault.

    Several things are a tuple. A list, as JSON brings it, is refused rather than turned into one: a config
    is the key of its result, so it must have a hash, and what it was given is what it holds. Who reads JSON
    says `tuple(…)`.

    >>> @lab_config
    ... class Toy:
    ...     steps: int = 10
    >>> Toy(steps=None)
    Traceback (most recent call last):
    labcore.errors.LabInputError: steps = None: whole_number
    """
    rules = getattr(cls, "__post_init__", None)

    def __post_init__(self) -> None:
        check_kinds(self)
        if rules is not None:
            rules(self)  # before the next: "between 0 and 1" says more of NaN than "finite"
        check_finite(self)

    cls.__post_init__ = __post_init__
    return dataclass(frozen=True, slots=True)(cls)


def check_kinds(config: object) -> None:
    """Each field must hold a value of the kind that its annotation names."""
    for name, kind in _hints(type(config)).items():
        if not _fits(getattr(config, name), kind):
            raise LabInputError(name, getattr(config, name), _rule(kind))


def check_finite(config: object) -> None:
    """No number is infinite or none at all, and a seed is one that any generator takes."""
    for name in _hints(type(config)):
        value = getattr(config, name)
        if not _is_finite(value):
            raise LabInputError(name, value, "number")
        if name in ("seed", "seeds"):
            _check_seed(name, value)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _fits(value: object, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        return isinstance(value, tuple) and _tuple_fits(value, parts)
    if kind in _KINDS:
        return _KINDS[kind](value)
    kind = origin or kind
    return not isinstance(kind, type) or isinstance(value, kind)


def _tuple_fits(value: tuple, parts: tuple) -> bool:
    if parts[-1:] == (Ellipsis,):
        return all(_fits(item, parts[0]) for item in value)
    return len(value) == len(parts) and all(map(_fits, value, parts))


def _is_whole(value: object) -> bool:
    # bool is a subclass of int: True steps are no number of steps.
    return (
        isinstance(value, Integral)
        and not isinstance(value, bool)
        and -WHOLE_LIMIT <= value < WHOLE_LIMIT
    )


def _is_number(value: object) -> bool:
    if isinstance(value, Integral):
        return _is_whole(value)
    return isinstance(value, Real)


def _is_finite(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, Real) or math.isfinite(value)


_KINDS = {
    int: _is_whole,
    float: _is_number,
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool | np.bool_),
}
_RULES = {int: "whole_number", float: "number", str: "text", bool: "yes_or_no", tuple: "list"}


def _rule(kind: Any) -> str:
    """The sentence that says what should have been there."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _rule(next(part for part in get_args(kind) if part is not NoneType))
    if origin is Literal:
        return "known_choice"
    return _RULES.get(origin or kind, "kind")


def _check_seed(name: str, value: object) -> None:
    for seed in value if isinstance(value, tuple) else (value,):
        # `seeds` is a number of seeds in some labs, and the seeds themselves in others.
        if isinstance(seed, Integral) and not 0 <= seed <= SEED_LIMIT:
            raise LabInputError(name, value, "between", low=0, high=SEED_LIMIT)
