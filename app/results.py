"""Results kept: a cache that thirty learners share, and recordings that come with the lab.

A recording is one safetensors file: the arrays as tensors, everything else as JSON in its metadata.
Nothing is unpickled.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import cachetools
import cattrs
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

import labcore
from app.catalog import ROOT
from app.provenance import Provenance
from labcore import shipped

Result = TypeVar("Result")
RECORDINGS = ROOT / "assets" / "recordings"
CACHE_BYTES = 256 * 2**20


def _code_version() -> str:
    sources = sorted(Path(labcore.__file__).parent.rglob("*.py"))
    return hashlib.sha1(
        b"".join(path.read_bytes() for path in sources), usedforsecurity=False
    ).hexdigest()


CODE_VERSION = _code_version()  # read at import, so that it names the code that runs


def size_bytes(value: Any) -> int:
    """Bytes held by the arrays and texts of a result, however deep they lie."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, bytes | str):
        return 64 + len(value)
    if is_dataclass(value):
        return 64 + sum(size_bytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return 64 + sum(size_bytes(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return 64 + sum(size_bytes(item) for item in value)
    return 64


_cache: cachetools.LRUCache = cachetools.LRUCache(
    CACHE_BYTES, getsizeof=lambda value: min(size_bytes(value), CACHE_BYTES)
)


@cachetools.cached(
    _cache, key=lambda run, config, extra: (run.__module__, run.__qualname__, config, extra),
    condition=threading.Condition(),
)  # fmt: skip
def _computed(run: Callable[[Any], Result], config: Any, extra: str) -> Result:
    return run(config)


def cached(run: Callable[[Any], Result], config: Any) -> Result:
    """`run(config)`, computed once for everybody who asks with an equal config.

    The result is shared: charts read it and change nothing.
    """
    return _computed(run, config, CODE_VERSION)


@dataclass(frozen=True, slots=True)
class Recording:
    result: Any
    provenance: Provenance


def save(path: Path, result: Any, provenance: Provenance) -> None:
    """Write a result dataclass with its provenance to one safetensors file."""
    arrays: dict[str, np.ndarray] = {}
    plain = _writer(arrays).unstructure(result)
    metadata = {"result": json.dumps(plain), "provenance": json.dumps(asdict(provenance))}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays or {"none": np.zeros(1, np.uint8)}, path, metadata=metadata)
    shipped.seal(path)


def load(path: Path, kind: type[Result]) -> Recording:
    """Read what `save` wrote back into `kind`. LabInputError if a file of the lab is damaged."""
    with safe_open(shipped.whole(path), framework="numpy") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    result = _reader(arrays).structure(json.loads(metadata["result"]), kind)
    return Recording(result, Provenance(**json.loads(metadata["provenance"])))


def _writer(arrays: dict[str, np.ndarray]) -> cattrs.Converter:
    """A converter that puts arrays and bytes aside and leaves their name in the JSON."""

    def put(array: np.ndarray) -> str:
        name = f"array{len(arrays)}"
        arrays[name] = np.ascontiguousarray(array)
        return name

    converter = cattrs.Converter()
    converter.register_unstructure_hook(np.ndarray, put)
    converter.register_unstructure_hook(bytes, lambda data: put(np.frombuffer(data, np.uint8)))
    return converter


def _reader(arrays: dict[str, np.ndarray]) -> cattrs.Converter:
    converter = cattrs.Converter()
    converter.register_structure_hook(np.ndarray, lambda name, _: arrays[name])
    converter.register_structure_hook(bytes, lambda name, _: arrays[name].tobytes())
    return converter
