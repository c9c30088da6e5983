import math

import pytest
import torch

from labcore.model.config import ModelConfig
from labcore.model.mlp import MLP, activate
from labcore.model.trace import Probe


@pytest.mark.parametrize(
    ("activation", "value"),
    [
        ("relu", 1.0),
        ("gelu", 0.5 * (1 + math.erf(1 / math.sqrt(2)))),
        ("gelu_tanh", 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * 1.044715))),
        ("swiglu", 1 / (1 + math.exp(-1))),
        ("geglu", 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * 1.044715))),
    ],
)
def test_activations_at_one_are_those_of_their_formulas(activation, value):
    assert activate(torch.tensor(1.0), activation).item() == pytest.approx(value, abs=1e-6)
    assert activate(torch.tensor(0.0), activation).item() == 0.0


def test_a_gate_multiplies_what_passes():
    """Gate and up are 1 × 1 maps by 2 and 3, down by 5: SwiGLU of 1 is 5·silu(2)·3."""
    mlp = MLP(ModelConfig(hidden_size=1, num_heads=1, head_dim=2, intermediate_size=1,
                          activation="swiglu"))  # fmt: skip
    with torch.no_grad():
        for linear, weight in ((mlp.gate, 2.0), (mlp.up, 3.0), (mlp.down, 5.0)):
            linear.weight.fill_(weight)
        said = mlp(torch.ones(1, 1), Probe()).item()
    assert said == pytest.approx(5 * (2 / (1 + math.exp(-2))) * 3)


def test_an_ungated_mlp_has_no_gate():
    assert MLP(ModelConfig(activation="relu")).gate is None
