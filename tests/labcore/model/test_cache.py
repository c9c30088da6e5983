import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.config import LatentAttention, ModelConfig, RopeScaling
from labcore.model.trace import switch_off_head
from labcore.model.transformer import Transformer

VARIANTS = {
    **{p: {"positions": p} for p in ("learned", "sinusoidal", "rope", "alibi", "t5", "none")},
    "grouped": {"num_key_value_heads": 2},
    "multi-query": {"num_key_value_heads": 1},
    "latent": {"latent": LatentAttention(q_lora_rank=8)},
    "latent, dynamic": {
        "latent": LatentAttention(),
        "num_layers": 1,
        "rope_scaling": RopeScaling("dynamic", 2.0, 4),
    },
    "window": {"sliding_window": 3},
    "window, alibi": {"sliding_window": 3, "positions": "alibi"},
    "yarn": {"rope_scaling": RopeScaling("yarn", 2.0, 4)},
    "dynamic": {"num_layers": 1, "rope_scaling": RopeScaling("dynamic", 2.0, 4)},
    "post-norm": {"norm_placement": "post"},
}


def tokens(rows: int = 2, length: int = 9, seed: int = 0) -> torch.Tensor:
    return torch.randint(512, (rows, length), generator=torch.Generator().manual_seed(seed))


def last_logits_step_by_step(model: Transformer, text: torch.Tensor, **given) -> torch.Tensor:
    """Read 4 tokens at once, then one by one; the logits after each step."""
    cache, steps = KVCache(), []
    for start, end in [(0, 4), *((i, i + 1) for i in range(4, text.shape[1]))]:
        steps.append(model(text[:, start:end], cache=cache, **given).logits[:, -1])
        assert cache.length == end
    return torch.stack(steps, dim=1)


