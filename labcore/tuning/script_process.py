"""A script in a process of its own, followed line by line, and gone when nobody follows it any more."""

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path

from labcore.distributed.launch import ROOT, follow

# Nothing is asked of a hub: what the script needs lies in folders that are given to it.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def lines(
    script: Path, arguments: Sequence[str], folder: Path
) -> Generator[dict | None, None, None]:
    """What the script tells, one JSON object a line; None when there has been no news for a while.

    The script goes on only when the next line is asked for. Ends when it has ended; RuntimeError with
    its last words if that was no success.
    """
    with (folder / "errors.txt").open("w", encoding="utf-8") as errors:
        process = start(script, arguments, folder, errors)

        def ask() -> None:
            with suppress(OSError):  # it may have just ended
                process.stdin.write("\n")
                process.stdin.flush()

        yield from follow(process, folder, ask=ask)


def start(script: Path, arguments: Sequence[str], folder: Path, errors) -> subprocess.Popen:
    """The script behind its leash; what its libraries keep goes into the folder."""
    environment = os.environ | OFFLINE | {
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HOME": str(folder / "hf"),
    }  # fmt: skip
    command = [sys.executable, "-m", "labcore.tuning.leash", str(script), *arguments]
    return subprocess.Popen(  # nosec B603 # a script of ours, a checked config's fields, no shell
        command, cwd=folder, env=environment, text=True, encoding="utf-8",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
    )  # fmt: skip
