import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.config import LatentAttention, ModelConfig, RopeScaling
from labcore.model.generation import SamplingConfig, generate, next_token_probs, sample
from labcore.model.trace import switch_off_head
from labcore.model.transformer import Transformer


def test_temperature_worked_by_hand():
    """Odds of 9 to 1 become 3 to 1 at temperature 2, since √9 = 3."""
    logits = torch.tensor([9.0, 1.0]).log()
    torch.testing.assert_close(next_token_probs(logits), torch.tensor([0.9, 0.1]))
    torch.testing.assert_close(next_token_probs(logits, 2.0), torch.tensor([0.75, 0.25]))


def test_temperature_zero_takes_the_largest():
    assert next_token_probs(torch.tensor([1.0, 3.0, 3.0]), 0).tolist() == [0.0, 1.0, 0.0]


def test_a_tiny_temperature_is_almost_zero_and_no_overflow():
    probs = next_token_probs(torch.tensor([1e4, 2e4, -1e4]), 1e-6)
    assert probs.tolist() == [0.0, 1.0, 0.0]


def test_top_k_keeps_exactly_k_even_with_ties():
    probs = next_token_probs(torch.zeros(5), top_k=2)
    assert (probs > 0).sum() == 2
    assert probs.sum().item() == pytest.approx(1.0)


def test_top_k_keeps_the_proportions_of_the_most_likely():
    """0.5 and 0.3 become 5/8 and 3/8."""
    probs = next_token_probs(torch.tensor([0.2, 0.5, 0.3]).log(), top_k=2)
    torch.testing.assert_close(probs, torch.tensor([0.0, 0.625, 0.375]))


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, 1), (0.6, 2), (0.79, 2), (0.81, 3), (1.0, 3)])
def test_top_p_keeps_the_fewest_tokens_that_reach_p(top_p, kept):
    """0.5; 0.5 + 0.3 = 0.8; 1. The token that crosses p stays."""
    probs = next_token_probs(torch.tensor([0.2, 0.5, 0.3]).log(), top_p=top_p)
    assert (probs > 0).sum() == kept
    assert probs.sum().item() == pytest.approx(1.0)


def test_top_p_never_empties_the_distribution():
    assert next_token_probs(torch.tensor([0.0, 5.0]), top_p=1e-9).tolist() == [0.0, 1.0]


def test_top_p_counts_what_top_k_left():
    """Of 0.5, 0.3, 0.2 the first two are 0.625 and 0.375; 0.6 is reached by the first alone."""
    probs = next_token_probs(torch.tensor([0.5, 0.3, 0.2]).log(), top_k=2, top_p=0.6)
    assert probs.tolist() == [1.0, 0.0, 0.0]


def test_a_k_beyond_the_vocabulary_keeps_all():
    assert (next_token_probs(torch.zeros(3), top_k=10) > 0).all()


def test_draws_follow_the_probabilities():
    """Of 4000 draws 75 % are token 1, within 4·√(p(1-p)/n) = 0.027."""
    generator = torch.Generator().manual_seed(0)
    draws = [sample(torch.tensor([0.25, 0.75]), generator) for _ in range(4000)]
    assert sum(draws) / 4000 == pytest.approx(0.75, abs=0.027)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("max_new_tokens", 0),
    ],
)
def test_knobs_out_of_range_are_named(field, value):
    with pytest.raises(LabInputError) as error:
        SamplingConfig(**{field: value})
    assert error.value.field == field


CONFIGS = {
    **{p: {"positions": p} for p in ("learned", "sinusoidal", "rope", "alibi", "t5", "none")},
    "grouped": {"num_key_value_heads": 2, "sliding_window": 4},
    "latent": {"latent": LatentAttention()},
    "yarn": {"rope_scaling": RopeScaling("yarn", 2.0, 8)},
    "translator": {"kind": "encoder_decoder", "positions": "t5"},
}


def written(name: str, seed: int = 0, prompt: object = (5, 6, 7), **changes: object) -> list[int]:
    """12 tokens of a random model."""
    model = Transformer(ModelConfig(vocab_size=64, **CONFIGS[name])).eval()
    config = SamplingConfig(max_new_tokens=12, seed=seed, **changes)
    context = (1, 2, 3, 4) if name == "translator" else None
    return [step.token for step in generate(model, prompt, config, context=context)]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_cache_changes_no_token(name):
    for temperature in (0.0, 1.0):
        with_cache = written(name, temperature=temperature)
        assert with_cache == written(name, temperature=temperature, use_cache=False)
        assert len(with_cache) == 12


def test_a_seed_is_a_text():
    assert written("rope", seed=1) == written("rope", seed=1) != written("rope", seed=2)


def test_a_prompt_may_be_a_list_or_a_tensor():
    assert written("rope", prompt=[5, 6, 7]) == written("rope", prompt=torch.tensor([[5, 6, 7]]))


def test_each_step_tells_what_it_was_drawn_from():
    model = Transformer(ModelConfig(vocab_size=64)).eval()
    config = SamplingConfig(top_k=3, max_new_tokens=4)
    text = [9]
    for step in generate(model, text, config):
        with torch.no_grad():
            expected = model(torch.tensor([text])).logits[0, -1]
        torch.testing.assert_close(step.logits, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(step.probs, next_token_probs(step.logits, top_k=3))
        assert step.probs[step.token] > 0
        text.append(step.token)


def test_a_stop_token_ends_the_text_and_is_shown():
    model, config = Transformer(ModelConfig(vocab_size=64)).eval(), SamplingConfig(seed=3)
    free = [step.token for step in generate(model, [1], config)]
    stop = free[5]
    stopped = [step.token for step in generate(model, [1], config, stop_ids={stop})]
    assert stopped == free[: free.index(stop) + 1]


def test_a_text_ends_where_learned_positions_do():
    """8 positions, 5 of them taken: tokens are written after 5, 6, 7 and 8 read ones."""
    model = Transformer(ModelConfig(positions="learned", max_positions=8)).eval()
    assert len(list(generate(model, [1, 2, 3, 4, 5], SamplingConfig()))) == 4


def test_a_silenced_head_can_change_what_is_written():
    model = Transformer(ModelConfig(vocab_size=64)).eval()
    config = SamplingConfig(max_new_tokens=30)
    plain = [step.token for step in generate(model, [1, 2], config)]
    off = switch_off_head(0, 0)
    silenced = [step.token for step in generate(model, [1, 2], config, interventions=off)]
    assert plain != silenced


def test_an_encoder_cannot_write():
    with pytest.raises(LabInputError, match="can_write"):
        next(generate(Transformer(ModelConfig(kind="encoder")), [1], SamplingConfig()))


def test_there_is_no_text_without_a_beginning():
    with pytest.raises(LabInputError, match="not_empty"):
        next(generate(Transformer(ModelConfig()), [], SamplingConfig()))
