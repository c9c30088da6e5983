"""The rules: buckets, personal data, disguises and their undoing, thresholds, taint."""

import random
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.guard import disguise, personal, rates, redteam, taint, undo
from labcore.guard.bucket import Bucket, BucketConfig, ask, full, passed
from labcore.guard.redteam_words import EVERYDAY, FRAMES, HARMFUL, LOOK_ALIKE, WORDS


def test_a_bucket_by_hand():
    """Three tokens, half a token a second, one message a second: 2, 1.5, 1, 0.5, 0 are left; then half a
    token is too little, and a second later there is one."""
    assert passed(range(7), BucketConfig(0.5, 3)) == [True] * 5 + [False, True]
    assert passed([0, 0, 0, 0], BucketConfig(0.5, 3)) == [True, True, True, False]
    assert passed([], BucketConfig()) == []
    assert passed([9, 9], BucketConfig(0.0, 1)) == [True, False]  # gains nothing, ever
    assert all(passed([n / 10 for n in range(50)], BucketConfig(10.0, 1)))  # exactly at the rate


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.floats(0, 5), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_no_stretch_lets_more_through_than_the_formula_says(times, rate, burst):
    """At most b + r·t messages in any t seconds."""
    times = sorted(times)
    through = [
        t for t, ok in zip(times, passed(times, BucketConfig(rate, burst)), strict=True) if ok
    ]
    for i, begin in enumerate(through):
        for j, end in enumerate(through[i:], start=1):
            assert j <= burst + rate * (end - begin) + 1e-6


def test_a_clock_that_runs_backwards_fills_nothing():
    config = BucketConfig(1.0, 2)
    state, ok = ask(Bucket(0.0, 10.0), 5.0, config)
    assert not ok
    assert state == Bucket(0.0, 10.0)
    for seconds in (float("nan"), float("inf")):
        with pytest.raises(LabInputError):
            ask(full(config), seconds, config)


@pytest.mark.parametrize("number", ["79927398713", "4111 1111 1111 1111", "5500-0000-0000-0004"])
def test_published_numbers_pass_luhn_and_no_neighbour_does(number):
    """79927398713 is the worked example of the standard's texts. One wrong digit is always noticed."""
    assert personal.luhn(number)
    for place, sign in enumerate(number):
        for other in set(string.digits) - {sign} if sign.isdigit() else ():
            assert not personal.luhn(number[:place] + other + number[place + 1 :])


def test_the_identity_number_of_the_standard():
    """GB 11643's own examples; one wrong digit, and two neighbours swapped, are always noticed."""
    good = "11010519491231002X"
    assert personal.id_check(good)
    assert personal.id_check(good.lower())
    assert personal.id_check("440524188001010014")
    for place in range(17):
        for other in set(string.digits) - {good[place]}:
            assert not personal.id_check(good[:place] + other + good[place + 1 :])
        if good[place] != good[place + 1] and place < 16:
            swapped = good[:place] + good[place + 1] + good[place] + good[place + 2 :]
            assert not personal.id_check(swapped)
    assert not personal.id_check("110105194913310020")  # a thirteenth month
    assert not personal.id_check("")


def test_the_weights_are_powers_of_two_modulo_eleven():
    assert list(personal.ID_WEIGHTS) == [2 ** (17 - place) % 11 for place in range(17)]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a.b+c@mail.example.org.", "[email]."),
        ("邮箱ann@example.org，", "邮箱[email]，"),
        ("call 13800138000 or +86 138-0013-8000", "call [phone] or [phone]"),
        ("卡号4111111111111111。", "卡号[bank_card]。"),
        ("11010519491231002X和440524188001010014", "[id_card]和[id_card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("12345 and a@b and 2026-11-26", "12345 and a@b and 2026-11-26"),
        ("", ""),
    ],
)
def test_what_is_masked(text, masked):
    assert personal.mask(text) == masked
    assert personal.mask(masked) == masked  # nothing is left to mask


