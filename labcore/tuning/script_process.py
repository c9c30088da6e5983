"""A script in a process of its own, followed line by line, and gone when nobody follows it any more."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path

from labcore.distributed.launch import LOOK_SECONDS, ROOT, SILENCE_SECONDS, end, last_words

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
        news: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(process, news), daemon=True).start()
        silent_seconds = 0.0
        try:
            while silent_seconds < SILENCE_SECONDS:
                try:
                    line = news.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    silent_seconds += LOOK_SECONDS
                    yield None
                    continue
                silent_seconds = 0.0
                if line is None:
                    break
                if line.startswith("{"):
                    yield json.loads(line)
                with suppress(OSError):  # it may have just ended
                    process.stdin.write("\n")
                    process.stdin.flush()
            else:
                raise TimeoutError("the script has fallen silent")
            if process.wait():
                raise RuntimeError(last_words(folder))
        finally:
            end(process)


def start(script: Path, arguments: Sequence[str], folder: Path, errors) -> subprocess.Popen:
    """The script behind its leash; what its libraries keep goes into the folder."""
    environment = os.environ | OFFLINE | {
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HOME": str(folder / "hf"),
    }  # fmt: skip
    command = [sys.executable, "-m", "labcore.tuning.leash", str(script), *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, encoding="utf-8",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
    )  # fmt: skip


def _read(process: subprocess.Popen, news: queue.SimpleQueue) -> None:
    """In a thread: lines into the queue, None at their end."""
    with suppress(ValueError, OSError):  # closed by `end`
        for line in process.stdout:
            news.put(line)
    news.put(None)
