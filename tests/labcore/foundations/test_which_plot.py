"""Which plot: the eight automata together are the world's own, and Bayes' rule agrees with counting."""

import math

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.foundations import which_plot
from labcore.foundations.which_plot import NAMES, PlotConfig, likelihoods, tell
from labcore.text.world import micro_world


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("plot", NAMES)
def test_the_plots_mixed_evenly_give_every_beginning_the_worlds_probability(language, plot):
    """P(beginning) = ½ for the language · Σ P(beginning | plot) / 8."""
    ids = tell(plot, language, torch.Generator().manual_seed(1))
    mixed = np.log(np.exp(likelihoods(ids, language)).sum(axis=1) / 8) + math.log(0.5)
    world = -np.cumsum(micro_world().sequence_nats(ids))
    np.testing.assert_allclose(mixed[1:], world, atol=1e-9)


@pytest.mark.parametrize("plot", NAMES)
def test_in_the_end_the_true_plot_is_certain_whatever_one_believed(plot):
    wrong = "loan" if plot == "lost" else "lost"
    result = which_plot.run(PlotConfig(plot, favoured=wrong, prior=0.999))
    assert result.posterior[-1, NAMES.index(plot)] == pytest.approx(1)
    np.testing.assert_allclose(result.posterior.sum(axis=1), 1)


def test_a_prior_of_zero_is_refused_as_nothing_could_move_it():
    for prior in (0.0, 1.0):
        with pytest.raises(LabInputError, match="between"):
            PlotConfig("meal", favoured="meal", prior=prior)


def test_tokens_that_all_plots_begin_with_teach_nothing():
    result = which_plot.run(PlotConfig("meal"))
    np.testing.assert_allclose(result.learnt_nats[:2], 0, atol=1e-12)
    assert result.settled < 12


def test_what_the_tokens_teach_in_order_ends_with_nothing_open():
    result = which_plot.run(PlotConfig("race", "zh"))
    assert result.entropy_nats[1] == pytest.approx(math.log(8))
    assert result.entropy_nats[-1] == pytest.approx(0, abs=1e-9)
    assert (result.learnt_nats >= -1e-12).all()


def test_a_plots_share_of_stories_with_a_beginning_is_its_posterior():
    """Stories told of all plots alike: of those that begin like this, so many are of each plot."""
    generator = torch.Generator().manual_seed(0)
    told = [(plot, tell(plot, "en", generator)[2]) for plot in NAMES for _ in range(400)]
    ids = tell("race", "en", torch.Generator().manual_seed(0))  # begins with an animal's article
    first = ids[2]
    alike = [plot for plot, token in told if token == first]
    shares = np.array([alike.count(plot) / len(alike) for plot in NAMES])
    after = which_plot.from_logs(np.full(8, 1 / 8), likelihoods(ids[:3], "en"))[-1]
    assert (np.abs(shares - after) <= 4 * np.sqrt(after * (1 - after) / len(alike)) + 1e-9).all()
