"""The lens ends in the model itself; attributions add up to the logit they explain."""

from dataclasses import replace

import numpy as np
import pytest

from labcore.architecture.dataflow import DataflowConfig, run_model
from labcore.architecture.lens import attribute, logit_lens, settled_at
from labcore.errors import LabInputError

BERT = {"norm_placement": "post", "head": "mlm", "head_bias": True, "embedding_norm": True}
PRE_NORM = {
    "layernorm": {"head_bias": True, "attention_out_bias": True},
    "rmsnorm, grouped, untied": {
        "norm": "rmsnorm",
        "num_key_value_heads": 2,
        "tie_embeddings": False,
        "activation": "swiglu",
    },
    "scaled head": {"norm": "rmsnorm", "logit_scale": 0.25},
}


def walk_of(loaded, text="the cat", target="猫"):
    return run_model(loaded, DataflowConfig("random", text, target))


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("decoder", {}), ("decoder", {"norm": "rmsnorm"}), ("encoder", BERT), ("encoder_decoder", {})],
)
def test_the_last_stage_is_the_model_itself(make, kind, changes):
    loaded = make(kind, **changes)
    walk = walk_of(loaded)
    everywhere = range(len(walk.tokens.ids))
    lens = logit_lens(loaded.model, loaded.tokenizer, walk, everywhere)
    own = softmax(walk.arrays["logits"])
    assert len(lens.stages) == loaded.model.config.num_layers + 1
    np.testing.assert_array_equal(lens.answers, own.argmax(-1))
    np.testing.assert_allclose(lens.answer_probability[-1], own.max(-1), rtol=1e-4)
    np.testing.assert_array_equal(lens.answer_rank[-1], 1)
    np.testing.assert_allclose(lens.divergence_nats[-1], 0, atol=1e-5)
    assert (lens.divergence_nats >= 0).all()


def test_candidates_come_best_first_with_their_labels(make):
    loaded = make("decoder")
    lens = logit_lens(loaded.model, loaded.tokenizer, walk_of(loaded))
    assert lens.ids.shape == lens.probabilities.shape == (3, 1, 5)
    assert (np.diff(lens.probabilities, axis=-1) <= 0).all()
    assert lens.labels[1][0][2] == loaded.tokenizer.label(int(lens.ids[1, 0, 2]))


def test_a_stage_without_blocks_reads_the_embedding_alone(make):
    """The first row knows one token and no neighbour: equal tokens get equal guesses."""
    loaded = make("decoder")
    lens = logit_lens(loaded.model, loaded.tokenizer, walk_of(loaded, "abab"), [2, 4])
    np.testing.assert_allclose(lens.probabilities[0, 0], lens.probabilities[0, 1])


@pytest.mark.parametrize("changes", PRE_NORM.values(), ids=PRE_NORM)
@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_contributions_add_up_to_the_logit(make, kind, changes):
    loaded = make(kind, **changes)
    walk = walk_of(loaded)
    found = attribute(loaded.model, walk, token=65)
    assert found.contributions.sum() == pytest.approx(
        walk.arrays["logits"][walk.position, 65], abs=1e-4
    )
    assert len(found.parts) == len(found.contributions)
    crossed = 1 if kind == "encoder_decoder" else 0
    assert len(found.parts) == 1 + 2 * (2 + crossed) + 1


def test_contributions_add_up_to_a_lead_over_another_token(make):
    loaded = make("decoder", head_bias=True)
    walk = walk_of(loaded)
    logits = walk.arrays["logits"][3]
    found = attribute(loaded.model, walk, token=65, position=3, against=66)
    assert found.total == pytest.approx(logits[65] - logits[66], abs=1e-4)


def test_heads_add_up_to_their_attention(make):
    """Without an output bias, a layer's attention is the sum of its heads."""
    loaded = make("decoder", num_key_value_heads=2)
    found = attribute(loaded.model, walk_of(loaded), token=65)
    by_layer = [found.contributions[found.parts.index(f"layers.{i}.attn")] for i in range(2)]
    np.testing.assert_allclose(found.heads.sum(axis=1), by_layer, atol=1e-5)


def test_a_post_norm_or_masked_model_does_not_come_apart(make):
    loaded = make("encoder", **BERT)
    with pytest.raises(LabInputError, match="needs_pre_norm"):
        attribute(loaded.model, walk_of(loaded), token=65)


def test_a_model_without_a_vocabulary_has_no_lens(make):
    loaded = make("encoder", head="none")
    walk = walk_of(loaded)
    with pytest.raises(LabInputError, match="needs_vocabulary_head"):
        logit_lens(loaded.model, loaded.tokenizer, walk)


def test_an_answer_settles_where_it_is_first_and_stays_first(make):
    """Four stages, three positions: always first, lost once more at stage 2, first only at the end."""
    loaded = make("decoder", num_layers=3)
    lens = logit_lens(loaded.model, loaded.tokenizer, walk_of(loaded), [0, 1, 2])
    ranks = np.array([[1, 1, 7], [1, 1, 2], [1, 3, 4], [1, 1, 1]])
    assert settled_at(replace(lens, answer_rank=ranks)).tolist() == [0, 3, 3]
