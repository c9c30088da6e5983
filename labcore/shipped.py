"""Files that come with the lab: read only if they are, byte for byte, what was put there.

A weight whose bits have turned is a number like any other, so a page would show wrong results without a
word. `assets/sha256.txt` has a line for every file of numbers; `sha256sum -c sha256.txt` there checks them
by hand. Whatever makes such a file again writes its line anew (`seal`), or, for all of them:
`python -m labcore.shipped`.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath

import safetensors.torch
from torch import Tensor

from labcore.errors import LabInputError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
LIST = "sha256.txt"
KINDS = ("**/*.safetensors", "**/*.zip", "checkpoints/*/*.json")


def whole(path: Path) -> Path:
    """`path`, if it is whole. A file that does not come with the lab is not judged.

    Raises LabInputError("file", name, "damaged_file", file=name).
    """
    name = _name(path)
    if name is None:
        return path
    known = _known(ASSETS / LIST)
    try:
        if _sha256(path) == known.get(name):
            return path
    except OSError:
        pass
    raise LabInputError("file", name, "damaged_file", file=name)


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, if it is whole."""
    return safetensors.torch.load_file(whole(path))


def save(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file that comes with the lab."""
    safetensors.torch.save_file(dict(weights), path)
    seal(path)


def seal(*paths: Path) -> None:
    """Note that these files are as they should be; those elsewhere are no concern of the list."""
    names = {name: path for path in paths if (name := _name(path)) is not None}
    if names:
        known = dict(_known(ASSETS / LIST)) if (ASSETS / LIST).exists() else {}
        _write(known | {name: _sha256(path) for name, path in names.items()})


def listed(pattern: str) -> list[str]:
    """What comes with the lab by the list, be it there or not: a name like `checkpoints/*/card.json`."""
    return sorted(name for name in _known(ASSETS / LIST) if PurePosixPath(name).match(pattern))


def all_names() -> list[str]:
    """Every file that must stand in the list."""
    return sorted({_name(path) for kind in KINDS for path in ASSETS.glob(kind)})


def _name(path: Path) -> str | None:
    path = Path(path).resolve()
    return path.relative_to(ASSETS).as_posix() if path.is_relative_to(ASSETS) else None


@cache
def _known(path: Path) -> dict[str, str]:
    """From lines as `sha256sum` writes them: digest, two blanks, name."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        raise LabInputError("file", LIST, "damaged_file", file=LIST) from error


def _write(digests: Mapping[str, str]) -> None:
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    (ASSETS / LIST).write_text("".join(lines), encoding="utf-8")
    _known.cache_clear()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    _write({name: _sha256(ASSETS / name) for name in all_names()})
