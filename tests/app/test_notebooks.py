""" "Download as notebook" repeats the experiment: the file is built as the page builds it, then executed."""

import nbformat
import pytest
from nbclient import NotebookClient

from app import catalog, notebook
from app.catalog import ROOT
from app.page import LabPage
from tests.app.test_shown import QUICK


@pytest.mark.parametrize("lab", list(catalog.LABS))
def test_the_downloaded_notebook_runs(open_lab, monkeypatch, tmp_path, lab):
    offered = []
    monkeypatch.setattr(LabPage, "offer_notebook", lambda page, *code: offered.append(code))
    app = open_lab(lab, **QUICK.get(lab, {}))
    assert not app.exception
    text = notebook.build("Title", "Principle", "http://localhost:8501", offered[-1])
    book = nbformat.reads(text, as_version=4)
    nbformat.validate(book)
    for folder in ("labcore", "assets"):  # a checkout of its own: it may write files there
        (tmp_path / folder).symlink_to(ROOT / folder)
    NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    results = [cell for cell in book.cells if cell.cell_type == "code" and cell.outputs]
    assert results, "a notebook that shows nothing repeats nothing"
