"""Every config of labcore, found by walking the package, and values for its fields, sensible and not."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

import labcore
from benchmarks.hostile import FILES, NOT_NUMBERS, NUMBERS, TEXTS
from labcore.errors import LabInputError

# Dataclasses with a `__post_init__` that are no question to a lab: they are made by labcore alone.
NO_CONFIGS = {"MicroWorld", "BPETokenizer"}


@dataclass(frozen=True, slots=True)
class Found:
    """A config, and the functions of labcore that need it and nothing else."""

    cls: type
    functions: tuple[Callable, ...]

    @property
    def name(self) -> str:
        return f"{self.cls.__module__.removeprefix('labcore.')}.{self.cls.__name__}"


@cache
def modules() -> tuple:
    found = pkgutil.walk_packages(labcore.__path__, "labcore.")
    return tuple(importlib.import_module(module.name) for module in found)


@cache
def configs() -> tuple[Found, ...]:
    """All of them: checked when made, called a config, or asked for by a lab's `run`."""
    taken: dict[type, list[Callable]] = {}
    for module in modules():
        for function in vars(module).values():
            if not inspect.isfunction(function) or function.__module__ != module.__name__:
                continue
            if (asked := _sole_argument(function)) is not None:
                taken.setdefault(asked, []).append(function)
    classes = [
        cls
        for module in modules()
        for cls in vars(module).values()
        if inspect.isclass(cls) and cls.__module__ == module.__name__ and _is_config(cls, taken)
    ]
    return tuple(
        Found(cls, tuple(taken.get(cls, ())))
        for cls in sorted(classes, key=lambda cls: (cls.__module__, cls.__name__))
    )


def _is_config(cls: type, taken: dict[type, list[Callable]]) -> bool:
    if not is_dataclass(cls) or cls.__name__ in NO_CONFIGS:
        return False
    asked_by_a_run = any(function.__name__ == "run" for function in taken.get(cls, ()))
    return "__post_init__" in vars(cls) or cls.__name__.endswith("Config") or asked_by_a_run


def _sole_argument(function: Callable) -> type | None:
    needed = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty and parameter.kind != parameter.VAR_KEYWORD
    ]
    if function.__name__.startswith("_") or len(needed) != 1:
        return None
    try:
        kind = get_type_hints(function).get(needed[0].name)
    except NameError:  # an annotation for type checkers alone
        return None
    return kind if isinstance(kind, type) and is_dataclass(kind) else None


# What a config without defaults is made of.


def plain(cls: type) -> Any:
    """The config at its defaults; what has none gets the simplest value that its lab takes."""
    needed = [f.name for f in fields(cls) if f.init and f.default is f.default_factory is MISSING]
    return cls(**{name: _simplest(cls, name) for name in needed})


GIVEN: dict[str, dict[str, Any]] = {
    "head_ablation.GroupConfig": {"place": 0},
    "head_probes.QueryKeyConfig": {"model": "world-decoder", "ids": (5, 6, 7)},
    "config.RopeScaling": {"kind": "linear"},
    "taint.Value": {"text": "a", "sources": frozenset({"user"})},
    "agent_world.Task": {"kind": "one", "names": ("a",), "thing": "a"},
    "law.FitConfig": {
        "parameters": (1e4, 2e4, 4e4, 1e4, 2e4, 4e4), "tokens": (1e5, 1e5, 1e5, 4e5, 4e5, 4e5),
        "nats": (3.0, 2.8, 2.7, 2.9, 2.6, 2.5), "runs": (0, 1, 2, 0, 1, 2),
    },
    "runs.RunConfig": {"width": 16, "steps": (2, 4)},
    "engine.Ask": {"prompt": (5, 6)},
    "zoo.Examination": {"ward": "inside", "test": "loops", "bug": "rope_layout"},
}  # fmt: skip


def _simplest(cls: type, name: str) -> Any:
    given = GIVEN.get(f"{cls.__module__.split('.')[-1]}.{cls.__name__}", {})
    if name in given:
        return given[name]
    kind = get_type_hints(cls)[name]
    if is_dataclass(kind):
        return plain(kind)
    return {str: "小猫", int: 1, float: 0.5, bool: False, bytes: b""}.get(kind, ())


# What a field may be handed.


def anything(kind: Any, now: Any) -> st.SearchStrategy:
    """Values for a field of this kind: near what it holds, far from it, and of another kind."""
    return st.one_of(fitting(kind, now), st.sampled_from(NOT_NUMBERS), st.sampled_from(NUMBERS))


