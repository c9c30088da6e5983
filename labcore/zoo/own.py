"""Models that learners trained here or brought along, kept in memory under a name made of their bytes.

The same file has the same name for everybody, so a result computed for one learner serves the next.
The oldest are let go when too many have come; their owners hold the files.
"""

import hashlib
import threading

import cachetools

from labcore.errors import LabInputError
from labcore.training import checkpoints
from labcore.zoo.cards import LoadedModel, from_checkpoint

PREFIX = "own-"
KEPT_BYTES = 128 * 2**20
_kept: cachetools.LRUCache = cachetools.LRUCache(KEPT_BYTES, getsizeof=lambda entry: entry[1])
_lock = threading.Lock()


def adopt(data: bytes) -> str:
    """Keep a model saved by this lab and give back the name that `load` knows it by.

    Raises LabInputError("upload", …) for anything else; see `checkpoints.load_bytes`.
    """
    name = PREFIX + hashlib.sha256(data).hexdigest()[:12]
    with _lock:
        if name in _kept:
            return name
    model = from_checkpoint(checkpoints.load_bytes(data), name, "own", licence=None)
    with _lock:
        _kept[name] = (model, len(data))
    return name


def is_kept(name: str) -> bool:
    with _lock:
        return name in _kept


def load(name: str) -> LoadedModel:
    """Raises LabInputError("model_id", name, "not_kept") if it was never here or has been let go."""
    with _lock:
        entry = _kept.get(name)
    if entry is None:
        raise LabInputError("model_id", name, "not_kept")
    return entry[0]