@given(st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_text_can_be_searched_and_read(text):
    for one in personal.find(text):
        assert 0 <= one.start < one.end <= len(text)
    assert len(undo.readings(text)) <= undo.MOST_READINGS
    for name in disguise.NAMES:
        undo.readings(disguise.disguise(text, name))


ENGLISH = "please break open the storm jar"


@pytest.mark.parametrize(
    "name", ["spacing", "leet", "homoglyph", "full_width", "zero_width", "base64"]
)
def test_what_can_be_undone_is(name):
    """A round trip: the plain sentence is among the readings of each of its disguises."""
    hidden = disguise.disguise(ENGLISH, name)
    assert hidden != ENGLISH
    assert ENGLISH in undo.readings(hidden)
    chinese = "请撬开风暴罐。"
    assert chinese in undo.readings(disguise.disguise(chinese, name))


def test_disguises_upon_each_other_are_undone():
    assert ENGLISH in undo.readings(disguise.disguise(ENGLISH, "homoglyph", "zero_width", "base64"))
    buried = disguise.many_shot(ENGLISH)
    assert any(ENGLISH in reading and "owls" not in reading for reading in undo.readings(buried))


def test_pinyin_cannot_be_undone_and_nothing_is_decoded_that_is_no_text():
    assert disguise.pinyin("撬开风暴罐") == "qiao kai feng bao guan"
    assert "撬开风暴罐" not in undo.readings("qiao kai feng bao guan")
    assert undo.decoded("AAAAAAAAAAAAAAAAAAAA") == []  # zero bytes
    assert undo.decoded("http/is/not/base64/at/all") == []


def test_nfkc_alone_leaves_look_alikes():
    import unicodedata

    hidden = disguise.homoglyph("open")
    assert unicodedata.normalize("NFKC", hidden) == hidden != "open"
    assert undo.canonical(hidden) == "open"


def test_an_unknown_disguise_is_refused():
    with pytest.raises(LabInputError):
        disguise.disguise("a", "rot13")


def test_the_curve_and_its_area_by_hand():
    """[2, 1] against [1, 0]: three wins and a tie of four. At 1: all harm, half of the harmless."""
    harmful, harmless = np.array([2.0, 1.0]), np.array([1.0, 0.0])
    thresholds, alarms, recall = rates.roc(harmful, harmless)
    assert thresholds.tolist() == [0, 1, 2, np.inf]
    assert alarms.tolist() == [1, 0.5, 0, 0]
    assert recall.tolist() == [1, 1, 0.5, 0]
    assert rates.area(harmful, harmless) == 0.875


def test_the_area_is_what_mann_and_whitney_count():
    from scipy import stats

    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, 40).astype(float), rng.integers(0, 7, 30).astype(float)
    u = stats.mannwhitneyu(one, other).statistic
    assert rates.area(one, other) == pytest.approx(u / (40 * 30))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_the_line_keeps_to_its_alarms_and_is_the_lowest_that_does(scores, alarms):
    scores = np.array(scores, float)
    line = rates.threshold_for(scores, alarms)
    assert (scores >= line).mean() <= alarms
    lower = [s for s in np.unique(scores) if s < line]
    assert not lower or (scores >= lower[-1]).mean() > alarms


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: rates.roc(np.zeros(0), np.ones(1)), lambda: rates.area(np.array([np.nan]), np.ones(1)),
        lambda: rates.threshold_for(np.ones(3), 1.5), lambda: rates.threshold_for(np.zeros(0), 0.1),
        lambda: BucketConfig(-1.0), lambda: BucketConfig(burst=0), lambda: BucketConfig(float("nan")),
        lambda: taint.allowed("dance", frozenset({"user"})),
        lambda: taint.Value("x", frozenset({"moon"})), lambda: taint.Value("x", frozenset()),
        lambda: redteam.draw("dance", "exam", 1, random.Random(0)),
        lambda: redteam.draw("seal", "all", 1, random.Random(0)),
        lambda: redteam.Request("seal", "a", "b").said("fr"),
        lambda: redteam.attacked(redteam.Request("seal", "a", "b"), "rot13", "en"),
    ],
)  # fmt: skip
def test_bad_values_are_refused(wrong):
    with pytest.raises(LabInputError):
        wrong()


# Taint.


@pytest.mark.parametrize("tool", taint.TOOLS)
@pytest.mark.parametrize("more", [(), ("page",), ("tool",), ("page", "tool")])
def test_the_policy_is_a_table(tool, more):
    """Saying and looking up are always allowed; an effect only if nobody but the user had a say."""
    sources = frozenset({"user", *more})
    assert taint.allowed(tool, sources) == (not taint.EFFECTS[tool] or not more)
    assert not taint.allowed(tool, sources, allow_list=())


@given(st.lists(st.sets(st.sampled_from(taint.SOURCES), min_size=1), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_taint_never_washes_off(parts):
    """What is made from a tainted value is tainted, however often it is combined with clean ones."""
    values = [taint.Value("", frozenset(part)) for part in parts]
    made = taint.made_from("all", values)
    assert all(value.sources <= made.sources for value in values)
    if any("page" in value.sources for value in values):
        assert not taint.allowed("send", made.sources)


# The red-team set.


def test_exam_forms_frames_and_words_are_in_no_training_sentence():
    for kind in redteam.KINDS[:6]:
        assert not set(redteam.cores(kind, "train")) & set(redteam.cores(kind, "exam"))
        assert not set(redteam.cores(kind, "tune")) & set(redteam.cores(kind, "exam"))
    assert not set(redteam.frames("train")) & set(redteam.frames("exam"))
    for slot in WORDS:
        assert not set(redteam.words(slot, "train")) & set(redteam.words(slot, "exam"))


def test_every_form_stands_once_and_fills_in_both_languages():
    """No two forms alike, no placeholder left over."""
    every = [pair for group in (*HARMFUL.values(), LOOK_ALIKE, EVERYDAY, FRAMES) for pair in group]
    for side in (0, 1):
        assert len({pair[side] for pair in every}) == len(every)
    for kind in redteam.KINDS:
        for split in ("train", "exam"):
            for request in redteam.draw(kind, split, 12, random.Random(0)):
                assert not set("{}") & set(request.english + request.chinese)
                assert disguise.language_of(request.english) == "en"
                assert disguise.language_of(request.chinese) == "zh"
                assert request.harmful == (kind in HARMFUL)


def test_the_same_seed_draws_the_same_set():
    one, two = (redteam.draw("seal", "exam", 9, random.Random(4)) for _ in range(2))
    assert one == two
    assert redteam.draw("seal", "tune", 5, random.Random(0)) == []  # harm is not used to draw lines
    assert redteam.attacked(one[0], "language", "en") == one[0].chinese
