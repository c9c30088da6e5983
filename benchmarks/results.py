"""All benchmarks, each in a process of its own: `python -m benchmarks.results` writes RESULTS.md.

With names of rows it measures those alone and leaves what the file says of the others.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import psutil

ROWS = ("training_step", "cached_generation", "attention_maps", "bpe", "knob", "footprint")
FILE = Path(__file__).with_name("RESULTS.md")
LIBRARIES = ("torch", "transformers", "tokenizers", "streamlit")
HEAD = """# Benchmarks

Written by `make bench`; every row's own command is `python -m benchmarks.ROW`. Ours and its peers take turns
in one run on the same machine; a number is the median of several rounds, with its quartiles in brackets, and
a ratio is taken within a round. Compare ratios: this machine is shared, and its seconds are its own.
"""
MARK = "<!-- {row} -->"


def machine() -> str:
    """One line: what measured, and when."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = model[1] if model else platform.processor()
    libraries = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    load = psutil.getloadavg()[0]
    return (
        f"*{datetime.date.today()}, {psutil.cpu_count()} × {name}, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GB, Python {platform.python_version()}, {libraries}; "
        f"load of the machine before: {load:.1f}.*"
    )


def measure(row: str) -> str:
    """A row's section, and what measured it."""
    measured_by = machine()
    run = subprocess.run(  # nosec B603 # a row's own name, no shell
        [sys.executable, "-m", f"benchmarks.{row}"], stdout=subprocess.PIPE, text=True, check=True
    )
    return f"{run.stdout.strip()}\n\n{measured_by}"


def kept() -> dict[str, str]:
    """What the file says by now, by row."""
    if not FILE.exists():
        return {}
    parts = re.split(r"^<!-- (\w+) -->\n", FILE.read_text("utf-8"), flags=re.MULTILINE)
    return {row: text.strip() for row, text in zip(parts[1::2], parts[2::2], strict=True)}


def write(sections: dict[str, str]) -> None:
    parts = [f"{MARK.format(row=row)}\n{sections[row]}" for row in ROWS if row in sections]
    FILE.write_text("\n\n".join([HEAD.strip(), *parts]) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}; all if none")
    asked = parser.parse_args().rows or ROWS
    if unknown := set(asked) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    for row in asked:
        print(f"measuring {row} …", file=sys.stderr, flush=True)
        section = measure(row)
        write(kept() | {row: section})


if __name__ == "__main__":
    main()
