import copy

import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.config import LatentAttention, MixtureOfExperts, ModelConfig, RopeScaling
from labcore.model.initialisation import deviation
from labcore.model.transformer import Transformer

POSITIONS = ("learned", "sinusoidal", "rope", "alibi", "t5", "none")
KINDS = ("decoder", "encoder", "encoder_decoder")


def tokens(rows: int = 2, length: int = 9, seed: int = 0) -> torch.Tensor:
    return torch.randint(512, (rows, length), generator=torch.Generator().manual_seed(seed))


def inputs(config: ModelConfig) -> dict[str, torch.Tensor]:
    """Padding on all sides: the second text and the second context are shorter."""
    given = {"tokens": tokens(), "padding_mask": torch.ones(2, 9, dtype=torch.bool)}
    given["padding_mask"][1, 6:] = False
    if config.kind == "encoder_decoder":
        real = torch.ones(2, 5, dtype=torch.bool)
        real[1, 3:] = False
        given |= {"context": tokens(2, 5, seed=1), "context_padding_mask": real}
    return given


def variants() -> dict[str, ModelConfig]:
    """Every position in every kind, and one of everything else."""
    every = {f"{k}, {p}": ModelConfig(kind=k, positions=p) for k in KINDS for p in POSITIONS}
    return every | {
        "latent": ModelConfig(latent=LatentAttention(q_lora_rank=12)),
        "latent translator": ModelConfig(kind="encoder_decoder", latent=LatentAttention()),
        "grouped": ModelConfig(num_key_value_heads=2),
        "multi-query, window, alibi": ModelConfig(
            num_key_value_heads=1, sliding_window=3, positions="alibi"
        ),
        "windowed encoder": ModelConfig(kind="encoder", sliding_window=3),
        "post-norm": ModelConfig(kind="encoder", norm_placement="post", token_types=2),
        "post-norm translator": ModelConfig(kind="encoder_decoder", norm_placement="post"),
        "experts": ModelConfig(
            activation="swiglu", moe=MixtureOfExperts(experts_per_token=2), norm="rmsnorm"
        ),
        "attention alone": ModelConfig(intermediate_size=0),
        "no norm, no residual": ModelConfig(norm="none", residual=False),
        "no norm, post": ModelConfig(norm="none", norm_placement="post", embedding_norm=True),
        "yarn": ModelConfig(rope_scaling=RopeScaling("yarn", 4.0, 4)),
        "dynamic": ModelConfig(rope_scaling=RopeScaling("dynamic", 4.0, 4)),
        "biased": ModelConfig(
            qkv_bias=True, attention_out_bias=True, mlp_bias=True, head_bias=True,
            tie_embeddings=False, embedding_norm=True, norm_bias=False, head_dim=6,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", variants())
def test_fused_and_explicit_attention_give_the_same_logits(name):
    """trace=True goes through the formula, trace=False through torch's kernel."""
    config = variants()[name]
    model, given = Transformer(config).eval(), inputs(config)
    with torch.no_grad():
        fused, explicit = model(**given), model(**given, trace=True)
    assert fused.trace is None
    assert fused.logits.isfinite().all()
    torch.testing.assert_close(fused.logits, explicit.logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", variants())
def test_every_parameter_gets_a_gradient(name):
    config = variants()[name]
    model, given = Transformer(config), inputs(config)
    picked = torch.randn(512, generator=torch.Generator().manual_seed(0))
    output = model(**given)
    ((output.logits * picked).sum() + output.balance_loss).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_no_token_sees_a_later_one(kind, positions):
    config = ModelConfig(kind=kind, positions=positions)
    model, given = Transformer(config).eval(), inputs(config)
    changed = {**given, "tokens": given["tokens"].clone()}
    changed["tokens"][:, 5:] += 1
    changed["tokens"] %= 512
    with torch.no_grad():
        before, after = model(**given).logits, model(**changed).logits
    torch.testing.assert_close(before[:, :5], after[:, :5], atol=1e-6, rtol=0)
    assert (before[0, 5] - after[0, 5]).abs().max() > 1e-3


def test_without_its_mask_a_decoder_sees_what_it_should_predict():
    model = Transformer(ModelConfig(causal=False)).eval()
    changed = tokens().clone()
    changed[:, -1] = (changed[:, -1] + 1) % 512
    with torch.no_grad():
        moved = (model(tokens()).logits - model(changed).logits).abs().amax(dim=(0, 2))  # (T,)
    assert (moved > 1e-4).all()


def test_without_residuals_a_layer_hands_on_what_its_last_part_said():
    model = Transformer(ModelConfig(residual=False)).eval()
    with torch.no_grad():
        trace = model(tokens(), trace=True).trace
    assert torch.equal(trace["layers.0.resid_mid"], trace["layers.0.attn.out"])
    assert torch.equal(trace["layers.1.resid_pre"], trace["layers.0.mlp.out"])


def test_a_layer_without_an_mlp_only_adds_what_attention_said():
    model = Transformer(ModelConfig(intermediate_size=0)).eval()
    with torch.no_grad():
        trace = model(tokens(), trace=True).trace
    added = trace["layers.0.resid_pre"] + trace["layers.0.attn.out"]
    assert torch.equal(trace["layers.1.resid_pre"], added)
    assert not any(".mlp" in name for name in [*trace, *model.state_dict()])


def test_a_sliding_window_hides_what_is_further_back():
    """Two layers of window 3 reach 2 + 2 tokens back: the last of 9 sees 4 to 8, not 0 to 3."""
    model = Transformer(ModelConfig(sliding_window=3)).eval()
    one = tokens(1)
    for position, seen in ((3, False), (4, True)):
        other = one.clone()
        other[0, position] = (other[0, position] + 1) % 512
        with torch.no_grad():
            moved = (model(one).logits - model(other).logits)[0, -1].abs().max()
        assert bool(moved > 1e-6) == seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positions", ["rope", "alibi", "t5", "none"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing_for_real_tokens(kind, positions, side):
    """Relative positions do not even notice which side the padding is on."""
    config = ModelConfig(kind=kind, positions=positions)
    model = Transformer(config).eval()
    text, filler = tokens(1, 6), tokens(1, 3, seed=2)
    context = {"context": tokens(1, 4)} if kind == "encoder_decoder" else {}
    parts = [filler, text] if side == "left" else [text, filler]
    real = torch.cat([torch.full_like(part, part is text) for part in parts], dim=1).bool()
    with torch.no_grad():
        alone = model(text, **context).logits
        padded = model(torch.cat(parts, dim=1), padding_mask=real, **context).logits
    torch.testing.assert_close(padded[real], alone[0], atol=1e-5, rtol=0)
    assert padded.isfinite().all()


def test_a_context_of_nothing_but_padding_gives_numbers():
    model = Transformer(ModelConfig(kind="encoder_decoder"))
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    output = model(tokens(), context=tokens(2, 4), context_padding_mask=nothing)
    output.logits.sum().backward()
    assert output.logits.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_a_translator_reads_its_context_in_full():
    """Also its last token, and in both directions: the encoder is not causal."""
    model = Transformer(ModelConfig(kind="encoder_decoder")).eval()
    context = tokens(1, 5)
    with torch.no_grad():
        before = model(tokens(1), context=context, trace=True)
        context[0, -1] = (context[0, -1] + 1) % 512
        after = model(tokens(1), context=context, trace=True)
    assert (before.logits - after.logits)[0, 0].abs().max() > 1e-4
    encoded = "encoder.final.norm"
    assert (before.trace[encoded] - after.trace[encoded])[0, 0].abs().max() > 1e-4


# Weights.


@pytest.mark.parametrize("name", variants())
def test_one_seed_gives_one_model_and_touches_no_global_state(name):
    state = torch.get_rng_state()
    one, same, other = (
        Transformer(variants()[name], torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(torch.get_rng_state(), state)
    pairs = zip(one.named_parameters(), same.parameters(), other.parameters(), strict=True)
    for (parameter_name, p), q, r in pairs:
        assert torch.equal(p, q)
        drawn = not parameter_name.endswith(("bias", "norm.weight"))
        assert torch.equal(p, r) != drawn


def test_weights_are_as_large_as_the_table_says():
    """D = 768 is GPT-2's width, so σ = 0.02; 12 layers write 24 times: 0.02/√24 = 0.0041."""
    config = ModelConfig(hidden_size=768, num_layers=12, num_heads=12)
    assert deviation("token_embedding.weight", config) == pytest.approx(0.02)
    assert deviation("stack.layers.3.attn.q.weight", config) == pytest.approx(0.02)
    assert deviation("stack.layers.3.mlp.down.weight", config) == pytest.approx(0.00408, abs=1e-5)
    small = Transformer(ModelConfig())
    for name, parameter in small.named_parameters():
        if parameter.dim() == 2:
            # 4096 draws at least: the sample's deviation is within 5 % of the true one (4.5 sigma)
            expected = deviation(name, small.config)
            assert parameter.std().item() == pytest.approx(expected, rel=0.05)


def test_a_decoder_that_also_reads_a_context_writes_three_times_per_layer():
    config = ModelConfig(
        kind="encoder_decoder", hidden_size=768, num_layers=3, num_encoder_layers=8
    )
    assert deviation("stack.layers.0.cross.out.weight", config) == pytest.approx(0.02 / 3)
    assert deviation("encoder.layers.0.attn.out.weight", config) == pytest.approx(0.02 / 4)


def test_sinusoids_and_embeddings_start_at_a_like_size():
    """Neither may drown the other: sinusoids have size 0.71, embeddings are read at 0.55."""
    trace = Transformer(ModelConfig(positions="sinusoidal"))(tokens(), trace=True).trace
    words, places = trace["embed.tokens"].std().item(), trace["embed.positions"].square().mean()
    assert words == pytest.approx(0.55, abs=0.05)
    assert places.sqrt().item() == pytest.approx(0.71, abs=0.01)


@pytest.mark.parametrize("name", variants())
def test_a_config_and_its_weights_make_the_same_model_again(name):
    config = variants()[name]
    model, given = Transformer(config), inputs(config)
    again = Transformer(ModelConfig.from_dict(config.to_dict()), weights=model.state_dict())
    with torch.no_grad():
        assert torch.equal(model.eval()(**given).logits, again.eval()(**given).logits)


def test_tied_models_have_no_second_vocabulary_matrix():
    tied, untied = (Transformer(ModelConfig(tie_embeddings=tie)) for tie in (True, False))
    sizes = [sum(p.numel() for p in model.parameters()) for model in (tied, untied)]
    assert sizes[1] - sizes[0] == 512 * 64


def test_a_model_works_in_half_precision():
    for positions in POSITIONS:
        model = Transformer(ModelConfig(positions=positions)).to(torch.bfloat16).eval()
        with torch.no_grad():
            plain, traced = model(tokens()), model(tokens(), trace=True)
        assert plain.logits.dtype == traced.logits.dtype == torch.bfloat16


# Dropout.


def test_dropout_draws_from_the_models_own_generator():
    """Equal seeds, equal runs; a copy goes on with the same draws; the global state is untouched."""
    one, same = (Transformer(ModelConfig(dropout=0.5)) for _ in range(2))
    state = torch.get_rng_state()
    first, second = one(tokens()).logits, one(tokens()).logits
    assert not torch.equal(first, second)
    assert torch.equal(first, same(tokens()).logits)
    assert torch.equal(second, copy.deepcopy(same)(tokens()).logits)
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_is_off_in_evaluation():
    config = ModelConfig(dropout=0.5)
    with torch.no_grad():
        calm = Transformer(config.with_(dropout=0.0))(tokens()).logits
        assert torch.equal(Transformer(config).eval()(tokens()).logits, calm)


def test_dropout_silences_its_share_and_keeps_the_mean():
    """Half of 32,768 numbers are 0 (4 sigma: ±0.011); the others are doubled."""
    model = Transformer(ModelConfig(dropout=0.5))
    x = torch.ones(64, 512)
    dropped = model.stack.dropout(x)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert (dropped == 0).float().mean().item() == pytest.approx(0.5, abs=0.011)


# What a learner can get wrong.


@pytest.mark.parametrize(
    ("config", "given", "rule"),
    [
        ({}, {"tokens": torch.tensor([[512]])}, "in_vocabulary"),
        ({}, {"tokens": torch.tensor([[3, -1]])}, "in_vocabulary"),
        ({}, {"tokens": torch.zeros(1, 0, dtype=torch.int64)}, "not_empty"),
        ({}, {"tokens": torch.tensor([1, 2])}, "not_empty"),
        ({}, {"tokens": tokens(), "padding_mask": torch.ones(2, 8)}, "same_shape"),
        ({}, {"tokens": tokens(), "context": tokens()}, "encoder_decoder_only"),
        ({"kind": "encoder_decoder"}, {"tokens": tokens()}, "required"),
        (
            {"kind": "encoder_decoder"},
            {"tokens": tokens(), "context": tokens()[:, :0]},
            "not_empty",
        ),
        (
            {"kind": "encoder", "token_types": 2},
            {"tokens": tokens(), "token_types": torch.full((2, 9), 2)},
            "in_vocabulary",
        ),
        (
            {"positions": "learned", "max_positions": 8},
            {"tokens": tokens()},
            "max_positions",
        ),
    ],
)
def test_wrong_input_is_named(config, given, rule):
    with pytest.raises(LabInputError) as error:
        Transformer(ModelConfig(**config))(**given)
    assert error.value.rule == rule


def test_a_text_may_fill_the_learned_positions_to_the_last():
    model = Transformer(ModelConfig(positions="learned", max_positions=9))
    assert model(tokens()).logits.shape == (2, 9, 512)


def test_masks_of_zeros_and_ones_are_understood():
    model = Transformer(ModelConfig()).eval()
    mask = torch.tensor([[1] * 9, [1] * 5 + [0] * 4])
    with torch.no_grad():
        numbers, booleans = (model(tokens(), padding_mask=m).logits for m in (mask, mask.bool()))
    assert torch.equal(numbers, booleans)
