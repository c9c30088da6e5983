"""A run's file: what goes in comes out, and what is no such file is refused."""

import json
import struct

import pytest
import safetensors.torch
import torch

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training import resume
from labcore.training.loop import update
from labcore.training.objectives import causal_batch
from labcore.training.optimiser import adamw, build
from labcore.training.rules import OPTIMISERS

BATCH = causal_batch([[1, 2, 3, 4, 5], [1, 4, 2, 6, 5]], pad_id=0)


def model(seed: int = 0, width: int = 8) -> Transformer:
    config = ModelConfig(vocab_size=20, hidden_size=width, num_layers=1, num_heads=2)
    return Transformer(config, torch.Generator().manual_seed(seed))


def walked(name: str, steps: int = 3):
    one = model()
    moving = build(name, one, 0.01)
    for _ in range(steps):
        update(one, BATCH, moving, 0.01, 1.0)
    return one, moving


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_run_goes_on_from_its_file_as_if_nothing_had_happened(name):
    """Three steps, a file, three more: to the last bit where six steps lead."""
    whole, _ = walked(name, 6)
    data = resume.save(*walked(name, 3), 3, {"optimiser": name})
    other = model(seed=1)  # drawn otherwise: all that counts must come from the file
    moving, saved = build(name, other, 0.01), resume.read(data)
    resume.restore(saved, other, moving)
    for _ in range(3):
        update(other, BATCH, moving, 0.01, 1.0)
    for one, same in zip(whole.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, same)
    assert (saved.step, saved.settings) == (3, {"optimiser": name})


def test_without_the_memory_it_goes_elsewhere():
    """The negative control: weights alone are not the run."""
    whole, _ = walked("adamw", 6)
    one, _ = walked("adamw", 3)
    forgetful = build("adamw", one, 0.01)
    for _ in range(3):
        update(one, BATCH, forgetful, 0.01, 1.0)
    assert not torch.equal(whole.token_embedding.weight, one.token_embedding.weight)


def test_torchs_own_optimiser_is_kept_as_well():
    one = model()
    moving = adamw(one, 0.01, 0.0, (0.9, 0.95))
    update(one, BATCH, moving, 0.01, 1.0)
    names = resume.read(resume.save(one, moving, 1, {})).tensors
    assert {name.rsplit("/")[-1] for name in names if name.startswith("memory/")} == {
        "step", "exp_avg", "exp_avg_sq",
    }  # fmt: skip


def good() -> bytes:
    return resume.save(*walked("adamw"), 3, {})


def with_header(**changes) -> bytes:
    data = good()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])["__metadata__"] | changes
    return safetensors.torch.save(safetensors.torch.load(data), metadata=header)


def poisoned() -> bytes:
    tensors = safetensors.torch.load(good())
    next(iter(tensors.values())).fill_(float("nan"))
    return safetensors.torch.save(
        tensors, metadata={"format": resume.FORMAT, "step": "3", "settings": "{}"}
    )


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no such file", good()[:200], with_header(format="another/1"),
        with_header(step="soon"), with_header(settings="[1, 2]"), with_header(settings="{"),
        poisoned(), safetensors.torch.save({"weights/x": torch.zeros(2, dtype=torch.int64)}),
        struct.pack("<Q", 2**60) + b"{}",
    ],
    ids=["empty", "text", "cut", "format", "step", "list", "json", "nan", "whole-numbers", "long"],
)  # fmt: skip
def test_what_is_no_file_of_a_run_is_refused(data):
    with pytest.raises(LabInputError) as caught:
        resume.read(data)
    assert caught.value.field == "checkpoint"


def test_a_file_that_is_too_large_is_not_even_opened(monkeypatch):
    monkeypatch.setattr(resume, "LIMIT_BYTES", 10)
    with pytest.raises(LabInputError, match="at_most_bytes"):
        resume.read(good())


def test_a_file_of_another_model_does_not_fit():
    wide = model(width=16)
    with pytest.raises(LabInputError, match="saved_by_this_lab"):
        resume.restore(resume.read(good()), wide, build("adamw", wide, 0.01))
