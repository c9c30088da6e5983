"""A model hub that is silent, breaks off, talks nonsense or lies; a disk that fills up while it answers.

The hub is a real server on this machine, the client is the published one. "Nothing stays" counts processes
and threads of this process after each fault.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import huggingface_hub.constants
import psutil
import pytest
from huggingface_hub.utils import close_session

from app.catalog import ROOT
from app.i18n import LANGUAGES, Words
from labcore import zoo
from labcore.errors import LabInputError
from labcore.zoo import download, hub, loading
from labcore.zoo.shelf import Shelf
from tests.app.conftest import open_page, press, said
from tests.faults.conftest import PATIENCE_SECONDS, nothing_stays, wait_until
from tests.labcore.zoo import conftest as hubs

ID = "someone/tiny-bert"


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """No model on disk or in memory; where models would be kept."""
    monkeypatch.setenv("LLM_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(loading, "SHELF", Shelf())
    return tmp_path / "cache" / "models"


class Fault:
    """What the hub does wrong; with nothing set it answers as it should."""

    def __init__(self) -> None:
        self.silent_at = ""  # a part of an address that is never answered
        self.half_of = ""  # a file of which half is sent, and then nothing
        self.breaks_off = False  # … and then the line is cut
        self.says = None  # what it says when asked to describe a model
        self.stall_seconds = 0.5  # how long the lab waits for the other half
        self.over = threading.Event()

    def mend(self) -> None:
        self.__dict__.update(Fault().__dict__ | {"over": self.over})
        download.STALL_SECONDS = PATIENCE_SECONDS


@pytest.fixture
def fault(monkeypatch, fake_hub, tiny_bert) -> Iterator[Fault]:
    """The fake hub, with a tiny BERT on it, and what it is to do wrong."""
    fault = Fault()
    fake_hub.add(ID, tiny_bert)
    describe = hubs.describe

    class Wrong(hubs.handler(fake_hub)):
        def do_GET(self) -> None:
            if fault.silent_at and fault.silent_at in self.path:
                fault.over.wait(60)
                self.close_connection = True
            elif fault.says is not None and self.path.startswith("/api/models/"):
                self.answer(200, fault.says, {})
            else:
                super().do_GET()

        def answer(self, status, body, headers) -> None:
            if not (fault.half_of and fault.half_of in self.path and self.command == "GET"):
                return super().answer(status, body, headers)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            download.STALL_SECONDS = (
                fault.stall_seconds
            )  # not before: its process takes a while to start
            if not fault.breaks_off:
                fault.over.wait(60)
            self.close_connection = True
            return None

    server = hubs.ThreadingHTTPServer(("127.0.0.1", 0), Wrong)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hubs.point_client_at(f"http://127.0.0.1:{server.server_port}", monkeypatch)
    monkeypatch.setattr(hub, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(download, "STALL_SECONDS", PATIENCE_SECONDS)
    assert hubs.describe is describe
    yield fault
    fault.over.set()
    close_session()
    server.shutdown()
    server.server_close()


def refused(action, *arguments) -> str:
    with pytest.raises(LabInputError) as caught:
        action(*arguments)
    assert caught.value.field == "model_id"
    return caught.value.rule


def ours() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith(("zoo", "model-loader"))]


def then_it_works(fault: Fault) -> None:
    """The hub is mended; nothing of the fault is in the way, and nothing of it is left."""
    fault.mend()
    fault.over.set()
    assert zoo.load(ID).card.source == "hub"
    wait_until(lambda: not ours())


def folders(fresh) -> list[str]:
    return [path.name for path in fresh.iterdir() if path.is_dir()]


def test_a_hub_that_accepts_and_never_answers(fault, monkeypatch):
    fault.silent_at = "/api/models/"
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 2.0)
    assert refused(hub.describe_hub_model, ID) == "hub_unreachable"
    wait_until(lambda: not ours())  # the client's own time limit ends the thread
    then_it_works(fault)


def test_a_hub_that_answers_half_of_a_file_and_falls_silent(fault, fresh):
    fault.half_of = "model.safetensors"
    with nothing_stays():
        assert refused(zoo.load, ID) == "download_stalled"
    assert folders(fresh) == []
    then_it_works(fault)


def test_a_hub_that_cuts_the_line_in_the_middle_of_a_file(fault, fresh):
    """The client tries to go on, five times, and may be given up before that."""
    fault.half_of, fault.breaks_off, fault.stall_seconds = "model.safetensors", True, 4.0
    assert refused(zoo.load, ID) in ("hub_unreachable", "download_stalled")
    assert folders(fresh) == []
    then_it_works(fault)


@pytest.mark.parametrize(
    "says",
    [
        b"<html>Welcome to our wireless network</html>", b"", b"[]", b"null", b'"x"', b"\xff\xfe",
        b'{"id": 7, "siblings": 5}', b'{"id": "a/b", "sha": "x", "siblings": [1, null]}',
        b'{"id": "a/b", "siblings": [{"rfilename": 5}, {"rfilename": "config.json", "size": "big"}]}',
    ],
)  # fmt: skip
def test_a_hub_that_talks_nonsense(fault, says):
    fault.says = says
    assert refused(hub.describe_hub_model, ID) in ("hub_answer", "supported_family")
    fault.says = None
    assert hub.describe_hub_model(ID).family == "bert"


@pytest.mark.parametrize(
    ("file", "rule"),
    [("model.safetensors", "readable_weights"), ("tokenizer.json", "readable_tokenizer")],
)
def test_a_hub_that_hands_out_nonsense_as_a_file(fault, fake_hub, tiny_bert, file, rule):
    fake_hub.add(ID, tiny_bert, **{file.replace(".", "__"): b"<html>moved</html>"})
    assert refused(zoo.load, ID) == rule


def test_a_disk_that_fills_up_while_a_model_is_fetched(fault, disk, monkeypatch):
    """Others write there too: there was room when it was asked for, and then there is none."""
    monkeypatch.setenv("LLM_LAB_CACHE", str(disk.folder / "cache"))
    monkeypatch.setattr(hub, "require_room", lambda *_: disk.fill(leave_bytes=8192))
    with nothing_stays():
        assert refused(zoo.load, ID) == "disk_full"
    assert folders(disk.folder / "cache" / "models") == []
    disk.free()
    monkeypatch.setattr(hub, "require_room", lambda *_: None)
    then_it_works(fault)


def test_a_cache_that_may_not_be_written_to(fault, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LLM_LAB_CACHE", str(tmp_path / "file"))
    assert refused(zoo.load, ID) == "cache_writable"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_so_and_lives_on(fault, language, monkeypatch, forget_streamlit):
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 1.0)
    words = Words(language, "attention")
    fault.silent_at = "/api/models/"
    app = press(
        open_page("attention", language, model="hub", model_id=ID), "attention.model.look_up"
    )
    assert not app.exception
    assert words("error.hub_unreachable") in said(app)
    fault.silent_at, fault.half_of = "", "model.safetensors"
    app = press(app, "attention.model.look_up")
    app = press(app, "attention.model.fetch")
    assert not app.exception
    assert words("error.download_stalled") in said(app)
    fault.mend()
    app = press(app, "attention.model.fetch")
    assert not app.exception
    assert words("error.download_stalled") not in said(app)
    assert zoo.is_at_hand(ID)
    wait_until(lambda: not ours())


# Only the module, without what stands around it: torch alone takes seconds to import.
SERVER = """
import json, pathlib, runpy, sys, threading, time
folder = sys.argv[2]
run = runpy.run_path("labcore/zoo/download.py")["run"]
request = {{"model_id": "someone/tiny-bert", "revision": None, "folder": folder,
           "files": ["model.safetensors"], "connect_seconds": 5}}
arguments = ["hub", json.dumps(request)], pathlib.Path(folder), 1, lambda *_: None, {{}}
threading.Thread(target=run, args=arguments, daemon=True).start()
while not any(pathlib.Path(folder).rglob("*.incomplete")):
    time.sleep(0.02)
print("under way", flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["time.sleep(600)", ""], ids=["killed", "ends by itself"])
def test_no_download_outlives_its_server(fault, tmp_path, then):
    fault.half_of = "model.safetensors"
    folder = tmp_path / "folder"
    folder.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER.format(then=then), "-", str(folder)], text=True, cwd=ROOT,
        stdout=subprocess.PIPE, env=os.environ | {"HF_ENDPOINT": huggingface_hub.constants.ENDPOINT},
    )  # fmt: skip
    with server.stdout:
        assert server.stdout.readline() == "under way\n"
    if then:
        assert _downloading(folder)
        server.kill()
    server.wait(timeout=60)
    wait_until(lambda: not _downloading(folder))


def _downloading(folder) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if "download.py" in command and json.dumps(str(folder)) in command:
            found.append(process.pid)
    return found
