"""Files of the lab cut off, changed in one bit or missing: told by name, and read again once put back."""

import shutil
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

from app import page, results
from app.i18n import LANGUAGES, Words
from app.literal import in_markdown
from labcore import shipped, zoo
from labcore.errors import LabInputError
from labcore.text.bpe import BPETokenizer
from labcore.training import checkpoints
from labcore.zoo import loading
from labcore.zoo.shelf import Shelf
from tests.app.conftest import open_page, said
from tests.labcore.test_checkpoints import card_of, model_of


def cut_off(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()  # another file, so that who still maps the first one is not hurt
    path.write_bytes(data[: len(data) // 2])


def one_bit(path: Path) -> None:
    """In the last weight, where it makes a number like any other."""
    data = bytearray(path.read_bytes())
    data[-4] ^= 1
    path.unlink()
    path.write_bytes(bytes(data))


def missing(path: Path) -> None:
    path.unlink()


@pytest.fixture
def assets(tmp_path, monkeypatch) -> Path:
    """A copy of what the attention lab, and the recording of the training lab, rest on."""
    copy = tmp_path / "assets"
    for name in (shipped.LIST, "checkpoints/world-decoder", "recordings"):
        source, target = shipped.ASSETS / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    monkeypatch.setattr(shipped, "ASSETS", copy)
    monkeypatch.setattr(checkpoints, "ASSETS", copy / "checkpoints")
    monkeypatch.setattr(results, "RECORDINGS", copy / "recordings")
    monkeypatch.setattr(loading, "SHELF", Shelf())
    page.recorded.clear()
    yield copy
    page.recorded.clear()


def test_every_file_of_numbers_is_in_the_list_and_is_what_was_put_there():
    """Whoever makes one again otherwise runs `python -m labcore.shipped`."""
    assert shipped.all_names() == shipped.listed("**/*")
    for name in shipped.all_names():
        assert shipped.whole(shipped.ASSETS / name)


@pytest.mark.parametrize(
    ("damage", "file"),
    [
        (cut_off, "model.safetensors"), (one_bit, "model.safetensors"), (missing, "model.safetensors"),
        (cut_off, "tokenizer.json"), (missing, "tokenizer.json"), (cut_off, "card.json"),
        (missing, "card.json"),
    ],
)  # fmt: skip
def test_a_damaged_model_of_the_lab_is_refused_and_read_once_it_is_whole(assets, damage, file):
    path = assets / "checkpoints" / "world-decoder" / file
    data = path.read_bytes()
    damage(path)
    with pytest.raises(LabInputError) as caught:
        zoo.load("world-decoder")
    assert caught.value.rule == "damaged_file"
    assert caught.value.facts == {"file": f"checkpoints/world-decoder/{file}"}
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    assert zoo.load("world-decoder").card.source == "bundled"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_without_its_card_stays_in_the_list_and_is_named(
    assets, language, forget_streamlit
):
    shutil.rmtree(assets / "checkpoints" / "world-decoder")
    app = open_page("attention", language, model="world-decoder")
    assert not app.exception
    words = Words(language, "attention")
    picker = next(box for box in app.selectbox if box.label == words("knob.model"))
    assert picker.value == "world-decoder"
    assert words(
        "error.damaged_file", file=in_markdown("checkpoints/world-decoder/card.json")
    ) in said(app)


@pytest.mark.parametrize("damage", [missing, cut_off])
def test_a_damaged_list_is_named_itself(assets, damage):
    damage(assets / shipped.LIST)
    with pytest.raises(LabInputError) as caught:
        zoo.load("world-decoder")
    assert caught.value.facts == {"file": shipped.LIST}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_names_the_damaged_model_and_works_once_it_is_put_back(
    assets, language, forget_streamlit
):
    path = assets / "checkpoints" / "world-decoder" / "model.safetensors"
    data = path.read_bytes()
    cut_off(path)
    app = open_page("attention", language, model="world-decoder")
    words = Words(language, "attention")
    assert not app.exception
    assert words(
        "error.damaged_file", file=in_markdown("checkpoints/world-decoder/model.safetensors")
    ) in said(app)
    path.unlink()
    path.write_bytes(data)
    app.run()
    assert not app.exception
    assert not app.warning


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_names_the_damaged_recording(assets, language, forget_streamlit, monkeypatch):
    monkeypatch.setenv("LLM_LAB_JOBS", "inline")
    one_bit(assets / "recordings" / "training-default.safetensors")
    app = open_page("training", language)
    words = Words(language, "training")
    assert not app.exception
    told = words("error.damaged_file", file=in_markdown("recordings/training-default.safetensors"))
    assert told in said(app)


def test_what_is_made_again_is_whole_again(assets):
    path = assets / "checkpoints" / "world-decoder" / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    name = next(iter(weights))
    shipped.save(weights | {name: weights[name] + 1}, path)
    assert torch.equal(shipped.tensors(path)[name], weights[name] + 1)


def test_a_file_that_does_not_come_with_the_lab_is_not_judged(tmp_path):
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file({"w": torch.ones(1)}, path)
    shipped.seal(path)
    assert shipped.whole(path) == path


# What a learner has taken home.


@pytest.fixture(scope="module")
def download() -> bytes:
    model = model_of(BPETokenizer())
    return checkpoints.save_bytes(model, BPETokenizer(), card_of(model))


def refused(data: bytes) -> str:
    with pytest.raises(LabInputError) as caught:
        checkpoints.load_bytes(data)
    assert caught.value.field == "upload"
    return caught.value.rule


def test_a_download_cut_off_anywhere_is_refused(download):
    assert checkpoints.load_bytes(download)
    for length in (0, 7, 8, 100, len(download) // 2, len(download) - 1):
        assert refused(download[:length]) == "saved_by_this_lab"


def test_a_download_in_which_a_single_bit_of_a_weight_turned_is_refused(download):
    (length,) = struct.unpack("<Q", download[:8])
    for place in (8 + length, (8 + length + len(download)) // 2, len(download) - 4):
        damaged = bytearray(download)
        damaged[place] ^= 1
        assert refused(bytes(damaged)) == "saved_by_this_lab"
