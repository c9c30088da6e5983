"""What can be checked of the ways to deploy without doing it."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.strip().split(" ", 1)) for line in lines]


def test_the_container_serves_the_entry_as_a_normal_user_and_is_asked_for_its_health():
    found = dict(instructions())
    assert found["USER"] == "learner"
    assert "app/main.py" in found["CMD"]
    assert (ROOT / "app" / "main.py").is_file()
    assert "/_stcore/health" in found["HEALTHCHECK"]
    order = [name for name, _ in instructions()]
    assert order.index("USER") < order.index("CMD")


def test_the_container_installs_the_torch_that_is_pinned():
    run = next(rest for name, rest in instructions() if name == "RUN")
    pattern = re.search(r"grep -o '([^']+)'", run)[1]
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert re.search(pattern, pinned, re.MULTILINE)


def test_what_the_cloud_reads_leads_to_the_requirements():
    lines = (ROOT / "app" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    included = next(line.removeprefix("-r ") for line in lines if line.startswith("-r "))
    assert (ROOT / "app" / included).resolve() == ROOT / "requirements.txt"
    assert any(line.startswith("--extra-index-url") for line in lines)


def test_every_setting_of_the_environment_is_in_both_readmes():
    """`LLM_LAB_…`, wherever the code reads one."""
    sources = [*(ROOT / "app").rglob("*.py"), *(ROOT / "labcore").rglob("*.py")]
    names = {
        name
        for path in sources
        for name in re.findall(r"[\"'](LLM_LAB_[A-Z]+)[\"']", path.read_text(encoding="utf-8"))
    }
    names.discard(
        "LLM_LAB_LEASH"
    )  # said by a launcher to what it starts, not by whoever sets up the lab
    assert names
    for readme in ("README.md", "README.zh.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        assert all(f"`{name}`" in text for name in names), names


def composed() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_of_the_composed_services_only_the_proxy_is_reached_from_outside_and_by_default_not_from_afar():
    services = composed()["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert services["proxy"]["ports"] == ["${LLM_LAB_BIND:-127.0.0.1}:8501:80"]


def test_the_proxy_leads_to_all_servers_and_keeps_a_learner_on_one():
    """A session lives in one server's memory. The same file was tried with two servers: see LOG.md."""
    proxy = composed()["configs"]["proxy"]["content"]
    assert f"dynamic a lab {dict(instructions())['EXPOSE']}" in proxy
    assert "lb_policy cookie" in proxy
    assert composed()["services"]["lab"]["deploy"]["replicas"] > 1


def test_servers_and_workers_are_told_of_the_services_that_are_there():
    services = composed()["services"]
    cluster = services["lab"]["environment"]["LLM_LAB_DASK"]
    assert cluster == "tcp://scheduler:8786"
    assert "--port 8786" in services["scheduler"]["command"]
    assert f"dask worker {cluster} " in services["worker"]["command"]
    database = services["lab"]["environment"]["LLM_LAB_DATABASE"]
    user = services["database"]["environment"]
    secret = user["POSTGRES_PASSWORD"]
    assert (
        database == f"postgresql://{user['POSTGRES_USER']}:{secret}@database/{user['POSTGRES_DB']}"
    )


def test_a_worker_loads_the_module_that_prepares_it():
    from app import job_worker

    assert f"--preload {job_worker.__name__}" in composed()["services"]["worker"]["command"]