def last_logits_read_anew(model: Transformer, text: torch.Tensor, **given) -> torch.Tensor:
    ends = range(4, text.shape[1] + 1)
    return torch.stack([model(text[:, :end], **given).logits[:, -1] for end in ends], dim=1)


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
@pytest.mark.parametrize("name", VARIANTS)
def test_with_a_cache_every_step_says_what_it_says_without(kind, name):
    """Dynamic NTK has one layer here: in deeper ones old tokens were read with older angles."""
    model = Transformer(ModelConfig(kind=kind, **VARIANTS[name])).eval()
    given = {}
    if kind == "encoder_decoder":
        real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
        given = {"context": tokens(2, 5, seed=1), "context_padding_mask": real}
    with torch.no_grad():
        cached = last_logits_step_by_step(model, tokens(), **given)
        anew = last_logits_read_anew(model, tokens(), **given)
    torch.testing.assert_close(cached, anew, atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", ["rope", "alibi", "t5"])
def test_left_padding_is_remembered(positions):
    """The mask is given with the first tokens only; later ones are all real."""
    model = Transformer(ModelConfig(positions=positions)).eval()
    real = torch.tensor([[True] * 9, [False, False] + [True] * 7])
    cache = KVCache()
    with torch.no_grad():
        model(tokens()[:, :5], padding_mask=real[:, :5], cache=cache)
        cached = model(tokens()[:, 5:], cache=cache).logits
        anew = model(tokens(), padding_mask=real).logits[:, 5:]
    torch.testing.assert_close(cached, anew, atol=1e-5, rtol=0)


def test_positions_of_ones_own_go_through_the_cache():
    """Learned positions that count real tokens only, row by row."""
    model = Transformer(ModelConfig(positions="learned")).eval()
    real = torch.tensor([[True] * 9, [False, False] + [True] * 7])
    positions = (real.long().cumsum(-1) - 1).clamp(min=0)
    cache = KVCache()
    with torch.no_grad():
        for part in (slice(0, 5), slice(5, 9)):
            cached = model(
                tokens()[:, part],
                padding_mask=real[:, part],
                positions=positions[:, part],
                cache=cache,
            ).logits
        anew = model(tokens(), padding_mask=real, positions=positions).logits[:, 5:]
    torch.testing.assert_close(cached, anew, atol=1e-5, rtol=0)


def test_a_translators_context_is_read_once():
    """Later steps need no context; its keys and values do not grow."""
    model = Transformer(ModelConfig(kind="encoder_decoder")).eval()
    context, cache = tokens(2, 5, seed=1), KVCache()
    with torch.no_grad():
        model(tokens()[:, :8], context=context, cache=cache)
        last = model(tokens()[:, 8:], cache=cache).logits[:, -1]
        anew = model(tokens(), context=context).logits[:, -1]
    assert cache.entries["layers.0.cross"][0].shape == (2, 4, 5, 16)
    torch.testing.assert_close(last, anew, atol=1e-5, rtol=0)


def test_interventions_act_on_every_step():
    model = Transformer(ModelConfig()).eval()
    given = {"interventions": switch_off_head(0, 1)}
    with torch.no_grad():
        cached = last_logits_step_by_step(model, tokens(), **given)
        anew = last_logits_read_anew(model, tokens(), **given)
    torch.testing.assert_close(cached, anew, atol=1e-5, rtol=0)


@pytest.mark.parametrize("key_value_heads", [4, 2, 1])
def test_the_bytes_are_those_of_the_formula(key_value_heads):
    """2 (k and v) · L 2 · B 2 · K · T 9 · d 16 · 4 bytes."""
    cache = KVCache()
    with torch.no_grad():
        Transformer(ModelConfig(num_key_value_heads=key_value_heads))(tokens(), cache=cache)
    assert cache.bytes() == 2 * 2 * 2 * key_value_heads * 9 * 16 * 4
    assert KVCache().bytes() == KVCache().length == 0


def test_an_encoder_has_no_use_for_a_cache():
    with pytest.raises(LabInputError, match="decoder_only"):
        Transformer(ModelConfig(kind="encoder"))(tokens(), cache=KVCache())


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
@pytest.mark.parametrize("name", VARIANTS)
def test_tokens_rolled_back_might_never_have_been_read(kind, name):
    """Five read, three others guessed and taken back, then the true four: as if read anew."""
    model = Transformer(ModelConfig(kind=kind, **VARIANTS[name])).eval()
    given = {}
    if kind == "encoder_decoder":
        real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
        given = {"context": tokens(2, 5, seed=1), "context_padding_mask": real}
    cache = KVCache()
    with torch.no_grad():
        model(tokens()[:, :5], cache=cache, **given)
        model(tokens(2, 3, seed=9), cache=cache, **given)
        cache.roll_back(5)
        assert cache.length == 5
        cached = model(tokens()[:, 5:], cache=cache, **given).logits
        anew = model(tokens(), **given).logits[:, 5:]
    torch.testing.assert_close(cached, anew, atol=1e-5, rtol=0)


def test_no_more_is_rolled_back_than_was_read():
    with pytest.raises(LabInputError):
        KVCache().roll_back(1)


@torch.no_grad()
def test_a_fork_does_not_write_into_what_the_other_still_reads():
    """Two caches go on from one beginning, and one of them is rolled back and goes on otherwise."""
    model, text = Transformer(ModelConfig()), tokens(rows=1, length=8)
    first = KVCache()
    for place in range(4):
        model(text[:, place : place + 1], cache=first)
    second = KVCache()
    second.entries, second.positions = dict(first.entries), first.positions
    other = (text + 1) % 512
    first_said = model(text[:, 4:6], cache=first).logits
    second_said = model(other[:, 4:6], cache=second).logits
    torch.testing.assert_close(first_said, model(text[:, :6]).logits[:, 4:])
    joined = torch.cat([text[:, :4], other[:, 4:6]], dim=1)
    torch.testing.assert_close(second_said, model(joined).logits[:, 4:])
    kept = {name: [part.clone() for part in parts] for name, parts in first.entries.items()}
    longer = dict(first.entries)  # who holds the entries of now
    first.roll_back(4)
    said_again = model(other[:, 4:6], cache=first).logits
    torch.testing.assert_close(said_again, second_said)
    for name, parts in kept.items():
        for before, now in zip(parts, longer[name], strict=True):
            assert torch.equal(before, now)


@torch.no_grad()
def test_most_tokens_are_added_without_moving_those_before():
    cache, places = KVCache(), []
    for number in range(33):
        (held,) = cache.update("layer", torch.full((1, 1, 1, 2), float(number)))
        places.append(held.data_ptr())
    assert held[0, 0, :, 0].tolist() == list(range(33))
    assert len(set(places)) <= 6  # at 1 token, then 2, 6, 14, 30, 62
