"""Hours, money and energy of a run against what was reported; lifetime cost against Sardana et al."""

import numpy as np
import pytest
import torch
import transformers

from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.scaling import budget, overtrain
from labcore.scaling.budget import BillConfig, CountsConfig, bill, counts, implied_shares
from labcore.scaling.chinchilla import LAWS, share_out
from labcore.scaling.landmarks import REPORTED
from labcore.scaling.overtrain import OvertrainConfig


def test_a_bill_by_hand():
    """3.6e21 FLOPs at 1e15 · half: 2,000 device hours, 10.4 days on 8; at 2 dollars and 1 kW · 1.2."""
    config = BillConfig(3.6e21 * 2.25, "b200", 8, 0.5, 2.0, 1.2, 500.0)
    made = bill(config)
    assert made.device_hours == pytest.approx(2000)
    assert made.days == pytest.approx(2000 / 8 / 24)
    assert made.dollars == pytest.approx(4000)
    assert made.megawatt_hours == pytest.approx(2.4)
    assert made.tonnes == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("title", "megawatt_hours", "tonnes"), [("Llama 1 7B", 36, 14), ("Llama 1 65B", 449, 173)]
)
def test_energy_as_the_llama_report_reckons_it(title, megawatt_hours, tonnes):
    """Its table 15: 400 W per A100, PUE 1.1, 385 g of CO2 per kWh."""
    row = next(row for row in implied_shares() if row.run.title == title)
    assert row.megawatt_hours == pytest.approx(megawatt_hours, rel=0.01)
    assert row.megawatt_hours * budget.GRAMS_PER_KWH / 1000 == pytest.approx(tonnes, rel=0.02)


def test_deepseeks_dollars():
    """Its table 1: 2.664 million hours of pre-training at 2 dollars are 5.328 million."""
    run = next(run for run in REPORTED if run.title == "DeepSeek-V3")
    row = next(row for row in implied_shares() if row.run is run)
    made = bill(BillConfig(row.flops, "h800", 2048, row.peak_share))
    assert made.device_hours == pytest.approx(run.device_hours)
    assert made.dollars == pytest.approx(5.328e6, rel=1e-6)
    assert made.days == pytest.approx(54.2, abs=0.1)  # "less than two months"


def test_implied_shares_of_the_peak_are_believable():
    """Llama 3 reports 38 to 43 % while it ran; over all hours, pauses included, less is left."""
    shares = {row.run.title: row.peak_share for row in implied_shares()}
    assert all(0.3 < share < 0.5 for share in shares.values())
    assert shares["Llama 3.1 405B"] == pytest.approx(0.345, abs=0.002)


def test_every_device_has_a_rated_power():
    assert budget.WATTS.keys() == DEVICES.keys()


def test_counts_of_gpt2_are_those_of_transformers():
    """Built without memory; its head is tied to the table of tokens."""
    made = counts(CountsConfig("gpt2"))
    with torch.device("meta"):
        theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    tables = theirs.transformer.wte.weight.numel() + theirs.transformer.wpe.weight.numel()
    assert made.parameters == sum(p.numel() for p in theirs.parameters())
    assert made.without_embeddings == made.parameters - tables == 12 * 7_087_872 + 1_536


def test_the_rule_of_two_per_parameter_is_good_for_large_models_only():
    """SmolLM2 at 4,096 tokens makes half as much again for its scores; Llama 3.1 405B 2 % more."""
    assert counts(CountsConfig("smollm2-135m")).share_of_rule > 1.5
    assert counts(CountsConfig("llama-3.1-405b")).share_of_rule == pytest.approx(1, abs=0.02)
    mixture = counts(CountsConfig("mixtral-8x7b"))
    assert mixture.active < mixture.parameters / 3
    assert mixture.share_of_rule == pytest.approx(1, abs=0.05)  # of the active parameters


