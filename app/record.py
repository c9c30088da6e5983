"""Record every lab's default result: `python -m app.record` (or `… training` for one lab).

A recording is made by the function that the page would run, with the config that the page opens on; which
there are stands in `app/recorded`.
"""

import os
import sys
from datetime import date

import torch

from app import results
from app.provenance import Provenance
from app.recorded import alignment, frontier, inference, pretraining, transformer
from app.recorded.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    *transformer.ENTRIES, *pretraining.ENTRIES, *alignment.ENTRIES, *inference.ENTRIES,
    *frontier.ENTRIES,
)  # fmt: skip


def main(*labs: str) -> None:
    """Make the recordings of these labs, or of all."""
    torch.set_num_threads(1)
    for entry in ENTRIES:
        if labs and entry.lab not in labs:
            continue
        path = results.RECORDINGS / f"{entry.lab}-{entry.name}.safetensors"
        results.save(path, entry.make(), _provenance(entry))
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def _provenance(entry: Entry) -> Provenance:
    return Provenance(
        "recorded",
        command=f"python -m app.record {entry.lab}",
        seed=entry.seed,
        date=date.today().isoformat(),
        machine=f"{os.cpu_count()} cores, torch {torch.__version__}",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
