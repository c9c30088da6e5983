"""How far a load has come: one share of the whole and a short key for the stage it is in."""

import concurrent.futures
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

# on_progress(share, stage): share from 0 to 1 over the whole load; stage is one of
# "waiting", "downloading", "checking", "converting", "loading".
OnProgress = Callable[[float, str], None]

POLL_SECONDS = 0.2


def stretch(on_progress: OnProgress, low: float, high: float) -> OnProgress:
    """A reporter whose 0…1 is the stretch low…high of `on_progress`."""
    return lambda share, stage: on_progress(low + (high - low) * share, stage)


def watch_growth(
    work: Callable[[], Result], folder: Path, expected_bytes: int, on_progress: OnProgress
) -> Result:
    """Run `work` on a thread of its own and report "downloading" by how much `folder` has grown.

    Neither pip nor the hub client tells every version the same way how far it is; the folder does.
    """
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="zoo-download") as pool:
        job = pool.submit(work)
        while not job.done():
            on_progress(min(folder_bytes(folder) / max(expected_bytes, 1), 1.0), "downloading")
            concurrent.futures.wait([job], timeout=POLL_SECONDS)
        return job.result()


def folder_bytes(folder: Path) -> int:
    """What the files under `folder` add up to; a file that vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
