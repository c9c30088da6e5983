"""One row: three softmaxes agree where they may, and the online one carries what it should."""

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.serving import online_softmax as lab
from labcore.serving.online_softmax import OnlineConfig
from labcore.zoo import load

ROW = (1.0, 3.0, 2.0, 5.0)


def test_a_row_by_hand():
    """Maximum 3, then 5; the sum 1 + e⁻² shrinks by e⁻² and gets 1 + e⁻³."""
    result = lab.run(OnlineConfig(own=ROW, key_tile=2))
    assert result.largest.tolist() == [3, 5]
    first = 1 + np.exp(-2)
    np.testing.assert_allclose(result.total, [first, first * np.exp(-2) + 1 + np.exp(-3)], 1e-6)
    np.testing.assert_allclose(result.shrink, [0, np.exp(-2)])
    np.testing.assert_allclose(result.weights, torch.tensor(ROW).double().softmax(0).numpy())


@pytest.mark.parametrize("key_tile", [1, 3, 7, 64])
def test_the_head_s_own_output_comes_out(key_tile):
    """Row by row the model's `heads` in its trace, which torch's kernel agrees with (tested there)."""
    config = OnlineConfig(layer=2, head=3, query=9, key_tile=key_tile)
    tokens, at, _, scores, values = lab.row_of_a_head(config)
    loaded = load(lab.MODEL)
    ids = lab.read_for(loaded, config.text)[0].ids
    with torch.no_grad():
        trace = loaded.model(torch.tensor([ids]), trace=True).trace
    *_, (seen, last) = lab.online(scores, values, key_tile)
    assert (seen, at, len(tokens)) == (10, 9, len(ids))
    torch.testing.assert_close(last.output[0], trace["layers.2.attn.heads"][0, 3, 9])


def test_the_sum_never_passes_the_keys_seen_and_the_output_arrives():
    result = lab.run(OnlineConfig())
    assert (np.diff(result.largest) >= 0).all()
    assert (result.total >= 1).all()
    assert (result.total <= result.seen + 1e-6).all()
    assert result.distance[-1] < 1e-6 < result.distance[0]
    assert result.seen[-1] == len(result.keys) == len(result.weights)


@pytest.mark.parametrize(
    ("form", "offset", "sum_"),
    [("fp32", 90, np.inf), ("fp32", -150, 0.0), ("fp16", 15, np.inf), ("bf16", 90, np.inf)],
)
def test_only_the_naive_one_breaks(form, offset, sum_):
    result = lab.run(OnlineConfig(own=ROW, offset=offset, format=form))
    assert result.sums["naive"] == sum_
    assert np.isnan(result.errors["naive"])
    assert result.errors["safe"] < 0.1
    assert result.errors["online"] < 0.1


def test_below_the_overflow_all_three_agree():
    result = lab.run(OnlineConfig(own=ROW, offset=80))
    assert max(result.errors.values()) < 1e-5


def test_what_rounding_destroyed_before_stays_destroyed():
    """In 16 bits 100 + s lies on a grid of 1/16: weights are off by percents, whatever the softmax."""
    rough = lab.run(OnlineConfig(own=(0.03, 0.0), offset=100, format="fp16"))
    assert rough.errors["safe"] > 0.005
    assert lab.run(OnlineConfig(own=(0.03, 0.0), format="fp16")).errors["safe"] < 0.001


@pytest.mark.parametrize(
    "text", ["2, 1, 7", "2 1 7", "2；1，7".replace("；", ";"), "2、1、7", " 2.0,1e0 , 7 "]
)
def test_rows_are_read_however_they_are_written(text):
    assert lab.read_scores(text) == (2, 1, 7)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: lab.read_scores("  "), "not_empty"),
        (lambda: lab.read_scores("1, two"), "numbers_in_a_row"),
        (lambda: OnlineConfig(own=(1.0, float("nan"))), "between"),
        (lambda: OnlineConfig(own=(1e6,)), "between"),
        (lambda: OnlineConfig(own=(1.0,) * 65), "at_most"),
        (lambda: OnlineConfig(key_tile=0), "between"),
        (lambda: OnlineConfig(format="int8"), "known_choice"),
        (lambda: lab.run(OnlineConfig(layer=50)), "between"),
        (lambda: lab.run(OnlineConfig(text="  ")), "not_empty"),
    ],
)
def test_what_cannot_be_computed_is_refused(make, rule):
    with pytest.raises(LabInputError) as refused:
        make()
    assert refused.value.rule == rule
