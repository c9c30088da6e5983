"""Cutting wires: against the sum of the stream written out, and on a model whose heads have names."""

import numpy as np
import pytest
import torch

from labcore.architecture.induction_surgery import CONDITIONS, cut_wires, knock_out, silence
from labcore.architecture.induction_text import MODELS, TextConfig, run, tell
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.zoo import load

ENGLISH = "The small cat saw a red fish by the river and ran home. "
CHINESE = "小猫在河边看见一条红色的鱼，高兴地跑回家。"


@pytest.fixture(scope="module")
def model():
    config = ModelConfig(vocab_size=20, hidden_size=16, num_heads=2, intermediate_size=0)
    model = Transformer(config, torch.Generator().manual_seed(0)).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.mul_(3)  # as large as after training, so that nothing drowns in rounding
    return model


TOKENS = torch.arange(12)[None] % 20


def test_keys_that_do_not_hear_a_head_are_those_of_the_stream_without_it(model):
    """The stream after layer 0 is a sum, so the head's share can be taken out of it by hand:
    k' = W_K · norm(x - W_O[:, head] · head). The patched pass must read exactly these keys."""
    trace = model(TOKENS, trace=True).trace
    block, head, width = model.stack.layers, 1, 8
    write = block[0].attn.out.weight[:, head * width : (head + 1) * width]  # (D, d)
    without = trace["layers.1.resid_pre"] - trace["layers.0.attn.heads"][:, head] @ write.T
    by_hand = block[1].attn.k(block[1].attn_norm(without)).unflatten(-1, (2, width)).transpose(1, 2)
    cut = cut_wires(model, TOKENS, [(0, head)])["keys"]
    patched = model(TOKENS, interventions=cut, trace=True).trace
    # k is patched after RoPE; a rotation keeps each key's length
    assert torch.allclose(patched["layers.1.attn.k"].norm(dim=-1), by_hand.norm(dim=-1), atol=1e-5)
    for same in ("layers.1.attn.q", "layers.1.attn.v"):
        assert torch.equal(patched[same], trace[same])


def test_nothing_cut_changes_nothing_and_everything_cut_changes_something(model):
    cuts = cut_wires(model, TOKENS, [(0, 0), (0, 1)])
    assert tuple(cuts) == CONDITIONS
    plain = model(TOKENS).logits
    for name, cut in cuts.items():
        same = torch.allclose(model(TOKENS, interventions=cut).logits, plain, atol=1e-5)
        assert same == (name == "intact"), name


def test_a_head_that_writes_nothing_can_be_cut_without_effect(model):
    """With a zero output matrix the silent pass is the same pass, so every cut is the identity."""
    mute = Transformer(model.config, torch.Generator().manual_seed(1)).eval().requires_grad_(False)
    mute.stack.layers[0].attn.out.weight.zero_()
    plain = mute(TOKENS).logits
    for cut in cut_wires(mute, TOKENS, [(0, 0)]).values():
        assert torch.allclose(mute(TOKENS, interventions=cut).logits, plain, atol=1e-6)


def test_the_last_layer_has_no_readers(model):
    assert tuple(cut_wires(model, TOKENS, [(1, 0)])) == ("intact", "silent")


def test_a_silent_layer_is_all_its_heads_silent(model):
    """Layer 1 without its heads leaves the stream as it came."""
    trace = model(TOKENS, trace=True, interventions=silence([(1, 0), (1, 1)])).trace
    assert torch.equal(trace["layers.1.resid_post"], trace["layers.1.resid_pre"])


def test_accuracy_counts_known_targets_only(model):
    """The model's own guesses as targets: all right. Ask only where the target is wrong: none."""
    targets = model(TOKENS).logits.argmax(dim=-1)
    known = torch.zeros_like(TOKENS, dtype=torch.bool)
    known[0, 5:] = True
    assert knock_out(model, TOKENS, targets, known).wires["intact"] == 1.0
    targets[0, 5:] += 1
    assert knock_out(model, TOKENS, targets, known).wires["intact"] == 0.0


# On the model that has learnt to copy.


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_the_copier_hears_its_previous_token_head_through_the_keys_alone(text):
    """Intact it copies nearly all; without that head, or with its word kept from the keys, next to
    nothing; with its word for nobody but the keys, nearly all again."""
    result = run(TextConfig(text, silent=((0, 1),)))
    accuracy = dict(zip(result.conditions, result.right.mean(axis=1), strict=True))
    assert min(accuracy[name] for name in ("intact", "queries", "values", "only_keys")) > 0.9
    assert max(accuracy["silent"], accuracy["keys"]) < 0.15
    assert any((h.layer, h.head, h.pattern) == (0, 1, "previous_token") for h in result.heads)


def test_four_heads_share_the_copying_and_none_is_missed_alone():
    """The control of the first layer, and the redundancy of the second: one of four induction heads
    off changes at most a token or two; all four off leave nothing."""
    result = run(TextConfig(ENGLISH, silent=tuple((1, head) for head in range(4))))
    assert result.head_off[1].min() > 0.9
    assert result.head_off[0, 2:].min() > 0.9
    assert result.head_off[0, 1] < 0.15
    assert result.right[result.conditions.index("silent")].mean() < 0.1


def test_a_model_without_induction_heads_does_not_copy():
    result = run(TextConfig(ENGLISH, "world-decoder"))
    assert result.right.mean() < 0.4
    assert not any(head.pattern == "induction" for head in result.heads)


def test_the_text_is_told_three_times_and_known_from_its_second_telling():
    """n tokens, three tellings: 3n - (n + 1) = 2n - 1 can be known."""
    loaded = load("world-copier")
    told = tell(loaded, CHINESE)
    before = told.first - told.telling - 1
    row = told.tokens[0, before:].tolist()
    assert row == row[: told.telling] * 3
    result = run(TextConfig(CHINESE))
    assert result.chances.shape == (1, 2 * told.telling - 1)
    assert result.labels[: told.telling - 1] == result.labels[told.telling :]


def test_chances_are_probabilities_and_right_is_their_argmax():
    result = run(TextConfig(ENGLISH, silent=((0, 1),)))
    assert ((result.chances >= 0) & (result.chances <= 1)).all()
    assert result.right[result.chances > 0.5].all()  # more than all others together


@pytest.mark.parametrize(
    "text", ["a", "ha ha ha", "🙂", "שלום עולם", "x" * 5000, "<script>", "\x00"]
)
def test_any_text_can_be_told(text):
    result = run(TextConfig(text, silent=((0, 0),)))
    assert len(result.labels) == 2 * result.telling - 1
    assert result.telling <= 20
    assert (result.dropped > 0) == (text == "x" * 5000)
    assert np.isfinite(result.chances).all()


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"text": "  "}, "text"),
        ({"text": "a", "silent": ((2, 0),)}, "layer"),
        ({"text": "a", "silent": ((0, 4),)}, "head"),
        ({"text": "a", "model": "world-encoder"}, "model"),
    ],
)
def test_what_cannot_be_done_is_said(config, field):
    with pytest.raises(LabInputError) as caught:
        run(TextConfig(**config))
    assert caught.value.field == field


def test_the_models_on_offer_are_decoders():
    assert all(load(name).card.kind == "decoder" for name in MODELS)
