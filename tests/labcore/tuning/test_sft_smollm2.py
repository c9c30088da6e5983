"""The real model's run: rows set apart, an adapter that is all that changes, what was recorded."""

import json

import pytest
import torch

from app import results
from labcore import zoo
from labcore.errors import LabInputError
from labcore.tuning import instructions, lora
from labcore.tuning import sft_smollm2 as lab
from labcore.tuning.instructions import Instruction

RECORDED = results.RECORDINGS / "sft-smollm2.safetensors"


def test_every_sixth_row_is_set_apart_and_a_large_set_is_cut():
    rows = instructions.load("en")
    train, held_out = lab.divided(rows)
    assert not set(train) & set(held_out)
    assert (len(train), len(held_out)) == (53, 10)
    assert lab.fitting([*rows, *instructions.load("zh")]) == [*rows, *instructions.load("zh")[:7]]
    too_long = Instruction("Why? " * 200, "", "No.")
    assert lab.fitting([too_long, *rows[:3]]) == list(rows[:3])


def test_too_small_a_set_is_refused():
    with pytest.raises(LabInputError) as refused:
        lab.divided(instructions.load("en")[:5])
    assert refused.value.rule == "at_least"


@torch.no_grad()
def test_an_adapter_changes_the_copy_alone_and_survives_its_file():
    """The frozen weights are the shared model's own; what the file holds says the same again."""
    base = zoo.load(lab.MODEL).model
    one = lab.with_adapter(base, torch.Generator().manual_seed(0))
    assert one.token_embedding.weight is base.token_embedding.weight
    assert not lora.corrections(base)
    tokens = torch.tensor([[504, 3575, 282, 4649, 314]])
    torch.testing.assert_close(one(tokens).logits, base(tokens).logits)
    generator = torch.Generator().manual_seed(1)
    for module in lora.corrections(one).values():
        module.b += torch.randn(module.b.shape, generator=generator).half().float() * 0.125
        module.a.copy_(module.a.half().float())
    other = lab.with_adapter(base, torch.Generator().manual_seed(2))
    lab.give_adapter(other, lab.adapter_of(one))
    assert not torch.allclose(one(tokens).logits, base(tokens).logits, atol=0.1)
    torch.testing.assert_close(other(tokens).logits, one(tokens).logits, atol=0.02, rtol=0.01)


def test_a_short_run_on_a_file_of_ones_own(monkeypatch):
    monkeypatch.setattr(lab, "SAMPLES", 1)
    monkeypatch.setattr(lab, "MOST_ANSWER_TOKENS", 2)
    monkeypatch.setattr(lab, "TEXT_TOKENS", 16)
    rows = [{"instruction": f"Say {n}.", "output": str(n)} for n in range(12)]
    config = lab.RealConfig("own", json.dumps(rows).encode(), epochs=1)
    result = lab.run(config)
    steps = [look.step for look in result.looks]
    assert steps == list(range(result.looks[0].steps + 1))
    assert result.looks[-1].held_out_nats < result.looks[0].held_out_nats
    assert (result.trained_rows, result.held_out_rows, len(result.answered)) == (10, 2, 1)


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"learning_rate": 1.0}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        lab.RealConfig(**bad)
    with pytest.raises(LabInputError):
        lab.AskConfig(" ", b"")


def test_the_recorded_run_lowers_the_loss_and_shortens_the_answers():
    recorded = results.load(RECORDED, lab.RealResult).result
    nats = [
        look.held_out_nats for look in recorded.looks if look.held_out_nats == look.held_out_nats
    ]
    assert nats[-1] < nats[0] - 0.3
    before, after = (sum(one.tokens[at] for one in recorded.answered) for at in (0, 1))
    assert after < 0.8 * before
    assert RECORDED.stat().st_size < 300_000
