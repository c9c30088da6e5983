"""The hub client of the lab against a hub on this machine, and against none at all."""

import json
import threading

import huggingface_hub
import pytest

from labcore.errors import LabInputError
from labcore.zoo import hub

ID = "someone/tiny-bert"


def silent(share: float, stage: str) -> None:
    """Nobody watches."""


def rule_of(action, *arguments: object) -> str:
    with pytest.raises(LabInputError) as caught:
        action(*arguments)
    assert caught.value.field == "model_id"
    return caught.value.rule


def changed_config(folder, **changes: object) -> bytes:
    config = json.loads((folder / "config.json").read_text())
    return json.dumps({**config, **changes}).encode()


@pytest.mark.parametrize(
    "model_id",
    [
        "../../etc", "../etc", "/etc/passwd", "a/b/c", "gpt2", "", "/", "a/", "has space/x", "a/😀",
        "x" * 5000 + "/" + "y" * 5000, "own--er/x", "a/..", "a\n/b", "file:///etc/x", None, 7,
    ],
)  # fmt: skip
def test_what_is_no_hub_id_is_refused_before_anything_is_asked(model_id):
    with pytest.raises(LabInputError) as caught:
        hub.require_model_id(model_id)
    assert caught.value.rule == "model_id_form"
    assert len(caught.value.value) <= 60


@pytest.mark.parametrize("model_id", ["HuggingFaceTB/SmolLM2-135M", "openai-community/gpt2"])
def test_published_ids_have_the_form(model_id):
    assert hub.require_model_id(model_id) == model_id


def test_a_description_says_size_family_and_terms_without_fetching_weights(fake_hub, tiny_bert):
    """The size is that of the four files that would be fetched; what else lies there is not."""
    fake_hub.add(ID, tiny_bert, pytorch_model__bin=b"never touched", README__md=b"# hello")
    described = hub.describe_hub_model(ID)
    wanted = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")
    assert {file.path for file in described.files} == set(wanted)
    assert described.size_bytes == sum((tiny_bert / name).stat().st_size for name in wanted)
    assert (described.family, described.kind) == ("bert", "encoder")
    assert (described.licence, described.languages) == ("mit", ("en",))
    assert not any("safetensors" in path for path in fake_hub.asked)


def test_fetching_brings_the_files_byte_for_byte(fake_hub, tiny_bert, tmp_path):
    fake_hub.add(ID, tiny_bert)
    described = hub.describe_hub_model(ID)
    provenance = hub.fetch(described, tmp_path, silent)
    for file in described.files:
        assert (tmp_path / file.path).read_bytes() == (tiny_bert / file.path).read_bytes()
    assert provenance.origin == f"{ID}@{described.revision}"


def test_a_model_over_the_limit_is_refused_before_its_weights_are_asked_for(
    fake_hub, tiny_bert, tmp_path
):
    fake_hub.add(ID, tiny_bert)
    described = hub.describe_hub_model(ID)
    with pytest.raises(LabInputError) as caught:
        hub.fetch(described, tmp_path, silent, described.size_bytes - 1)
    assert caught.value.rule == "too_large"
    assert caught.value.facts == {
        "size_bytes": described.size_bytes,
        "limit_bytes": described.size_bytes - 1,
    }
    assert not any("safetensors" in path for path in fake_hub.asked)


def test_weights_that_differ_from_the_announced_checksum_are_refused(fake_hub, tiny_bert, tmp_path):
    fake_hub.add(ID, tiny_bert)
    described = hub.describe_hub_model(ID)
    tampered = bytearray(fake_hub.repositories[ID]["model.safetensors"])
    tampered[-1] ^= 1
    fake_hub.repositories[ID]["model.safetensors"] = bytes(tampered)
    assert rule_of(hub.fetch, described, tmp_path, silent) == "checksum_differs"


def test_a_model_in_several_files_is_described_with_all_of_them(fake_hub, tiny_bert):
    shards = {f"model-0000{n}-of-00002__safetensors": b"x" * n for n in (1, 2)}
    fake_hub.add(ID, tiny_bert, model__safetensors=None, **shards)
    paths = [file.path for file in hub.describe_hub_model(ID).files]
    assert paths[:2] == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


def test_pickled_weights_alone_are_refused(fake_hub, tiny_bert):
    fake_hub.add(ID, tiny_bert, model__safetensors=None, pytorch_model__bin=b"pickle")
    assert rule_of(hub.describe_hub_model, ID) == "safetensors_only"


