"""The next word: counting against the automaton's own probabilities, and the chain rule."""

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.foundations import next_word
from labcore.foundations.next_word import NextConfig, asked, counted_shares, matching, told
from labcore.text.world import micro_world


def test_counts_by_hand():
    corpus = [[0, 1, 2], [0, 1, 3], [0, 1, 3], [0, 2, 3], [0, 1]]
    assert counted_shares([0, 1], corpus, 4).tolist() == [0, 0, 1, 2]
    assert matching([0, 1, 3, 1], corpus).tolist() == [5, 5, 4, 2]


def test_counting_agrees_with_the_exact_distribution_where_there_is_much_to_count():
    """After <|bos|> <|en|> some 800 stories are counted: each share within 4.5 standard errors."""
    prefix = asked("en")[0][:2]
    exact = micro_world().next_token_distribution(prefix)
    counts = counted_shares(prefix, told(), len(exact))
    total = counts.sum()
    assert total > 700
    error = np.sqrt(exact * (1 - exact) / total)
    assert (np.abs(counts / total - exact) <= 4.5 * error + 1e-12).all()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_surprises_add_up_to_the_storys_own(language):
    """The world's `sequence_nats` is the automaton's, and its first tokens are not asked for."""
    result = next_word.run(NextConfig(language))
    ids = asked(language)[1]
    np.testing.assert_allclose(result.exact_nats[1:], micro_world().sequence_nats(ids))
    assert result.model_nats.sum() > 0.9 * result.exact_nats.sum()


def test_where_no_story_begins_alike_counting_says_nothing_and_the_model_stays_close():
    result = next_word.run(NextConfig("en", 1, 20))
    assert result.matches[20] == 0
    assert np.isnan(result.counted).all()
    unseen = result.matches == 0
    assert (result.model_nats - result.exact_nats)[unseen].mean() < 0.25


def test_stories_asked_are_never_among_those_counted():
    known = {tuple(ids) for ids in told()}
    assert not any(tuple(ids) in known for language in ("en", "zh") for ids in asked(language))


@pytest.mark.parametrize("bad", [{"language": "fr"}, {"story": 6}, {"position": 0}, {"counted": 7}])
def test_bad_values_are_refused(bad):
    with pytest.raises(LabInputError):
        NextConfig(**bad)
