"""The experiment on the screen as a Jupyter notebook that repeats it with `labcore` alone."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import nbformat
from nbformat import v4

SETUP = """# Run this notebook inside a checkout of the lab (where `labcore/` lies).
import sys
from pathlib import Path

root = next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "labcore").is_dir())
sys.path.insert(0, str(root))

import torch

torch.set_num_threads(1)"""


def changed_fields(config: Any, leave_out: Sequence[str] = ()) -> list[str]:
    """`name=value` for each field of a config that is not at its default, as a cell spells it."""
    return [
        f"{field.name}={getattr(config, field.name)!r}"
        for field in fields(config)
        if field.name not in leave_out and getattr(config, field.name) != field.default
    ]


def build(title: str, introduction: str, link: str, code: Sequence[str]) -> str:
    """A notebook's JSON: title and principle, the link back to the page, set-up, then `code` cells."""
    cells = [
        v4.new_markdown_cell(f"# {title}\n\n{introduction}\n\n[{title}]({link})"),
        v4.new_code_cell(SETUP),
        *(v4.new_code_cell(cell) for cell in code),
    ]
    for index, cell in enumerate(cells):
        cell["id"] = f"cell-{index}"  # the same experiment gives the same file
    notebook = v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    return nbformat.writes(notebook)
