"""One model of the sweep: a branch is a run of its own, sizes are what the model holds."""

import copy
import math

import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.scaling import runs
from labcore.scaling.runs import RunConfig
from labcore.training import optimiser as optimisers
from labcore.training.loop import update
from labcore.training.objectives import held_out_loss


def test_a_branch_is_exactly_the_run_that_was_meant_to_end_there():
    """The one claim that makes many points of one run honest. Written out: a fresh model, the same text, and
    the rate of a run of twenty steps: ten to warm up, then full speed, and the last one at half of it."""
    config = RunConfig(8, (5, 20, 26))
    branched = {point.tokens // runs.STEP_TOKENS: point for point in runs.run(config)}
    model = Transformer(config.model, torch.Generator().manual_seed(0))
    optimiser = optimisers.adamw(model, 0.5 / 8, 0.1, (0.9, 0.95))
    text = torch.Generator().manual_seed(runs.TEXT_SEED)
    for step in range(1, 21):
        rate = 0.5 / 8 * min(1, step / 10) * {20: 1 / 2}.get(step, 1)
        update(model, runs.batch(1.1, text), optimiser, rate, 1.0)
    alone = held_out_loss(model, [runs.held_out_text(1.1)[0]])
    assert branched[20].annealed_nats == alone
    assert branched[20].passing_nats != alone
    assert branched[5].annealed_nats == branched[5].passing_nats  # too short to slow down


def test_a_branch_leaves_the_trunk_as_it_was():
    """Points of a run do not depend on which other points were asked for."""
    few, many = runs.run(RunConfig(8, (20,))), runs.run(RunConfig(8, (14, 20)))
    assert few[-1] == many[-1]


def test_the_sizes_are_those_of_the_model():
    for width in (12, 56):
        config = RunConfig(width, (1,))
        model = Transformer(config.model, torch.Generator().manual_seed(0))
        blocks, table = runs.sizes(config)
        assert blocks + table == sum(weight.numel() for weight in model.parameters())
        assert table == model.token_embedding.weight.numel()


def test_a_cosine_is_read_in_passing_and_finished_at_its_end_only():
    points = runs.run(RunConfig(8, (4, 12), cosine=True))
    assert math.isnan(points[0].annealed_nats)
    assert points[1].annealed_nats == points[1].passing_nats
    rates = [runs.rate(RunConfig(8, (40,), cosine=True), step, 40) for step in (10, 25, 40)]
    assert rates[0] == pytest.approx(0.5 / 8)
    assert rates[0] > rates[1] > rates[2] > 0


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    config = RunConfig(8, (6,))
    assert runs.run(config) == runs.run(copy.copy(config))
    assert (
        runs.run(config)[0].annealed_nats != runs.run(RunConfig(8, (6,), seed=1))[0].annealed_nats
    )


def test_no_loss_below_the_floor():
    """Sixty steps take a small model from ln 201 = 5.3 nats well down, and never below what is possible."""
    point = runs.run(RunConfig(16, (60,)))[0]
    assert runs.held_out_text(1.1)[1] < point.annealed_nats < 3.2


@pytest.mark.parametrize(
    ("field", "bad"),
    [("width", {"width": 2}), ("width", {"width": 30}), ("steps", {"steps": ()}),
     ("steps", {"steps": (0,)}), ("exponent", {"exponent": 99.0})],
)  # fmt: skip
def test_bad_values_are_refused(field, bad):
    with pytest.raises(LabInputError, match=field):
        list(runs.train(RunConfig(**({"width": 8, "steps": (2,)} | bad))))
