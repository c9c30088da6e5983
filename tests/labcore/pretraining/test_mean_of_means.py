"""Accumulated gradients against one big batch, weights by hand, and what a wrong mean teaches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labcore.errors import LabInputError
from labcore.pretraining import mean_of_means as lab
from labcore.pretraining.mean_of_means import BatchConfig
from labcore.training.objectives import causal_batch


def test_weights_by_hand():
    """Two micro-batches: 4 short documents of 8 letters ask 4 · 9 = 36 tokens, 4 long ones 4 · 65 = 260.

    Of N = 296 each token's fair weight is 1/296; as a mean of means 1/(2 · 36) and 1/(2 · 260), that is 4.11
    and 0.569 times as much.
    """
    result = lab.run(BatchConfig(micro_batches=2))
    np.testing.assert_array_equal(result.targets, [36, 260])
    np.testing.assert_allclose(result.weights["tokens"], 1)
    np.testing.assert_allclose(result.weights["means"], [296 / 72, 296 / 520])


def test_only_equal_weights_give_the_gradient_of_the_big_batch():
    result = lab.run(BatchConfig())
    assert result.errors["tokens"] < 1e-6
    assert result.errors["means"] > 0.3
    assert 1e-4 < result.errors["bf16"] < 0.02
    assert result.cosines["means"] < 0.95


def test_documents_of_one_length_know_no_difference():
    """The control."""
    result = lab.run(BatchConfig(short=20, long=20))
    assert result.errors["means"] < 1e-6


def test_the_mean_of_means_is_the_mean_of_pytorchs_mean_losses():
    """Each micro-batch's `cross_entropy` with its own mean, divided by K: what a plain loop would do."""
    config = BatchConfig()
    rng = torch.Generator().manual_seed(config.seed)
    model = lab.build(config, rng)
    batches = [causal_batch(rows, lab.PAD) for rows in lab.micro_batches(config, rng)]
    reported = lab.accumulate(model, batches, "means")
    ours = lab.gradient(model)
    model.zero_grad()
    losses = [
        F.cross_entropy(model(b.tokens).logits.flatten(0, 1), b.targets.flatten()) for b in batches
    ]
    torch.stack(losses).mean().backward()
    torch.testing.assert_close(ours, lab.gradient(model), rtol=1e-4, atol=1e-8)
    assert reported == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)


def test_what_is_taught_by_hand():
    """Sorted: a short token weighs 1/9, a long one 1/65, so "end" has 65/(65 + 9) of the weight."""
    assert lab.end_probability(BatchConfig(), "means") == pytest.approx(65 / 74)
    assert lab.end_probability(BatchConfig(), "tokens") == 0.5
    assert lab.end_probability(BatchConfig(short=20, long=20), "means") == pytest.approx(0.5)


def test_what_is_taught_by_chance_agrees_with_drawn_micro_batches():
    """Weights of 20,000 micro-batches, added up; a document at a time it is as if sorted."""
    config = BatchConfig(mix="mixed")
    rng = np.random.default_rng(0)
    shorts = rng.binomial(config.rows, 0.5, 20_000)
    tokens = shorts * 9 + (config.rows - shorts) * 65
    share = (shorts / tokens).sum() / (config.rows / tokens).sum()
    assert lab.end_probability(config, "means") == pytest.approx(share, abs=0.01)
    single = replace(config, rows=1)
    assert lab.end_probability(single, "means") == pytest.approx(65 / 74)


def test_a_document_opens_with_a_space_and_says_when_it_ends():
    rows = lab.documents(3, 8, torch.Generator().manual_seed(0))
    assert all(len(row) == 10 and row[0] == 0 and row[-1] == lab.END for row in rows)
    assert lab.END not in [token for row in rows for token in row[:-1]]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"short": 3}, "between"),
        ({"short": 20, "long": 10}, "between"),
        ({"long": 97}, "between"),
        ({"micro_batches": 3}, "even"),
        ({"rows": 0}, "between"),
        ({"mix": "none"}, "known_choice"),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        BatchConfig(**change)
