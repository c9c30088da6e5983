import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.trace import combine, patch, switch_off_head
from labcore.model.transformer import Transformer

B, T, S, D, H, K, HEAD, F, V = 2, 7, 5, 64, 4, 2, 16, 256, 512


def tokens(rows: int = B, length: int = T, seed: int = 0) -> torch.Tensor:
    return torch.randint(V, (rows, length), generator=torch.Generator().manual_seed(seed))


def decoder(**changes: object) -> Transformer:
    return Transformer(ModelConfig(num_key_value_heads=K, **changes)).eval()


def attention_shapes(part: str, keys: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{part}.norm": (B, T, D),
        f"{part}.q": (B, H, T, HEAD),
        f"{part}.k": (B, K, keys, HEAD),
        f"{part}.v": (B, K, keys, HEAD),
        f"{part}.scores": (B, H, T, keys),
        f"{part}.mask": (B, 1, T, keys),
        f"{part}.weights": (B, H, T, keys),
        f"{part}.heads": (B, H, T, HEAD),
        f"{part}.out": (B, T, D),
    }


def layer_shapes(layer: str) -> dict[str, tuple[int, ...]]:
    return {
        f"{layer}.resid_pre": (B, T, D),
        **attention_shapes(f"{layer}.attn", T),
        f"{layer}.attn.q_unrotated": (B, H, T, HEAD),
        f"{layer}.attn.k_unrotated": (B, K, T, HEAD),
        f"{layer}.resid_mid": (B, T, D),
        f"{layer}.mlp.norm": (B, T, D),
        f"{layer}.mlp.hidden": (B, T, F),
        f"{layer}.mlp.out": (B, T, D),
        f"{layer}.resid_post": (B, T, D),
    }


def shapes(trace: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in trace.items()}


def test_a_decoders_trace_holds_every_name_in_its_shape():
    expected = {
        "embed.tokens": (B, T, D),
        **layer_shapes("layers.0"),
        **layer_shapes("layers.1"),
        "final.norm": (B, T, D),
        "logits": (B, T, V),
    }
    assert shapes(decoder()(tokens(), trace=True).trace) == expected


def test_a_translators_trace_tells_encoder_decoder_and_cross_attention_apart():
    model = decoder(kind="encoder_decoder", positions="learned")
    trace = shapes(model(tokens(), context=tokens(B, S), trace=True).trace)
    assert trace["encoder.embed.positions"] == (B, S, D)
    assert trace["encoder.layers.1.attn.weights"] == (B, H, S, S)
    assert trace["encoder.final.norm"] == (B, S, D)
    assert trace["embed.positions"] == (B, T, D)
    expected = attention_shapes("layers.1.cross", S)
    assert {name: trace[name] for name in expected} == expected


def test_segments_have_a_name():
    model = decoder(kind="encoder", token_types=2)
    assert model(tokens(), trace=True).trace["embed.types"].shape == (B, T, D)


def test_the_residual_stream_is_the_sum_of_what_was_added():
    """Embedding + both parts of both layers = what the final norm reads."""
    trace = decoder()(tokens(), trace=True).trace
    parts = [trace[f"layers.{i}.{part}.out"] for i in (0, 1) for part in ("attn", "mlp")]
    total = trace["embed.tokens"] + sum(parts)
    torch.testing.assert_close(total, trace["layers.1.resid_post"], atol=1e-5, rtol=0)


def test_weights_are_the_softmax_of_the_scores_where_the_mask_allows():
    real = torch.ones(B, T, dtype=torch.bool)
    real[1, 5:] = False
    trace = decoder()(tokens(), padding_mask=real, trace=True).trace
    mask, weights = trace["layers.0.attn.mask"], trace["layers.0.attn.weights"]
    assert mask.dtype == torch.bool
    expected = trace["layers.0.attn.scores"].masked_fill(~mask, -torch.inf).softmax(-1)
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, H, T))
    assert (weights[1, :, :, 5:] == 0).all()


def test_tracing_changes_nothing():
    model = decoder()
    plain, traced = model(tokens()), model(tokens(), trace=True)
    torch.testing.assert_close(plain.logits, traced.logits, atol=1e-5, rtol=0)
    assert torch.equal(traced.trace["logits"], traced.logits)
    assert torch.equal(traced.trace["final.norm"], traced.hidden)


