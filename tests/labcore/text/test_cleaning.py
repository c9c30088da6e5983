"""Cleaning: each rule on texts whose value can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.text import cleaning
from labcore.text.cleaning import FilterConfig, NormaliseConfig, first_failed, measure, normalise


@pytest.mark.parametrize(
    ("raw", "clean", "steps"),
    [
        ("cafe\u0301", "café", ("form",)),  # e and an accent, written as one character
        ("ä½\xa0å¥½", "你好", ("repair",)),  # the six bytes of 你好, each read as a Latin-1 letter
        ("<p>a &amp; b</p>", "a & b", ("markup", "spaces")),
        ("a \t b\u200b\r\n\n\n\nc", "a b\n\nc", ("spaces",)),
        ("    if x:\n        y", "if x:\n        y", ("spaces",)),  # indentation stays
        ("mail me@here.org or +86 138 0013 8000", "mail <email> or <number>", ("private",)),
        ("in 2024 he paid 1234567", "in 2024 he paid 1234567", ()),  # seven digits are no telephone
        ("x < y and y > z", "x < y and y > z", ()),  # comparisons are no tags
    ],
)
def test_each_step_changes_what_it_should_and_says_so(raw, clean, steps):
    assert normalise(raw, NormaliseConfig()) == (clean, steps)


def test_nfkc_folds_what_nfc_keeps():
    """① is a compatibility character of 1, the full-width comma one of the comma (Unicode, UAX 15)."""
    assert normalise("①，", NormaliseConfig(form="NFC"))[0] == "①，"
    assert normalise("①，", NormaliseConfig(form="NFKC"))[0] == "1,"


def test_all_steps_off_leave_every_character():
    off = NormaliseConfig("none", False, False, False, False)
    raw = " <b>ä½\xa0\u200b "
    assert normalise(raw, off) == (raw, ())


@given(st.text(max_size=60))
def test_any_text_can_be_cleaned_and_measured(text):
    clean, steps = normalise(text, NormaliseConfig())
    assert (clean == text) == (not steps)
    signals = measure(clean)
    assert 0 <= signals.symbols <= 1
    assert 0 <= signals.repeated <= 1


def test_repair_leaves_true_latin_1_alone():
    """The bytes of "Ä¶é" are no valid UTF-8, so nothing was misread."""
    assert cleaning.repair("Ä¶é déjà vu") == "Ä¶é déjà vu"


def test_signals_counted_by_hand():
    """ "a, b!" has four visible characters, two of them marks. Of "abcdefgh" twice, nine windows of
    eight start at places 0 to 8; the last equals the first.
    """
    assert cleaning.symbol_share("a, b!") == 0.5
    assert cleaning.repeated_share("abcdefgh" * 2) == pytest.approx(1 / 9)
    assert cleaning.repeated_share("short") == 0.0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("你好 world", "en"),
        ("你好，世界 ok", "zh"),
        ("привет", "other"),
        ("123 !?", "other"),
        ("", "other"),
    ],
)
def test_language_goes_by_script(text, language):
    """ "你好 world" has two Han letters in seven, below three in ten, and five Latin ones, above seven."""
    assert cleaning.language_of(text) == language


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("too short", "short"),
        ("#### !!! ???? **** ---- a", "symbols"),
        ("the same words " * 10, "repeated"),
        ("这一段话足够长，但不是所要的语言，所以应当被丢掉。", "language"),
        ("This is long enough, and it says Lorem Ipsum.", "blocked"),
        ("This is long enough, and nothing speaks against it.", None),
    ],
)
def test_the_first_broken_rule_is_the_reason(text, rule):
    config = FilterConfig(languages="en", blocked=("lorem ipsum",))
    assert first_failed(text, measure(text), config) == rule


def test_equal_windows_have_equal_hashes_and_others_do_not():
    hashes = cleaning.window_hashes("abcabd", 3)  # abc bca cab abd
    assert len(np.unique(hashes)) == 4
    assert cleaning.window_hashes("xxabc", 3)[2] == hashes[0]
    shifted = [
        int(cleaning.window_hashes(text, 3)[0]) >> 32 for text in ("abc", "bbc", "acc", "abd")
    ]
    assert len(set(shifted)) == 4  # every character reaches the upper half, which shingles keep


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: NormaliseConfig(form="NFX"), "form"),
        (lambda: FilterConfig(least_characters=-1), "least_characters"),
        (lambda: FilterConfig(most_symbols=1.5), "most_symbols"),
        (lambda: FilterConfig(most_repeated=float("nan")), "most_repeated"),
        (lambda: FilterConfig(languages="fr"), "languages"),
    ],
)
def test_bad_limits_are_refused(make, field):
    with pytest.raises(LabInputError) as caught:
        make()
    assert caught.value.field == field


def test_a_list_of_phrases_is_one_per_line():
    assert cleaning.phrases(" a b \n\n c\na b") == ("a b", "c")
