"""A download in a process of its own: it can be given up, and it ends with whoever started it.

A thread that reads from a server which answers half of a file and then falls silent cannot be ended, and
would keep this process from ending too. So pip, and the hub's client, run beside it: this file is both
sides, `run` here and `python download.py …` there, where nothing heavy is imported.
"""

import contextlib
import json
import os
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STALL_SECONDS = 60.0  # nothing more has come for so long: a server that has fallen silent
POLL_SECONDS = 0.2
CHUNK_BYTES = 1 << 18  # what a client holds back before the folder shows it


class Stalled(TimeoutError):
    """Nothing more came."""


def run(
    arguments: Sequence[str], folder: Path, expected_bytes: int, on_progress, environment: Mapping[str, str],
) -> tuple[int, str, str]:  # fmt: skip
    """Exit status and both outputs of `download.py arguments`, which fills `folder`.

    Reports "downloading" by how much the folder has grown: neither pip nor the hub client tells every
    version the same way how far it is. Raises `Stalled`.
    """
    process = subprocess.Popen(  # nosec B603 # our own words, no shell
        [sys.executable, __file__, str(os.getpid()), *arguments],
        env={**os.environ, **environment}, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    try:
        grown, since = -1, time.monotonic()
        while True:
            now_bytes = folder_bytes(folder)
            if now_bytes != grown:
                grown, since = now_bytes, time.monotonic()
            if time.monotonic() - since > STALL_SECONDS:
                raise Stalled(f"{STALL_SECONDS:g} s without a byte")
            on_progress(min(grown / max(expected_bytes, 1), 1.0), "downloading")
            with contextlib.suppress(subprocess.TimeoutExpired):
                said, complained = process.communicate(timeout=POLL_SECONDS)
                return process.returncode, said, complained
    finally:
        process.kill()
        process.communicate()


def folder_bytes(folder: Path) -> int:
    """What the files under `folder` add up to; a file that vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def rule_of(error: Exception) -> str | None:
    """Turns the hub client's many errors into the rule of a LabInputError; None: it is none of them."""
    from huggingface_hub import errors

    from labcore.errors import no_room, no_writing

    if no_room(error):
        return "disk_full"
    if no_writing(error):
        return "cache_writable"
    if isinstance(error, errors.GatedRepoError):  # a kind of "not found", so it comes first
        return "gated_model"
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
        return "no_such_model"
    if isinstance(error, OSError | errors.HTTPError | errors.EntryNotFoundError):
        return "hub_unreachable"
    return (
        "hub_answer"
        if isinstance(error, ValueError | TypeError | LookupError | AttributeError)
        else None
    )


# The other side.


def _hub(request: str) -> None:
    """Fetch the files that the request names; print the rule if that fails, and end with 1."""
    from huggingface_hub import constants, hf_hub_download

    asked = json.loads(request)
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    try:
        for path in asked["files"]:
            hf_hub_download(
                asked["model_id"], path, revision=asked["revision"], local_dir=asked["folder"],
                etag_timeout=asked["connect_seconds"],
            )  # fmt: skip
    except Exception as error:
        print(rule_of(error) or "", flush=True)
        raise


def _end_with(parent: int) -> None:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(parent).wait()
    os._exit(1)


def main(parent: str, kind: str, *arguments: str) -> None:
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    sys.path[0] = str(ROOT)  # and not this folder, whose modules have common names
    if kind == "hub":
        _hub(*arguments)
    else:
        sys.argv = ["pip", *arguments]
        runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
