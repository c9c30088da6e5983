"""The server goes away under an open page, in the middle of a run, and comes back."""

import re
import signal

import psutil
import pytest
from playwright.sync_api import expect

from app.i18n import Words
from tests.browser.serving import Visitors, free_port, start

PAGE = """
import streamlit as st
from app.catalog import LABS
from app.course import progress
from app.i18n import Words
from app.page import LabPage
from tests.app.toy_runs import Steps, squares

page = LabPage(LABS["training"], Words(st.query_params["lang"]))
st.title("A page with a run")
steps = page.number("steps", 1, 9000, 100)
page.job(squares, Steps(steps, 0.1), lambda view: st.text(f"{len(view.events)} steps" if view else "no run"))
progress.note("training/opened")
progress.keep("keeper")
"""
MARKS = "localStorage.getItem('llm-principles-lab.progress')"


@pytest.fixture
def script(tmp_path):
    script = tmp_path / "page.py"
    script.write_text(PAGE, encoding="utf-8")
    return script


@pytest.fixture
def servers(script):
    """Servers on one port, one after the other; none of them is left."""
    port, processes = free_port(), []

    def another():
        processes.append(start(str(script), script.with_suffix(f".{len(processes)}.txt"), port))
        return processes[-1]

    another.address = f"http://localhost:{port}"
    yield another
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("language", "end"), [("zh", signal.SIGTERM), ("en", signal.SIGKILL)])
def test_the_page_says_that_its_run_went_with_the_server_and_all_else_stays(
    chromium, servers, language, end
):
    words = Words(language, "training")
    running = page_text(words("job.running"))
    server = servers()
    visitors = Visitors(chromium, servers.address)
    page = visitors.open(f"/?lang={language}&steps=8000", "h1")
    button = page.get_by_role("button", name=words("job.run"), exact=True)
    button.click()
    expect(page.get_by_text(running)).to_be_visible()
    expect(page.get_by_text("2 steps")).to_be_visible()
    processes = psutil.Process(server.pid).children(recursive=True)
    assert len(processes) == 1
    page.reload()  # a new session of the same tab finds its run again
    expect(page.get_by_text(running)).to_be_visible()
    expect(page.get_by_role("button", name=words("job.pause"))).to_be_enabled()

    server.send_signal(end)
    server.wait(timeout=30)
    assert psutil.wait_procs(processes, timeout=30)[1] == []
    servers()
    expect(page.get_by_text(words("job.gone"))).to_be_visible()
    expect(page.get_by_text(running)).to_have_count(0)
    assert "steps=8000" in page.url
    assert "training/opened" in page.evaluate(MARKS)
    button.click()
    expect(page.get_by_text(running)).to_be_visible()
    expect(page.get_by_text(words("job.gone"))).to_have_count(0)
    visitors.close()


def page_text(sentence: str) -> re.Pattern:
    """A sentence of the page, whatever number stands in it."""
    return re.compile(re.escape(sentence.split("{")[0]))
