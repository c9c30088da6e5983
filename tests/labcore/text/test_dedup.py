"""MinHash and LSH are held to datasketch, minimum for minimum and pair for pair."""

import datasketch
import numpy as np
import pytest
from datasketch.hashfunc import sha1_hash32

from labcore.errors import LabInputError
from labcore.text import dedup

TEXTS = [
    "The cat sat on the mat and looked at the moon for a long time.",
    "The cat sat on the mat and looked at the moon for a very long time.",
    "A dog ran along the river until the evening came.",
    "小猫坐在垫子上，看着月亮，看了很久很久。",
    "小猫坐在垫子上，看着月亮，看了很久。",
    "",
]


@pytest.fixture(scope="module")
def hashes():
    return dedup.hash_functions(128, np.random.default_rng(0))


@pytest.fixture(scope="module")
def signatures(hashes):
    return np.stack([dedup.signature(dedup.shingles(text), *hashes) for text in TEXTS])


def reference(text: str, a: np.ndarray, b: np.ndarray) -> datasketch.MinHash:
    """datasketch's MinHash of the same shingle hashes under the same permutations."""
    made = datasketch.MinHash(
        num_perm=len(a), permutations=(a, b), scheme="affine32", hashfunc=lambda number: number
    )
    made.update_batch(dedup.shingles(text).tolist())
    return made


@pytest.mark.parametrize("text", TEXTS)
def test_every_minimum_is_datasketchs(text, hashes):
    ours = dedup.signature(dedup.shingles(text), *hashes)
    np.testing.assert_array_equal(ours, reference(text, *hashes).hashvalues)


def test_the_estimate_is_datasketchs_and_close_to_the_exact_similarity(signatures, hashes):
    """128 hashes estimate within 3 · sqrt(J (1 - J) / 128), about 0.13."""
    left, right = (reference(text, *hashes) for text in TEXTS[:2])
    assert dedup.estimated_jaccard(signatures[0], signatures[1]) == left.jaccard(right)
    exact = dedup.jaccard(dedup.shingles(TEXTS[0]), dedup.shingles(TEXTS[1]))
    assert dedup.estimated_jaccard(signatures[0], signatures[1]) == pytest.approx(exact, abs=0.13)


@pytest.mark.parametrize(("bands", "rows"), [(128, 1), (64, 2), (32, 4), (16, 8), (4, 32), (5, 3)])
def test_the_pairs_that_meet_are_datasketchs(hashes, bands, rows):
    """Sixty texts at all degrees of damage: LSH with the same bands proposes the same pairs."""
    rng = np.random.default_rng(1)
    base = np.array(list("abcdefghijklmnopqrstuvwxyz " * 8))
    texts = []
    for number in range(60):
        letters = rng.permuted(base) if number % 6 == 0 else np.array(list(texts[-1]))
        places = rng.integers(0, len(letters), number % 6)
        letters[places] = rng.choice(base, len(places))
        texts.append("".join(letters))
    marks = np.stack([dedup.signature(dedup.shingles(text), *hashes) for text in texts])
    lsh = datasketch.MinHashLSH(num_perm=128, params=(bands, rows))
    minhashes = [reference(text, *hashes) for text in texts]
    for number, minhash in enumerate(minhashes):
        lsh.insert(number, minhash)
    theirs = {
        tuple(sorted((number, other)))
        for number, minhash in enumerate(minhashes)
        for other in lsh.query(minhash)
        if other != number
    }
    assert dedup.candidate_pairs(marks, bands, rows) == theirs
    assert theirs


def test_sha1_is_spread_by_the_same_last_step():
    """The step is a bijection, so distinct hashes stay distinct; datasketch applies the same one."""
    words = np.array([sha1_hash32(word) for word in (b"a", b"b", b"c")], np.uint32)
    assert len(set(dedup.scrambled(words).tolist())) == 3
    a, b = np.array([1], np.uint32), np.array([0], np.uint32)  # the identity
    theirs = datasketch.MinHash(1, permutations=(a, b), scheme="affine32", hashfunc=sha1_hash32)
    theirs.update_batch([b"a", b"b", b"c"])
    assert dedup.scrambled(words).min() == theirs.hashvalues[0]


def test_jaccard_by_hand():
    """ "abcd" and "abce" have the 2-shingles ab bc cd and ab bc ce: two shared of four."""
    left, right = dedup.shingles("abcd", 2), dedup.shingles("abce", 2)
    assert dedup.jaccard(left, right) == 0.5
    assert dedup.jaccard(left, left) == 1.0
    assert dedup.jaccard(dedup.shingles(""), dedup.shingles("")) == 0.0


def test_the_s_curve_by_hand():
    """Two bands of one hash: 1 - (1 - s)^2 = 0.75 at s = 0.5. Where b bands of r rise: (1/b)^(1/r)."""
    assert dedup.candidate_probability(0.5, bands=2, rows=1) == 0.75
    assert dedup.candidate_probability(np.array([0.0, 1.0]), 32, 4).tolist() == [0.0, 1.0]
    assert dedup.steepest_similarity(16, 4) == 0.5


def test_real_pairs_meet_as_often_as_the_curve_says():
    """Sets that share half of their elements by construction; 400 draws of hashes, 16 bands of 4.

    p = 1 - (1 - (1/3)^4)^16 = 0.181; the standard error of 400 draws is below 0.02.
    """
    left, right = np.arange(0, 200, dtype=np.uint32), np.arange(100, 300, dtype=np.uint32)
    met = 0
    for seed in range(400):
        a, b = dedup.hash_functions(64, np.random.default_rng(seed))
        marks = np.stack([dedup.signature(items, a, b) for items in (left, right)])
        met += bool(dedup.candidate_pairs(marks, 16, 4))
    expected = dedup.candidate_probability(1 / 3, 16, 4)
    assert met / 400 == pytest.approx(expected, abs=0.06)


def test_clusters_are_named_by_their_first_member():
    assert dedup.clusters(6, [(4, 2), (2, 5), (0, 1)]).tolist() == [0, 0, 2, 3, 2, 2]
    assert dedup.clusters(0, []).tolist() == []


def test_all_similarities_are_those_of_every_pair():
    sets = [dedup.shingles(text, 3) for text in TEXTS]
    pairs, values = dedup.all_similarities(sets, least=0.05)
    found = {tuple(pair): value for pair, value in zip(pairs.tolist(), values, strict=True)}
    for i in range(len(sets)):
        for j in range(i + 1, len(sets)):
            exact = dedup.jaccard(sets[i], sets[j])
            assert found.get((i, j), 0.0) == pytest.approx(exact if exact >= 0.05 else 0.0)


def test_no_sets_have_no_pairs():
    assert dedup.all_similarities([], 0.1)[0].shape == (0, 2)
    assert dedup.candidate_pairs(np.empty((0, 128), np.uint32), 32, 4) == set()


def test_a_crowd_is_chained_but_stays_one_cluster():
    marks = np.zeros((300, 4), np.uint32)  # all alike
    pairs = dedup.candidate_pairs(marks, 2, 2)
    assert len(pairs) == 299
    assert set(dedup.clusters(300, sorted(pairs))) == {0}


@pytest.mark.parametrize(("bands", "rows"), [(0, 4), (4, 0), (33, 4)])
def test_more_bands_than_hashes_are_refused(signatures, bands, rows):
    with pytest.raises(LabInputError):
        dedup.candidate_pairs(signatures, bands, rows)


@pytest.mark.parametrize("text", ["", "a", "\ud800", "😀😀"])
def test_any_text_has_shingles(text):
    assert len(dedup.shingles(text)) == (1 if text else 0)