def test_a_model_without_a_tokenizer_file_is_refused(fake_hub, tiny_bert):
    fake_hub.add(ID, tiny_bert, tokenizer__json=None)
    assert rule_of(hub.describe_hub_model, ID) == "fast_tokenizer"


def test_a_family_that_the_lab_cannot_build_is_named(fake_hub, tiny_bert):
    fake_hub.add(ID, tiny_bert, config__json=changed_config(tiny_bert, model_type="mamba"))
    with pytest.raises(LabInputError) as caught:
        hub.describe_hub_model(ID)
    assert (caught.value.rule, caught.value.facts["family"]) == ("supported_family", "mamba")


@pytest.mark.parametrize("config", [b"{broken", b"[]", b"{}", b"\xff\xfe", None])
def test_a_nonsense_config_is_an_unsupported_family(fake_hub, tiny_bert, config):
    fake_hub.add(ID, tiny_bert, config__json=config)
    assert rule_of(hub.describe_hub_model, ID) == "supported_family"


def test_a_quantised_model_is_refused(fake_hub, tiny_bert):
    quantised = changed_config(tiny_bert, quantization_config={"quant_method": "gptq"})
    fake_hub.add(ID, tiny_bert, config__json=quantised)
    assert rule_of(hub.describe_hub_model, ID) == "full_precision"


@pytest.mark.parametrize("name", ["num_hidden_layers", "num_attention_heads"])
def test_a_description_that_asks_for_ten_million_parts_is_refused_before_one_is_built(
    fake_hub, tiny_bert, name
):
    """At the limit it is a model like any other; one more is too many, and nothing hangs over it."""
    limits = hub.DESCRIBED_LIMITS
    most = limits["encoder_layers" if name == "num_hidden_layers" else "num_heads"]
    for count, rule in ((most, None), (most + 1, "too_large"), (10**7, "too_large")):
        config = changed_config(tiny_bert, **{name: count}, hidden_size=2 * count)
        fake_hub.add(ID, tiny_bert, config__json=config)
        if rule is None:
            assert hub.describe_hub_model(ID).kind == "encoder"
        else:
            assert rule_of(hub.describe_hub_model, ID) == rule


@pytest.mark.parametrize(
    ("file", "limit"), [("config.json", "CONFIG_BYTES"), ("tokenizer.json", "COMPANION_BYTES")]
)
def test_a_description_of_any_size_is_not_fetched(fake_hub, tiny_bert, monkeypatch, file, limit):
    size = (tiny_bert / file).stat().st_size
    fake_hub.add(ID, tiny_bert)
    monkeypatch.setattr(hub, limit, size)
    assert hub.describe_hub_model(ID).kind == "encoder"
    fake_hub.asked.clear()
    monkeypatch.setattr(hub, limit, size - 1)
    assert rule_of(hub.describe_hub_model, ID) == "too_large"
    assert not any(file in path for path in fake_hub.asked)


def test_a_model_that_does_not_exist_and_one_behind_a_gate_are_told_apart(fake_hub):
    fake_hub.error_codes["someone/gated"] = "GatedRepo"
    assert rule_of(hub.describe_hub_model, "someone/nothing") == "no_such_model"
    assert rule_of(hub.describe_hub_model, "someone/gated") == "gated_model"


def test_a_hub_that_refuses_the_connection_is_one_named_error(no_hub):
    assert rule_of(hub.describe_hub_model, ID) == "hub_unreachable"


def test_offline_mode_is_the_same_error(fake_hub, tiny_bert, monkeypatch):
    fake_hub.add(ID, tiny_bert)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert rule_of(hub.describe_hub_model, ID) == "hub_unreachable"
    assert fake_hub.asked == []


def test_a_hub_that_never_answers_is_given_up_while_the_question_still_hangs(monkeypatch):
    """As where packets are dropped: the answer comes by our own deadline, not by the client's."""
    hangs, over = threading.Event(), threading.Event()

    def model_info(self, *_: object, **__: object) -> None:
        hangs.set()
        over.wait(timeout=60)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 0.2)
    assert rule_of(hub.describe_hub_model, ID) == "hub_unreachable"
    assert hangs.is_set()
    assert not over.is_set()
    over.set()


def test_the_real_deadline_is_a_few_seconds():
    assert hub.CONNECT_SECONDS < hub.ANSWER_SECONDS <= 10