def fitting(kind: Any, now: Any) -> st.SearchStrategy:
    """Values that the annotation allows, whether or not the lab does."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of(*(fitting(part, now) for part in parts))
    if origin is Literal:
        return st.sampled_from([*parts, "?"])
    if origin is tuple and parts:
        part = parts[0]
        inner = now[0] if isinstance(now, tuple) and now else None
        return st.lists(fitting(part, inner), max_size=4).map(tuple)
    if kind is NoneType:
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.one_of(
            st.integers(-2, 12), st.integers(), st.sampled_from([n for n in NUMBERS if n == n])
        )
    if kind is float:
        return st.one_of(st.floats(0, 2), st.floats(), st.sampled_from(NUMBERS))
    if kind is str:
        return st.one_of(st.sampled_from(TEXTS), st.text(max_size=30), st.just(now))
    if kind is bytes:
        return st.binary(max_size=40)
    return st.just(now)  # another config: it has a test of its own


def tiny(config: Any) -> Any:
    """A config like this one, with each number of things as small as the lab lets it be: a short run."""
    for f in fields(config):
        now = getattr(config, f.name)
        if is_dataclass(now):
            less = [tiny(now)]
        elif isinstance(now, tuple):
            less = [now[:1], now[:2]]
        elif isinstance(now, int) and not isinstance(now, bool) and "seed" not in f.name:
            less = [n for n in (1, 2, 3, 4, *(2**k for k in range(3, 16))) if n < now]
        else:
            continue
        config = next(filter(None, (_made(config, {f.name: one}) for one in less)), config)
    return config


@st.composite
def small_config(draw: Callable, config: Any) -> Any:
    """This config or its tiny one, up to three of its fields turned; what the lab refuses stays as it was."""
    names = [f.name for f in fields(config) if f.init]
    turned = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else []
    new = {name: draw(small(type(config), name, getattr(config, name))) for name in turned}
    base = tiny(config)
    return _made(base, new) or base


def _made(config: Any, new: dict[str, Any]) -> Any | None:
    try:
        return changed(config, new)
    except LabInputError:
        return None


def small(cls: type, name: str, now: Any) -> st.SearchStrategy:
    """Values with which a run stays small: no number of things more than twice what stands in the field."""
    return st.one_of(st.just(now), _small(get_type_hints(cls)[name], now, choices(cls, name)))


def _small(kind: Any, now: Any, words: tuple[str, ...]) -> st.SearchStrategy:
    origin, parts = get_origin(kind), get_args(kind)
    if is_dataclass(now):
        return small_config(now)
    if origin in (Union, UnionType):
        return st.one_of(*(_small(part, now, words) for part in parts))
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return _small_tuple(parts, now, words)
    if kind is NoneType:
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        top = max(2, min(now if isinstance(now, int) else 2, 2**16))
        return st.one_of(st.integers(-1, min(top, 4)), st.integers(0, 2 * top))
    if kind is float:
        top = now if isinstance(now, float) and now > 0 else 1.0
        return st.one_of(st.floats(0, top), st.sampled_from([n for n in NUMBERS if n == n]))
    if kind is str:
        return st.sampled_from(words) if words else st.sampled_from(TEXTS[:34])
    if kind is bytes:
        return st.sampled_from(FILES)
    return st.just(now)


def _small_tuple(parts: tuple, now: tuple | None, words: tuple[str, ...]) -> st.SearchStrategy:
    now = now or ()
    if now and parts[-1:] != (Ellipsis,):
        return st.tuples(*(_small(part, one, words) for part, one in zip(parts, now, strict=True)))
    part = st.one_of(*(_small(parts[0], one, words) for one in now[:4] or (None,)))
    return st.one_of(
        st.sampled_from([now, now[:1], now[-1:], ()]), st.lists(part, max_size=3).map(tuple)
    )


@cache
def choices(cls: type, name: str) -> tuple[str, ...]:
    """The words that this field may hold, as its own error tells them."""
    try:
        changed(plain(cls), {name: "no such word"})
    except LabInputError as refused:
        return tuple(w for w in refused.facts.get("allowed", ()) if isinstance(w, str))
    return ()


def changed(config: Any, new: dict[str, Any]) -> Any:
    held = {f.name: getattr(config, f.name) for f in fields(config) if f.init}
    return type(config)(**(held | new))


def names_of(config: Any) -> Iterator[str]:
    """Its fields, and those of the configs in it."""
    for f in fields(config):
        yield f.name
        inner = getattr(config, f.name)
        for part in inner if isinstance(inner, tuple) else (inner,):
            if is_dataclass(part):
                yield from names_of(part)
