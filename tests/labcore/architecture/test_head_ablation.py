"""Heads off on a learner's text: the numbers are those of a plain pass, and causes run downwards only."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labcore.architecture import head_ablation as lab
from labcore.architecture.head_ablation import AblationConfig, GroupConfig
from labcore.errors import LabInputError
from labcore.zoo import load

COPIER = AblationConfig()


def test_the_loss_is_torch_s_cross_entropy_of_the_text_s_own_tokens():
    result = lab.run(replace(COPIER, off=()))
    loaded, ids = load("world-copier"), torch.tensor(result.queries.ids)
    with torch.no_grad():
        logits = loaded.model(ids[None]).logits[0]
    asked = range(2, len(ids))  # <|bos|> and the language are given
    expected = F.cross_entropy(logits[1:-1], ids[2:], reduction="none")
    np.testing.assert_allclose(result.before.token_nats[asked.start :], expected, atol=1e-4)
    assert np.isnan(result.before.token_nats[:2]).all()
    assert result.before.loss_nats == pytest.approx(float(expected.mean()), abs=1e-5)


def test_with_all_heads_on_nothing_changes():
    result = lab.run(replace(COPIER, off=()))
    assert result.after is result.before
    assert not result.map_change.any()
    assert result.gates.all()
    np.testing.assert_array_equal(result.candidates_before, result.candidates_after)


def test_only_later_rows_can_change_their_maps():
    """Heads of one layer read the same stream, and a layer never reads a later one."""
    for off, untouched in (((0, 1), [0]), ((1, 2), [0, 1])):
        result = lab.run(replace(COPIER, off=(off,)))
        assert not result.map_change[untouched].any()
    assert lab.run(COPIER).map_change[1].min() > 0.3


def test_the_copier_cannot_copy_without_its_previous_token_head():
    """The phenomenon and its control: 2.3 nats for this head, a third of a nat for a random one."""
    result, others = lab.run(COPIER), lab.control(COPIER)
    cost = result.after.loss_nats - result.before.loss_nats
    assert cost > 1.5
    assert np.median(others) - result.before.loss_nats < cost / 4
    # What could be copied is lost; the first mention, which nobody can know, costs little more.
    rise = result.after.token_nats - result.before.token_nats
    half = len(rise) // 2
    assert np.nanmean(rise[half + 3 :]) > 4 * np.nanmean(np.abs(rise[2:half]))


def test_a_team_of_heads_costs_far_more_than_the_sum_of_its_members():
    group = lab.group(GroupConfig(replace(COPIER, off=()), place=1))
    assert group.alone.max() < 1 < 4 < group.together
    whole = lab.run(replace(COPIER, off=tuple((1, head) for head in range(4))))
    assert group.together == pytest.approx(whole.after.loss_nats - whole.before.loss_nats, abs=1e-4)


def test_moved_attention_is_half_the_absolute_difference():
    """One query of two moves 0.3 of its weight: (0.3 + 0.3) / 2 for it, 0 for the other, mean 0.15."""
    before = np.array([[[0.5, 0.5], [1.0, 0.0]]])
    after = np.array([[[0.8, 0.2], [1.0, 0.0]]])
    np.testing.assert_allclose(lab.moved_attention(before, after), [0.15])


def test_an_encoder_is_asked_for_each_token_while_it_is_hidden():
    """The rows hide every fourth token each; a token's loss comes from the row that hides it."""
    config = AblationConfig("world-encoder", "Tom has a red kite.", off=())
    loaded, result = load("world-encoder"), lab.run(config)
    ids, mask = torch.tensor(result.queries.ids), loaded.tokenizer.mask_id
    token = 5
    hidden = ids.clone()
    real = torch.tensor([bool(piece) for piece in result.queries.pieces])
    hidden[(torch.arange(len(ids)) % 4 == token % 4) & real] = mask
    with torch.no_grad():
        logits = loaded.model(hidden[None]).logits[0, token]
    expected = -logits.log_softmax(-1)[ids[token]]
    assert result.before.token_nats[token] == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("method", lab.METHODS)
@pytest.mark.parametrize(
    ("model", "rows"),
    [("world-decoder", 4), ("world-encoder", 4), ("world-translator", 6), ("minilm-l6", 6)],
)
def test_every_kind_of_model_can_be_switched(model, rows, method):
    result = lab.run(AblationConfig(model, "Tom has a red kite.", off=((0, 1),), method=method))
    assert result.map_change.shape[0] == rows == len(result.places)
    assert result.shift.max() > 0
    if model == "minilm-l6":
        assert result.candidate_ids is None
        assert np.isnan(result.before.loss_nats)
    else:
        assert result.after.loss_nats != result.before.loss_nats


def test_the_control_draws_other_heads_with_another_seed_and_the_same_with_the_same():
    loaded = load("world-decoder")
    one, again, other = (lab.random_sets(loaded, 3, seed) for seed in (0, 0, 1))
    assert one == again != other
    assert all(len(set(heads)) == 3 for heads in one)
    assert len(one) == lab.CONTROLS


def test_no_result_keeps_a_tensor():
    """Results are cached by the size of their arrays; logits of a real model would not be counted."""
    result = lab.run(COPIER)
    kept = [getattr(result, name) for name in result.__dataclass_fields__]
    kept += [result.after.token_nats, *result.after.maps]
    assert not any(isinstance(value, torch.Tensor) for value in kept)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"text": "  "}, "not_empty"),
        ({"off": ((9, 0),)}, "no_such_head"),
        ({"method": "noise"}, "known_choice"),
    ],
)
def test_bad_input_is_named(changes, rule):
    with pytest.raises(LabInputError, match=rule):
        lab.run(replace(COPIER, **changes))