def test_the_tokens_for_a_published_size_are_the_laws():
    made = counts(CountsConfig("llama-2-70b", "epoch"))
    share = share_out("epoch", made.flops)
    assert share.parameters == pytest.approx(made.active, rel=1e-9)
    assert share.tokens == pytest.approx(made.tokens, rel=1e-9)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"device": "abacus"}, "device"), ({"flops": 0}, "flops"), ({"devices": 0}, "devices"),
        ({"peak_share": 1.5}, "peak_share"), ({"pue": 0.9}, "pue"),
        ({"dollars_per_hour": -1}, "dollars_per_hour"),
    ],
)  # fmt: skip
def test_a_bill_that_makes_no_sense(bad, field):
    with pytest.raises(LabInputError) as error:
        BillConfig(**bad)
    assert error.value.field == field


def test_counts_of_an_encoder_are_refused():
    with pytest.raises(LabInputError):
        CountsConfig("bert-base")


# The whole life of a model.


def test_sardanas_example():
    """Quality of a 13B model, 2e12 tokens served: a 7B model saves 1.7e22 FLOPs, 17 % (their figure 1)."""
    result = overtrain.run(OvertrainConfig("approach3"))
    assert result.best.parameters == pytest.approx(7e9, rel=0.03)
    assert result.reference.flops - result.best.flops == pytest.approx(1.7e22, rel=0.05)
    assert 1 - result.best.flops / result.reference.flops == pytest.approx(0.17, abs=0.01)


@pytest.mark.parametrize("law", ["approach3", "epoch"])
@pytest.mark.parametrize("served", [1e11, 1e13])
def test_the_numeric_minimum_meets_its_condition(law, served):
    """The demand implied by the cheapest model, from the condition of Lagrange, is the demand put in."""
    found = overtrain.cheapest(LAWS[law], 2.1, served)
    implied = overtrain.implied_demand(LAWS[law], found.parameters, found.tokens)
    assert implied == pytest.approx(served, rel=1e-3)
    assert LAWS[law].loss(found.parameters, found.tokens) == pytest.approx(2.1, rel=1e-9)


def test_nobody_served_means_compute_optimal():
    result = overtrain.run(OvertrainConfig(served=0))
    assert result.best.parameters == pytest.approx(13e9, rel=1e-3)
    assert result.best.flops == pytest.approx(result.reference.flops, rel=1e-6)


def test_more_demand_makes_the_best_model_smaller_and_its_training_longer():
    result = overtrain.run(OvertrainConfig())
    assert (np.diff(result.best_sizes) < 0).all()
    assert (np.diff(result.best_ratios) > 0).all()
    assert (np.diff(result.saved) > 0).all()
    dear = overtrain.run(OvertrainConfig(dearness=10))
    assert dear.best.parameters < result.best.parameters


def test_a_model_too_small_never_gets_there():
    law = LAWS["epoch"]
    least = overtrain.smallest(law, 2.1)
    assert np.isinf(overtrain.tokens_needed(law, 2.1, 0.99 * least))
    assert np.isfinite(overtrain.tokens_needed(law, 2.1, 1.01 * least))


def test_what_published_models_were_made_for():
    """GPT-3 was larger than the best even to train alone; Llama 3 8B pays from 1e14 tokens on."""
    served = {row.landmark.title: row.served for row in overtrain.demands_of_landmarks("epoch")}
    assert served["GPT-3 175B"] is None
    assert 1e14 < served["Llama 3 8B"] < 3e14
    assert "DeepSeek-V3" not in served  # the laws are of dense models


@pytest.mark.parametrize(
    ("bad", "field"),
    [({"law": "approach1"}, "law"), ({"reference": 1.0}, "reference"), ({"served": -1.0}, "served"),
     ({"dearness": 0.0}, "dearness")],
)  # fmt: skip
def test_a_life_that_cannot_be_reckoned(bad, field):
    with pytest.raises(LabInputError) as error:
        OvertrainConfig(**bad)
    assert error.value.field == field
