import json

import pytest

from labcore.errors import LabInputError
from labcore.model.config import LatentAttention, MixtureOfExperts, ModelConfig, RopeScaling


def test_a_config_survives_json():
    config = ModelConfig(
        rope_scaling=RopeScaling("yarn", factor=4.0),
        latent=LatentAttention(q_lora_rank=4),
        moe=MixtureOfExperts(num_experts=8),
    )
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert ModelConfig.from_dict(ModelConfig().to_dict()) == ModelConfig()


def test_a_field_that_does_not_exist_is_refused():
    with pytest.raises(LabInputError, match="known_fields"):
        ModelConfig.from_dict({"hidden": 64})


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"kind": "both"}, "kind", "known_choice"),
        ({"positions": "rotary"}, "positions", "known_choice"),
        ({"num_layers": 0}, "num_layers", "at_least"),
        ({"num_encoder_layers": 0}, "num_encoder_layers", "at_least"),
        ({"head_dim": -2}, "head_dim", "at_least"),
        ({"intermediate_size": -1}, "intermediate_size", "at_least"),
        ({"hidden_size": 66}, "num_heads", "divides_hidden_size"),
        ({"num_key_value_heads": 3}, "num_key_value_heads", "divides_heads"),
        ({"num_key_value_heads": 0}, "num_key_value_heads", "divides_heads"),
        ({"head_dim": 7}, "head_dim", "even_for_rope"),
        ({"rope_theta": 1.0}, "rope_theta", "above"),
        ({"t5_buckets": 2}, "t5_buckets", "at_least"),
        ({"t5_max_distance": 16}, "t5_max_distance", "above"),
        ({"dropout": 1.0}, "dropout", "between"),
        ({"dropout": float("nan")}, "dropout", "between"),
        ({"sliding_window": 0}, "sliding_window", "at_least"),
        ({"moe": MixtureOfExperts(2, experts_per_token=3)}, "experts_per_token", "between"),
    ],
)
def test_what_cannot_be_built_is_named(changes, field, rule):
    with pytest.raises(LabInputError) as error:
        ModelConfig(**changes)
    assert (error.value.field, error.value.rule) == (field, rule)


def test_a_rope_scaling_below_one_is_refused():
    with pytest.raises(LabInputError, match="at_least"):
        RopeScaling("linear", factor=0.5)


def test_what_is_left_open_follows_from_the_rest():
    """64 / 4 = 16 per head, as many key/value heads as heads, an MLP four times as wide."""
    config = ModelConfig(kind="encoder_decoder", num_layers=3)
    assert (config.size_per_head, config.key_value_heads, config.mlp_size) == (16, 4, 256)
    assert (config.encoder_layers, config.decoder_layers) == (3, 3)
    assert config.token_scale == 1.0
    assert config.with_(positions="sinusoidal").token_scale == 8.0
    assert config.with_(positions="sinusoidal", embedding_scale=1.0).token_scale == 1.0
