"""BM25 against an independent library; rankings against their arithmetic."""

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.frontier.bm25 import BM25, words_of
from labcore.frontier.ranking import ndcg_at, recall_at, reciprocal_rank

DOCUMENTS = [["cat", "sat"], ["cat", "cat", "dog"], ["dog", "ran", "far"]]
texts = st.lists(
    st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=12), min_size=1, max_size=9
)


def reference(documents, query, k1, b):
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index(documents, show_progress=False)
    return index.get_scores([word for word in query if any(word in d for d in documents)])


@given(texts, st.lists(st.sampled_from("abcdefgz"), min_size=1, max_size=4, unique=True),
       st.sampled_from([0.5, 1.2, 2.0]), st.sampled_from([0.0, 0.75, 1.0]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_bm25s(documents, query, k1, b):
    known = [word for word in query if any(word in d for d in documents)]
    got = BM25(documents, k1, b).scores(query)
    if not known:
        assert (got == 0).all()
        return
    np.testing.assert_allclose(got, reference(documents, query, k1, b), rtol=1e-5)


def test_the_worked_example():
    scores = BM25(DOCUMENTS, k1=1.5, b=0).scores(["cat"])
    assert scores.tolist() == pytest.approx([0.470 / 2.5, 0.470 * 2 / 3.5, 0], abs=1e-3)


def test_words_of_both_languages():
    assert words_of("The cat 小花猫") == ["the", "cat", "小", "花", "猫", "小花", "花猫"]
    assert words_of("it's 3.5%") == ["it", "s", "3", "5"]
    assert words_of("…!?") == []


def test_empty_documents_and_unknown_words_find_nothing():
    assert BM25([[], []]).scores(["cat"]).tolist() == [0, 0]
    assert BM25(DOCUMENTS).scores([]).tolist() == [0, 0, 0]


def test_rankings_worked_by_hand():
    ranking = ["a", "b", "c", "d"]
    assert recall_at(ranking, {"b", "d", "e"}, 3) == pytest.approx(1 / 3)
    assert reciprocal_rank(ranking, {"b", "c"}) == 1 / 2
    assert reciprocal_rank(ranking, {"z"}) == 0
    assert ndcg_at(ranking, {"a", "c"}, 4) == pytest.approx(1.5 / (1 + 1 / np.log2(3)))
    assert ndcg_at(ranking, {"a", "b"}, 4) == 1
    # One relevant document among the first k is enough for a full score at k = 1.
    assert ndcg_at(ranking, {"a", "d"}, 1) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: BM25([]), lambda: BM25(DOCUMENTS, k1=-1), lambda: BM25(DOCUMENTS, b=2),
        lambda: recall_at(["a"], set(), 1), lambda: ndcg_at(["a"], {"a"}, 0),
    ],
)  # fmt: skip
def test_bad_values_are_refused(wrong):
    with pytest.raises(LabInputError):
        wrong()
