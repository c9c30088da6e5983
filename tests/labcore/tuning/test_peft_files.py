"""Files go to `peft` and come back: the same numbers, and the same logits on transformers' own Llama."""

import io
import json
import zipfile

import peft
import pytest
import safetensors.torch
import torch
from torch import nn
from transformers import LlamaForCausalLM

from labcore.errors import LabInputError
from labcore.tuning import peft_files, peft_reading, tale_tasks, teller
from labcore.tuning.methods import Method, tuned
from labcore.tuning.peft_reading import with_adapter

WAYS = [
    Method("lora", 4, part="qv"),
    Method("lora", 8),
    Method("rslora", 4, alpha=8.0, part="mlp"),
    Method("dora", 4),
    Method("ia3"),
    Method("prompt", 5),
    Method("prefix", 5),
]


def tokens() -> torch.Tensor:
    return tale_tasks.held_out("forwards", 20).tokens


def stirred(method: Method, seed: int = 0) -> nn.Module:
    """The method on the teller, with every number that learns moved away from where it began."""
    generator = torch.Generator().manual_seed(seed)
    model = tuned(teller.load_teller(), method, generator)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return model.eval()


def said(model: nn.Module) -> torch.Tensor:
    """peft also gives what is said at the virtual tokens of a prompt; that is cut off here."""
    asked = tokens()
    with torch.no_grad():
        return model(asked).logits[:, -asked.shape[1] :]


def unpack(data: bytes, folder) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    return str(folder)


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory) -> str:
    return unpack(
        peft_files.zipped(peft_files.base_files()), tmp_path_factory.mktemp("base") / "teller"
    )


def llama(folder: str) -> nn.Module:
    return LlamaForCausalLM.from_pretrained(folder).eval()


def test_the_base_says_the_same_as_transformers_llama(base_folder):
    assert torch.allclose(said(llama(base_folder)), said(teller.load_teller()), atol=1e-4)


@pytest.mark.parametrize("method", WAYS, ids=lambda method: f"{method.name}-{method.part}")
def test_peft_loads_what_we_wrote_and_says_the_same(method, base_folder, tmp_path):
    ours = stirred(method)
    folder = unpack(peft_files.packed(ours, method), tmp_path)
    theirs = peft.PeftModel.from_pretrained(llama(base_folder), folder).eval()
    assert not torch.allclose(said(ours), said(teller.load_teller()), atol=0.1)
    assert torch.allclose(said(ours), said(theirs), atol=2e-4)


@pytest.mark.parametrize("method", WAYS, ids=lambda method: f"{method.name}-{method.part}")
def test_we_load_what_peft_wrote_and_say_the_same(method, base_folder, tmp_path):
    folder = unpack(peft_files.packed(stirred(method), method), tmp_path / "ours")
    theirs = peft.PeftModel.from_pretrained(llama(base_folder), folder).eval()
    with torch.no_grad():  # other numbers than those that we sent
        for name, weight in theirs.named_parameters():
            if any(part in name for part in ("lora_", "ia3_", "prompt_")):
                weight *= 1.5
    theirs.save_pretrained(tmp_path / "theirs", save_embedding_layers=False)  # asks no hub
    files = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    back = with_adapter(peft_files.zipped({f"adapter/{name}": d for name, d in files.items()}))
    assert not torch.allclose(said(back), said(stirred(method)), atol=0.01)
    assert torch.allclose(said(back), said(theirs), atol=2e-4)


def test_a_weighted_sum_is_what_peft_adds_up(base_folder, tmp_path):
    """peft's "cat" puts the companions side by side, which is the sum of the products."""
    from labcore.tuning.lora_arithmetic import bundled, combined, read_updates

    theirs = llama(base_folder)
    for task in ("cipher", "backwards"):
        folder = unpack(bundled(task), tmp_path / task)
        if task == "cipher":
            theirs = peft.PeftModel.from_pretrained(theirs, folder, adapter_name=task)
        else:
            theirs.load_adapter(folder, adapter_name=task)
    theirs.add_weighted_adapter(["cipher", "backwards"], [0.7, 0.4], "sum", "cat")
    theirs.set_adapter("sum")
    parts = [(read_updates(bundled("cipher")), 0.7), (read_updates(bundled("backwards")), 0.4)]
    ours = combined(teller.load_teller(), parts)
    assert torch.allclose(said(ours), said(theirs.eval()), atol=5e-4)


def test_a_bottleneck_adapter_comes_back_to_this_lab():
    method = Method("adapter", 6)
    ours = stirred(method)
    assert torch.equal(said(with_adapter(peft_files.packed(ours, method))), said(ours))


def test_a_full_fine_tune_goes_out_as_a_whole_model(tmp_path):
    ours = stirred(Method("full"))
    folder = unpack(peft_files.packed(ours, Method("full")), tmp_path)
    assert torch.allclose(said(llama(folder)), said(ours), atol=1e-3)


def test_the_same_numbers_give_the_same_file():
    one, other = (peft_files.packed(stirred(WAYS[0]), WAYS[0]) for _ in range(2))
    assert one == other


# Files that are none.


def broken(change) -> bytes:
    """A good file with its two halves put through `change`."""
    method = Method("lora", 2)
    config, weights = peft_reading.unzipped(peft_files.packed(stirred(method), method))
    config, weights = change(config, weights)
    return peft_files.zipped(
        {
            peft_files.CONFIG_FILE: json.dumps(config).encode(),
            peft_files.WEIGHTS_FILE: safetensors.torch.save(weights),
        }
    )


FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    "change",
    [
        lambda config, weights: (config | {"peft_type": "VERA"}, weights),
        lambda config, weights: (config | {"rank_pattern": {"q_proj": 4}}, weights),
        lambda config, weights: (config | {"r": 3}, weights),
        lambda config, weights: (config | {"r": 10**6}, weights),
        lambda config, weights: (config | {"lora_alpha": None}, weights),
        lambda config, weights: (config | {"use_dora": True}, weights),
        lambda config, weights: (config, weights | {"stranger": torch.zeros(2)}),
        lambda config, weights: (config, weights | {FIRST: torch.zeros(2, 7)}),
        lambda config, weights: (config, weights | {FIRST: torch.full((2, 64), torch.nan)}),
        lambda config, weights: (config, {n: w for n, w in weights.items() if n != FIRST}),
        lambda config, weights: ([config], weights),
        lambda config, weights: (
            config | {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 10**9}, weights,
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_teller_is_refused(change):
    with pytest.raises(LabInputError) as caught:
        with_adapter(broken(change))
    assert caught.value.field == "upload"


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 1000, peft_files.zipped({"a.txt": b"hello"})])
def test_what_is_no_adapter_is_refused(data):
    with pytest.raises(LabInputError) as caught:
        with_adapter(data)
    assert caught.value.rule == "peft_adapter"


def test_a_small_zip_with_a_large_file_in_it_is_refused():
    bomb = peft_files.zipped({peft_files.WEIGHTS_FILE: bytes(peft_reading.LIMIT_BYTES + 1)})
    assert len(bomb) < 10_000
    with pytest.raises(LabInputError) as caught:
        with_adapter(bomb)
    assert caught.value.rule == "at_most_bytes"
