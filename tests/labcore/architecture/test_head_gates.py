"""A gate before every head: 1 changes nothing, 0 is the switch that the trace already has."""

import pytest
import torch

from labcore.architecture.head_gates import all_on, gated, gates_of, mean_outputs, places
from labcore.errors import LabInputError
from labcore.model.config import LatentAttention
from labcore.model.trace import switch_off_head

KINDS = ("decoder", "encoder", "encoder_decoder")
LATENT = LatentAttention(kv_lora_rank=8, rope_head_dim=4, nope_head_dim=4, value_head_dim=6)


def inputs(kind: str) -> dict[str, torch.Tensor]:
    tokens = torch.tensor([[5, 9, 7, 30, 2, 11]])
    return {"tokens": tokens} | ({"context": tokens.flip(1)} if kind == "encoder_decoder" else {})


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_named_occurs_in_the_trace_and_none_is_missing(make, kind):
    model = make(kind).model
    trace = model(**inputs(kind), trace=True).trace
    heads = {name.removesuffix(".heads") for name in trace if name.endswith(".heads")}
    assert set(places(model.config)) == heads
    assert all_on(model.config).shape == (len(heads), model.config.num_heads)


@pytest.mark.parametrize("changes", [{}, {"num_key_value_heads": 1}, {"latent": LATENT}])
@pytest.mark.parametrize("kind", KINDS)
def test_open_gates_leave_the_model_as_it_is(make, kind, changes):
    model = make(kind, **changes).model
    plain = model(**inputs(kind)).logits
    open_ = model(**inputs(kind), interventions=gated(model.config, all_on(model.config))).logits
    torch.testing.assert_close(open_, plain)


def test_a_closed_gate_is_the_switch_of_the_trace(make):
    """`switch_off_head` writes zeros; a gate multiplies by zero: the same to the last bit."""
    model = make("decoder").model
    gates = gates_of(model.config, [(1, 2)])
    by_gate = model(**inputs("decoder"), interventions=gated(model.config, gates)).logits
    by_switch = model(**inputs("decoder"), interventions=switch_off_head(1, 2)).logits
    assert torch.equal(by_gate, by_switch)


def test_without_any_head_attention_adds_nothing_to_the_stream(make):
    model = make("decoder").model
    closed = gated(model.config, torch.zeros_like(all_on(model.config)))
    trace = model(**inputs("decoder"), trace=True, interventions=closed).trace
    assert not trace["layers.0.attn.out"].any()
    assert torch.equal(trace["layers.1.resid_mid"], trace["layers.1.resid_pre"])


def test_each_row_of_a_batch_may_have_gates_of_its_own(make):
    model = make("decoder").model
    tokens = inputs("decoder")["tokens"].repeat(2, 1)
    each = [gates_of(model.config, off) for off in ([], [(0, 1), (1, 3)])]
    both = model(tokens, interventions=gated(model.config, torch.stack(each))).logits
    for row, gates in enumerate(each):
        alone = model(tokens[:1], interventions=gated(model.config, gates)).logits
        torch.testing.assert_close(both[row], alone[0])


def test_a_mean_is_taken_over_real_positions_only(make):
    """Two rows, one padded: the mean over 6 + 3 real positions, worked out by hand from the trace."""
    model = make("encoder").model
    tokens = inputs("encoder")["tokens"].repeat(2, 1)
    real = torch.ones_like(tokens, dtype=torch.bool)
    real[1, 3:] = False
    means = mean_outputs(model, {"tokens": tokens, "padding_mask": real})
    heads = model(tokens, padding_mask=real, trace=True).trace["layers.1.attn.heads"]
    by_hand = (heads[0].sum(dim=1) + heads[1, :, :3].sum(dim=1)) / 9  # (H, d)
    torch.testing.assert_close(means[1], by_hand)


def test_a_head_that_always_says_its_mean_is_not_silent(make):
    """With every head closed and a mean in its place, attention adds W_O · mean at every position."""
    model = make("decoder").model
    means = mean_outputs(model, {"tokens": inputs("decoder")["tokens"], "padding_mask": None})
    closed = torch.zeros_like(all_on(model.config))
    with_means = gated(model.config, closed, means)
    out = model(**inputs("decoder"), trace=True, interventions=with_means).trace[
        "layers.0.attn.out"
    ]
    expected = model.stack.layers[0].attn.out(means[0].flatten())
    torch.testing.assert_close(out[0], expected.expand_as(out[0]))


@pytest.mark.parametrize("head", [(2, 0), (0, 4), (-1, 0), (0, -1)])
def test_a_head_that_is_not_there_is_refused(make, head):
    with pytest.raises(LabInputError, match="no_such_head"):
        gates_of(make("decoder").model.config, [head])
