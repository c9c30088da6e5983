"""Models on disk: made once, whole or not at all, checked, remade when damaged."""

import threading
from pathlib import Path

import filelock
import pytest

from labcore.errors import LabInputError
from labcore.zoo import cache

PROVENANCE = cache.Provenance("wheel", "some-wheel==1.0", "mit", ("en", "zh"))


def fill(folder: Path) -> cache.Provenance:
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 8)
    (folder / "config.json").write_text("{}")
    return PROVENANCE


def silent(share: float, stage: str) -> None:
    """Nobody watches."""


def never(folder: Path) -> cache.Provenance:
    pytest.fail("made again")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LLM_LAB_CACHE", str(tmp_path))
    return tmp_path / "models"


def test_the_second_asking_finds_what_the_first_made():
    made, was_here = cache.obtain("m", fill, silent)
    assert not was_here
    found, was_here = cache.obtain("m", never, silent)
    assert was_here
    assert found == made
    assert found.provenance == PROVENANCE


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"short"),
        lambda folder: (folder / "model.safetensors").write_bytes(bytes(256 * 8)),  # size kept
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "entry.json").write_text("{not json"),
        lambda folder: (folder / "entry.json").write_text("[]"),
        lambda folder: (folder / "entry.json").unlink(),
    ],
)
def test_a_damaged_entry_is_made_again(root, damage):
    cache.obtain("m", fill, silent)
    damage(root / "m")
    entry, was_here = cache.obtain("m", fill, silent)
    assert not was_here
    assert (entry.folder / "model.safetensors").read_bytes() == bytes(range(256)) * 8


def test_an_entry_of_an_older_format_is_made_again(monkeypatch):
    cache.obtain("m", fill, silent)
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    assert cache.obtain("m", fill, silent)[1] is False


def test_a_failure_leaves_nothing_half_made(root):
    def break_off(folder: Path) -> cache.Provenance:
        fill(folder)
        raise ConnectionError("cable pulled")

    with pytest.raises(ConnectionError):
        cache.obtain("m", break_off, silent)
    assert [path.name for path in root.iterdir() if path.is_dir()] == []
    assert cache.obtain("m", fill, silent)[1] is False


def test_what_a_killed_process_left_behind_is_cleared_away(root):
    (root / "m.part").mkdir(parents=True)
    (root / "m.part" / "rubbish").write_text("half a download")
    entry, _ = cache.obtain("m", fill, silent)
    assert not (entry.folder / "rubbish").exists()


def test_what_was_only_downloaded_to_be_unpacked_is_not_kept():
    """Or a wheel of 93 MB would lie beside what came out of it."""

    def download_and_fill(folder: Path) -> cache.Provenance:
        (folder / "download").mkdir()
        (folder / "download" / "some.whl").write_bytes(b"x" * 100)
        return fill(folder)

    entry, _ = cache.obtain("m", download_and_fill, silent)
    kept = {path.name for path in entry.folder.iterdir()}
    assert kept == {"config.json", "entry.json", "model.safetensors"}


def test_a_second_process_waits_and_then_finds_it_made(root):
    """The lock is taken as another process would take it; the waiting one is told to say so."""
    root.mkdir(parents=True)
    told, result = threading.Event(), []
    other = filelock.FileLock(root / "m.lock")
    with other:
        waiting = threading.Thread(
            target=lambda: result.append(
                cache.obtain("m", never, lambda share, stage: stage == "waiting" and told.set())
            )
        )
        waiting.start()
        assert told.wait(timeout=10)
        (root / "m").mkdir()
        cache._seal(root / "m", fill(root / "m"))
    waiting.join(timeout=10)
    assert result[0][1] is True


def test_a_file_with_another_checksum_is_refused_by_name(tmp_path):
    """sha256 of the empty file is the well-known e3b0c442…b855; one byte more is another."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    cache.require_sha256(file, empty, "m")
    file.write_bytes(b"x")
    with pytest.raises(LabInputError) as caught:
        cache.require_sha256(file, empty, "m")
    assert (caught.value.field, caught.value.rule) == ("model_id", "checksum_differs")
    assert caught.value.facts["expected"] == empty


def test_a_download_that_would_fill_the_disk_is_refused(tmp_path):
    with pytest.raises(LabInputError) as caught:
        cache.require_room(tmp_path, 1 << 60, "m")
    assert caught.value.rule == "disk_full"
    assert caught.value.facts["free_bytes"] < caught.value.facts["needed_bytes"]
