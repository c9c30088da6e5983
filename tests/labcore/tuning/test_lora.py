"""LoRA and its variants against `peft` on the same weights, and what must hold for every small part."""

import copy

import peft
import pytest
import torch
from torch import nn

from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training.objectives import causal_batch, mean_token_loss
from labcore.tuning import small_parts
from labcore.tuning.lora import LoRAConfig, attach, corrections, merge

CONFIG = ModelConfig(
    vocab_size=50, hidden_size=32, num_layers=2, num_heads=4, num_key_value_heads=2,
    activation="swiglu", norm="rmsnorm", qkv_bias=True,
)  # fmt: skip
TOKENS = torch.randint(50, (3, 9), generator=torch.Generator().manual_seed(1))
BATCH = causal_batch(TOKENS.tolist(), pad_id=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def base() -> Transformer:
    return Transformer(CONFIG, generator(7))


def stirred(model: nn.Module) -> nn.Module:
    """Every number that learns moved away from where it began."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn(weight.shape, generator=generator(3))
    return model


def said(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(TOKENS).logits


def with_peft(ours: nn.Module, config: LoRAConfig) -> nn.Module:
    """peft's own layers on the same base, holding our numbers."""
    theirs = peft.inject_adapter_in_model(
        peft.LoraConfig(
            r=config.rank, lora_alpha=config.alpha, target_modules=list(config.targets),
            use_rslora=config.rank_stabilised, use_dora=config.dora,
        ),
        base(),
    )  # fmt: skip
    with torch.no_grad():
        for name, part in corrections(ours).items():
            layer = theirs.get_submodule(name)
            layer.lora_A["default"].weight.copy_(part.a)
            layer.lora_B["default"].weight.copy_(part.b)
            if config.dora:
                layer.lora_magnitude_vector["default"].weight.copy_(part.length)
    return theirs


@pytest.mark.parametrize(
    "config",
    [
        LoRAConfig(),
        LoRAConfig(rank=1, alpha=3.0),
        LoRAConfig(rank=16, targets=("q", "v")),
        LoRAConfig(rank=4, rank_stabilised=True),
        LoRAConfig(rank=4, dora=True),
        LoRAConfig(rank=4, dora=True, rank_stabilised=True, targets=("up", "down")),
    ],
)
def test_logits_and_gradients_equal_those_of_peft(config):
    ours = stirred(attach(base(), config, generator()))
    theirs = with_peft(ours, config)
    assert torch.allclose(said(ours), said(theirs), atol=1e-5)
    for model in (ours, theirs):
        mean_token_loss(model, BATCH)[1].backward()
    for name, part in corrections(ours).items():
        layer = theirs.get_submodule(name)
        assert torch.allclose(part.a.grad, layer.lora_A["default"].weight.grad, atol=1e-6)
        assert torch.allclose(part.b.grad, layer.lora_B["default"].weight.grad, atol=1e-6)
        if config.dora:
            expected = layer.lora_magnitude_vector["default"].weight.grad
            assert torch.allclose(part.length.grad, expected, atol=1e-6)


def test_scales_equal_those_of_peft():
    ours = stirred(small_parts.attach_ia3(base()))
    theirs = peft.inject_adapter_in_model(
        peft.IA3Config(target_modules=["k", "v", "down"], feedforward_modules=["down"]), base()
    )
    with torch.no_grad():
        for name, part in ours.named_modules():
            if isinstance(part, small_parts.ScaledLinear):
                vector = theirs.get_submodule(name).ia3_l["default"]
                vector.copy_(part.factors.view_as(vector))
    assert torch.allclose(said(ours), said(theirs), atol=1e-5)


WAYS = {
    "lora": lambda model: attach(model, LoRAConfig(), generator()),
    "dora": lambda model: attach(model, LoRAConfig(dora=True), generator()),
    "ia3": small_parts.attach_ia3,
    "adapters": lambda model: small_parts.attach_adapters(model, 8, generator()),
    "prompt": lambda model: small_parts.PromptTuned(model, 5, generator()),
    "prefix": lambda model: small_parts.PrefixTuned(model, 5, generator()),
}


@pytest.mark.parametrize("way", ["lora", "dora", "ia3", "adapters"])
def test_at_step_0_nothing_has_changed(way):
    assert torch.allclose(said(WAYS[way](base())), said(base()), atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_only_the_new_parts_learn(way):
    """One step downhill: the loss falls, and no weight of the base has moved."""
    before = {name: weight.clone() for name, weight in base().named_parameters()}
    model = base()
    tuned = WAYS[way](model)
    optimiser = torch.optim.SGD([w for w in tuned.parameters() if w.requires_grad], lr=0.05)
    losses = []
    for _ in range(3):
        loss, minimised = mean_token_loss(tuned, BATCH)
        optimiser.zero_grad()
        minimised.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = {n.replace(".base.", "."): w for n, w in model.named_parameters()}
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


@pytest.mark.parametrize("dora", [False, True])
def test_merged_says_the_same_with_the_parts_gone(dora):
    tuned = stirred(attach(base(), LoRAConfig(dora=dora), generator()))
    expected = said(tuned)
    merged = merge(tuned)
    assert torch.allclose(said(merged), expected, atol=1e-5)
    assert [name for name, _ in merged.named_parameters()] == [
        name for name, _ in base().named_parameters()
    ]


def test_a_correction_has_the_rank_it_was_given():
    tuned = stirred(attach(base(), LoRAConfig(rank=3), generator()))
    ranks = {int(torch.linalg.matrix_rank(part.delta())) for part in corrections(tuned).values()}
    assert ranks == {3}


def test_parameters_as_counted_by_hand():
    """Rank 4 on q (32 → 32), k and v (32 → 16), out (32 → 32), gate and up (32 → F), down (F → 32), F = 128:
    4 · (64 + 48 + 48 + 64 + 160 + 160 + 160) = 2,816 for each of two layers.
    """
    tuned = attach(base(), LoRAConfig(rank=4), generator())
    assert small_parts.trained_parameters(tuned) == 2 * 2816


def test_a_prompt_made_of_real_tokens_is_read_like_them():
    """Virtual tokens that hold the embeddings of 3, 1, 4 say what the text behind 3, 1, 4 says."""
    model = base()
    tuned = small_parts.PromptTuned(model, 3, generator())
    with torch.no_grad():
        tuned.prompt.copy_(model.token_embedding.weight[[3, 1, 4]])
    text = torch.cat([torch.tensor([[3, 1, 4]]).expand(3, -1), TOKENS], dim=1)
    with torch.no_grad():
        expected = model(text).logits[:, 3:]
    assert torch.allclose(said(tuned), expected, atol=1e-5)


def test_a_prefix_made_of_a_real_text_is_remembered_like_it():
    """Entries that 3, 1, 4 left in the cache do what reading 3, 1, 4 does."""
    model = base()
    tuned = small_parts.PrefixTuned(model, 3, generator())
    text = torch.tensor([[3, 1, 4]])
    with torch.no_grad():
        cache = KVCache()
        model(text, cache=cache)
        for name, keys, values in zip(tuned.names, tuned.keys, tuned.values, strict=True):
            keys.copy_(cache.entries[name][0])
            values.copy_(cache.entries[name][1])
        expected = model(torch.cat([text.expand(3, -1), TOKENS], dim=1)).logits[:, 3:]
    assert torch.allclose(said(tuned), expected, atol=1e-5)


def test_dropout_leaves_out_inputs_of_the_correction_alone_and_only_in_training():
    tuned = stirred(attach(base(), LoRAConfig(dropout=0.5), generator()))
    calm = said(tuned.eval())
    assert torch.equal(said(tuned), calm)
    noisy = torch.stack([said(tuned.train()) for _ in range(3)])
    assert not torch.allclose(noisy[0], noisy[1])
    with torch.no_grad():
        for part in corrections(tuned).values():
            part.b.zero_()
    assert torch.allclose(said(tuned.train()), said(base()), atol=1e-5)


def test_two_corrections_on_one_base_do_not_meet():
    model = base()
    one = stirred(attach(copy.deepcopy(model), LoRAConfig(), generator()))
    assert torch.equal(said(model), said(base()))
    assert not torch.allclose(said(one), said(model))


@pytest.mark.parametrize(
    "bad", [{"rank": 0}, {"rank": 1000}, {"alpha": 0}, {"dropout": 1.0}, {"targets": ()}, {"targets": ("x",)}]
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        LoRAConfig(**bad)
