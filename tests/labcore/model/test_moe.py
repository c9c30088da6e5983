import pytest
import torch

from labcore.model.config import MixtureOfExperts, ModelConfig
from labcore.model.mlp import ExpertMLP, balance_loss, route
from labcore.model.trace import Probe, patch
from labcore.model.transformer import Transformer


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def experts(**moe: object) -> ExpertMLP:
    layer = ExpertMLP(ModelConfig(hidden_size=8, moe=MixtureOfExperts(**moe)))
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0.0, 0.5, generator=draw)
    return layer


def test_routing_worked_by_hand():
    """0.6 and 0.3 are the two largest; to sum to 1 they become 2/3 and 1/3."""
    probabilities = torch.tensor([[0.1, 0.6, 0.3]])
    weights, chosen = route(probabilities, 2, normalise=True)
    assert chosen.tolist() == [[1, 2]]
    torch.testing.assert_close(weights, torch.tensor([[2 / 3, 1 / 3]]))
    assert route(probabilities, 1, normalise=False)[0].item() == pytest.approx(0.6)


def test_with_all_experts_the_mixture_is_the_weighted_sum_of_all():
    layer, x = experts(num_experts=3, experts_per_token=3), drawn(2, 5, 8)
    probabilities = layer.router(x).softmax(-1)
    expected = sum(probabilities[..., e, None] * layer.experts[e](x, Probe()) for e in range(3))
    torch.testing.assert_close(layer(x, Probe())[0], expected)


def test_each_token_gets_what_its_own_expert_says():
    layer, x = experts(num_experts=4, experts_per_token=1), drawn(1, 6, 8)
    chosen = layer.router(x)[0].argmax(-1)
    assert len(set(chosen.tolist())) > 1  # the tokens do not all go the same way
    expected = [layer.experts[e](x[0, t], Probe()) for t, e in enumerate(chosen)]
    torch.testing.assert_close(layer(x, Probe())[0][0], torch.stack(expected))


def test_balance_loss_is_1_when_even_and_E_when_one_expert_gets_all():
    """E · Σ share · probability: 4 · 4 · (1/4 · 1/4) = 1, and 4 · (1 · 1) = 4."""
    even = torch.full((4, 4), 0.25)
    assert balance_loss(even, torch.arange(4)[:, None]).item() == pytest.approx(1.0)
    one = torch.eye(4)[:1].expand(4, 4)
    assert balance_loss(one, torch.zeros(4, 1, dtype=torch.int64)).item() == pytest.approx(4.0)


def test_padding_does_not_count_in_the_balance():
    layer, x = experts(num_experts=4, load_balance_weight=1.0), drawn(1, 6, 8)
    real = torch.tensor([[True, True, True, False, False, False]])
    alone, masked = layer(x[:, :3], Probe())[1], layer(x, Probe(), real)[1]
    torch.testing.assert_close(masked, alone)


def test_the_model_adds_up_its_layers_balance_and_lets_it_train_the_router():
    config = ModelConfig(moe=MixtureOfExperts(num_experts=4, load_balance_weight=0.01))
    model = Transformer(config)
    output = model(torch.arange(20)[None])
    assert 0.02 * 0.9 < output.balance_loss.item() < 0.02 * 4  # two layers, at least about 1 each
    output.balance_loss.backward()
    assert model.stack.layers[0].mlp.router.weight.grad.abs().sum() > 0
    assert Transformer(ModelConfig())(torch.arange(3)[None]).balance_loss.item() == 0


def test_the_router_can_be_overruled():
    """All tokens sent to expert 0: it alone has a trace of more than no tokens."""
    model = Transformer(ModelConfig(moe=MixtureOfExperts(num_experts=2)))
    name = "layers.0.mlp.router"
    forced = patch(name, torch.tensor([1.0, 0.0]))
    trace = model(torch.arange(7)[None], trace=True, interventions=forced).trace
    assert trace[name].shape == (1, 7, 2)
    assert len(trace["layers.0.mlp.experts.0.hidden"]) == 7
    assert len(trace["layers.0.mlp.experts.1.hidden"]) == 0
