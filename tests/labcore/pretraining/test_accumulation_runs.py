"""Two rules side by side: the floor by other means, the control, and the beginnings of the effect."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import accumulation_runs as lab
from labcore.pretraining import mean_of_means
from labcore.pretraining.accumulation_runs import AccumulationConfig, StudyConfig
from labcore.pretraining.mean_of_means import BatchConfig
from labcore.text import syllables

QUICK = AccumulationConfig(steps=12)


def test_the_floor_is_the_languages_entropy_and_a_coin_per_document():
    """Letter by letter from the table of transitions; the coin's ln 2 once for each of the 128 documents."""
    short, long = lab.held_out(BatchConfig())
    table, nats = syllables.transitions(), 0.0
    for batch in (short, long):
        for row in batch.tokens.tolist():
            pairs = pairwise(row)
            nats += sum(-float(table[a, b].log()) for a, b in pairs) + np.log(2)
    assert lab.floor_nats((short, long)) == pytest.approx(nats / (64 * 9 + 64 * 65))


def test_equal_documents_keep_both_models_alike():
    """The control: with one length the two rules are one, and so are the runs."""
    result = lab.run(AccumulationConfig(BatchConfig(short=48, long=48), steps=5))
    reported = result.looks[-1].reported_nats
    assert reported[0] == pytest.approx(reported[1], abs=1e-5)
    assert result.taught.tolist() == pytest.approx([0.5, 0.5])


def test_the_wrong_mean_ends_texts_sooner_already_after_a_few_steps():
    events = []
    result = drain(lab.train_both(QUICK), events.append)
    assert [look.step for look in events] == [10, 12]
    assert events[-1].share == 1
    assert result.looks[-1].ends[1] > result.looks[-1].ends[0]
    assert result.taught[1] == mean_of_means.end_probability(QUICK.batch, "means")
    assert ((result.written_short >= 0) & (result.written_short <= 1)).all()


def test_lengths_are_counted_to_the_end_and_no_further():
    """A fresh model ends anywhere: with 17 tokens alike, one text in 17 ends at once."""
    config = BatchConfig()
    rng = torch.Generator().manual_seed(0)
    lengths = lab.lengths_written(mean_of_means.build(config, rng), config, rng)
    assert len(lengths) == lab.WRITTEN
    assert lengths.min() >= 0
    assert lengths.max() <= config.long
    assert 5 < np.median(lengths) < 25


def test_a_study_repeats_its_runs():
    study = lab.study(StudyConfig(arms=("single",), seeds=(0, 1), steps=4))
    assert study.ends.shape == (1, 2, 1, 2)
    alone = lab.run(AccumulationConfig(lab.ARMS["single"], 4))
    np.testing.assert_allclose(study.ends[0, 0, 0], alone.looks[-1].ends, rtol=1e-6)


def test_no_steps_are_refused():
    with pytest.raises(LabInputError, match="between"):
        AccumulationConfig(steps=0)
