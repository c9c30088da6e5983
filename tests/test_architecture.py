"""The promises of ARCHITECTURE.md that a reader of the code can check, checked."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {folder: sorted((ROOT / folder).rglob("*.py")) for folder in ("labcore", "app", "pages")}
ALL = [path for paths in SOURCES.values() for path in paths]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def uses(path: Path, *packages: str) -> set[str]:
    return {
        name
        for name in imports(path)
        if any(name == p or name.startswith(f"{p}.") for p in packages)
    }


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES["labcore"], ids=name)
def test_labcore_knows_no_screen(path):
    assert not uses(path, "streamlit", "plotly", "app", "pages")


@pytest.mark.parametrize("path", sorted((ROOT / "app" / "charts").rglob("*.py")), ids=name)
def test_a_chart_turns_a_result_into_a_figure_without_streamlit_or_torch(path):
    assert not uses(path, "streamlit", "torch")


@pytest.mark.parametrize("path", sorted((ROOT / "app" / "labs").rglob("*.py")), ids=name)
def test_a_lab_screen_places_things_and_computes_nothing(path):
    assert not uses(path, "torch", "transformers")


@pytest.mark.parametrize("path", SOURCES["app"], ids=name)
def test_app_imports_no_page(path):
    assert not uses(path, "pages")


@pytest.mark.parametrize("path", [*SOURCES["app"], *SOURCES["pages"]], ids=name)
def test_the_screen_draws_no_random_numbers(path):
    """A random number on screen would be a made-up one."""
    text = path.read_text(encoding="utf-8")
    secret = name(path) == "app/classroom/keys.py"  # codes and keys, which nobody reads as a result
    assert not uses(path, "random", "numpy.random", *(() if secret else ("secrets",)))
    assert not re.search(r"\b(np|numpy)\.random\b|\btorch\.rand|\.manual_seed\(", text)


def test_the_browser_side_draws_no_random_numbers():
    for path in [*(ROOT / "app").rglob("*.js"), *(ROOT / "app").rglob("*.html")]:
        assert "Math.random" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("path", ALL, ids=name)
def test_nothing_is_unpickled_or_evaluated(path):
    text = path.read_text(encoding="utf-8")
    assert not uses(path, "pickle", "dill", "joblib", "cloudpickle")
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            assert call.func.id not in ("eval", "exec"), f"line {call.lineno}"
    assert "trust_remote_code=True" not in text


@pytest.mark.parametrize("path", SOURCES["labcore"], ids=name)
def test_labcore_never_seeds_the_process(path):
    """Several learners share one process: a draw takes an explicit generator."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"torch\.manual_seed\(|np\.random\.seed\(|(?<!\.)random\.seed\(", text)


@pytest.mark.parametrize("path", ALL, ids=name)
def test_a_file_can_be_read_in_one_sitting(path):
    assert path.stat().st_size <= 16 * 1024
    assert path.read_text(encoding="utf-8").count("\n") <= 330


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_module_says_what_it_is_for(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree)


def test_assets_stay_small_enough_for_plain_git():
    sizes = {
        folder: sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        for folder in (ROOT / "assets" / "checkpoints").iterdir()
        if folder.is_dir()
    }
    assert max(sizes.values(), default=0) <= 8 * 2**20
    assert sum(sizes.values()) <= 40 * 2**20