def test_a_head_switched_off_is_a_head_whose_output_columns_are_zero():
    """Silencing head 1 equals deleting columns 16 to 31 of the output map."""
    model, reference = decoder(), decoder()
    with torch.no_grad():
        reference.stack.layers[1].attn.out.weight[:, HEAD : 2 * HEAD] = 0
        silenced = model(tokens(), interventions=switch_off_head(1, 1)).logits
        torch.testing.assert_close(silenced, reference(tokens()).logits, atol=1e-6, rtol=0)
        assert (silenced - model(tokens()).logits).abs().max() > 1e-3


def test_a_cross_attention_head_can_be_switched_off():
    model = decoder(kind="encoder_decoder")
    off = switch_off_head(0, 3, part="cross")
    trace = model(tokens(), context=tokens(), trace=True, interventions=off).trace
    assert (trace["layers.0.cross.heads"][:, 3] == 0).all()
    assert (trace["layers.0.attn.heads"][:, 3] != 0).any()


def test_patching_in_a_whole_state_of_another_run_makes_it_that_run():
    """All of the stream after layer 0 comes from the other text, so the logits do too."""
    model, other = decoder(), tokens(seed=9)
    donor = model(other, trace=True)
    name = "layers.0.resid_post"
    patched = model(tokens(), interventions=patch(name, donor.trace[name])).logits
    torch.testing.assert_close(patched, donor.logits, atol=1e-5, rtol=0)


def test_a_patch_at_an_index_leaves_the_rest_alone():
    model, name = decoder(), "layers.1.mlp.out"
    before = model(tokens(), trace=True).trace[name]
    patched = patch(name, 7.0, index=(slice(None), 3))
    after = model(tokens(), trace=True, interventions=patched).trace[name]
    assert (after[:, 3] == 7.0).all()
    assert torch.equal(after[:, :3], before[:, :3])


def test_taking_the_causal_mask_away_lets_a_decoder_look_ahead():
    """An intervention inside attention acts without a trace too."""
    model = decoder()
    no_mask = combine(*(patch(f"layers.{i}.attn.mask", True) for i in (0, 1)))
    later = tokens().clone()
    later[:, -1] = (later[:, -1] + 1) % V
    with torch.no_grad():
        first = [model(text, interventions=no_mask).logits[:, 0] for text in (tokens(), later)]
        blind = [model(text).logits[:, 0] for text in (tokens(), later)]
    assert (first[0] - first[1]).abs().max() > 1e-4
    torch.testing.assert_close(*blind, atol=1e-6, rtol=0)


def test_interventions_of_one_name_act_in_turn():
    model, name = decoder(), "layers.0.attn.heads"
    both = combine(switch_off_head(0, 0), switch_off_head(0, 2), patch("final.norm", 0.0))
    output = model(tokens(), trace=True, interventions=both)
    silent = (output.trace[name] == 0).flatten(2).all(-1)[0]
    assert silent.tolist() == [True, False, True, False]
    assert (output.logits == 0).all()
    order = combine(patch(name, 1.0), {name: lambda heads: heads * 3})
    assert (model(tokens(), trace=True, interventions=order).trace[name] == 3).all()


@pytest.mark.parametrize(
    "name", ["layers.2.attn.heads", "layers.0.attn.wieghts", "embed.positions"]
)
def test_a_name_that_does_not_occur_is_an_error(name):
    """A layer too many, a typing error, and a tensor that this model does not have."""
    with pytest.raises(LabInputError, match="known_name"):
        decoder()(tokens(), interventions=patch(name, 0.0))


def test_a_head_that_does_not_exist_is_an_error():
    with pytest.raises(LabInputError, match="head = 4"):
        decoder()(tokens(), interventions=switch_off_head(0, 4))


def test_an_intervention_may_not_change_a_shape():
    with pytest.raises(LabInputError, match="same_shape"):
        decoder()(tokens(), interventions={"logits": lambda logits: logits[:, :1]})


def test_gradients_flow_through_traced_tensors():
    output = decoder()(tokens(), trace=True)
    weights = output.trace["layers.0.attn.weights"]
    (gradient,) = torch.autograd.grad(output.logits.square().sum(), weights)
    assert gradient.abs().sum() > 0
