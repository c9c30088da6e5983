"""Whole words and spans: words as a person would cut them, budgets kept, spans as long as SpanBERT's."""

import re

import pytest
import torch

from labcore.architecture.build_train_corpus import world
from labcore.errors import LabInputError
from labcore.text import mask_units
from labcore.text.mask_units import choose, pick_spans, pick_words, word_numbers


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def words_of(text: str) -> list[str]:
    """The text, cut where `word_numbers` cuts it."""
    tokenizer = world().tokenizer
    ids = tokenizer.encode(text)
    numbers = word_numbers(torch.tensor([ids]), tokenizer)[0].tolist()
    pieces = [b""] * (numbers[-1] + 1)
    for token, number in zip(ids, numbers, strict=True):
        pieces[number] += tokenizer.token_bytes(token)
    return [piece.decode() for piece in pieces]


def test_english_words_are_those_between_spaces():
    """A regular expression says the same: letters with the space before them, everything else alone."""
    text = "Unbelievable grasshoppers: Mei woke, and Timothy ran."
    assert words_of(text) == re.findall(r" ?[A-Za-z]+|[^A-Za-z ]", text)


def test_chinese_words_are_tokens_and_a_broken_character_stays_whole():
    """犇 is not in the vocabulary: three byte tokens, one word. 小狗 is one token, 你 another."""
    assert words_of("小狗犇你abc好") == ["小狗", "犇", "你", "abc", "好"]


WORDS = [[0], [1, 2, 3], [4, 5], [6], [7], [8, 9]]  # positions, word by word


def test_a_word_is_chosen_whole_and_the_budget_is_kept():
    """Four tokens may go: a word too long for the rest is passed over, so never more than four."""
    seen = set()
    for seed in range(60):
        picked = set(pick_words(WORDS, 4, rng(seed)))
        assert len(picked) <= 4
        assert all(set(word) <= picked or not set(word) & picked for word in WORDS)
        seen |= picked
    assert seen == set(range(10))


def test_one_word_is_chosen_even_if_it_is_longer_than_the_budget():
    assert pick_words([[0, 1, 2]], 1, rng()) == [0, 1, 2]


def test_spans_spend_the_budget_in_whole_words():
    """Of single tokens exactly the budget; of longer words at most the last one's tokens too many."""
    single = [[n] for n in range(100)]
    assert all(len(pick_spans(single, 15, rng(seed))) == 15 for seed in range(20))
    for seed in range(40):
        picked = pick_spans(WORDS, 4, rng(seed))
        assert 4 <= len(picked) <= 6
        assert all(set(word) <= set(picked) or not set(word) & set(picked) for word in WORDS)
    assert sorted(pick_spans(single, 100, rng())) == list(range(100))


def test_span_lengths_are_those_of_spanbert():
    """Geometric with p = 0.2, nothing above 10 words: the paper gives a mean of 3.8 (section 3.1)."""
    shares = mask_units.span_lengths() / mask_units.span_lengths().sum()
    mean = float((shares * torch.arange(1, 11)).sum())
    assert round(mean, 1) == 3.8
    assert float(shares[1] / shares[0]) == pytest.approx(0.8)


def test_rows_of_a_batch_choose_on_their_own_and_never_what_may_not_be_chosen():
    words = torch.arange(12).repeat(4, 1) // 2
    maskable = torch.ones(4, 12, dtype=torch.bool)
    maskable[:, 0] = False
    maskable[3] = False
    for unit in mask_units.UNITS:
        chosen = choose(unit, words, maskable, 0.5, rng())
        assert not (chosen & ~maskable).any()
        assert chosen[:3].any(dim=1).all()
        assert not torch.equal(chosen[0], chosen[1])


def test_an_unknown_unit_is_refused():
    with pytest.raises(LabInputError) as refused:
        choose("letter", torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), 0.5, rng())
    assert refused.value.field == "unit"
