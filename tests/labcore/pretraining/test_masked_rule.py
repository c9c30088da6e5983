"""The rule on a sentence, against transformers' collator; blanks against their brackets."""

import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from labcore.architecture.build_train_corpus import world
from labcore.errors import LabInputError
from labcore.pretraining import masked_blanks, masked_rule
from labcore.pretraining.corpus import special_ids
from labcore.pretraining.masked_rule import ALL_HIDDEN, Rule, RuleConfig, neighbour_share, questions
from labcore.text.masking import HIDDEN, IGNORE, KEPT, SHOWN, SWAPPED
from labcore.training.objectives import Batch

SENTENCE = "On the way, he saw Mei, who had no scarf. 学校里住着五只白色绵羊。"
ROWS, LENGTH = 300, 100


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shown(tokens: torch.Tensor) -> Batch:
    return Batch(tokens, torch.full_like(tokens, IGNORE), torch.ones_like(tokens, dtype=torch.bool))


def ordinary() -> torch.Tensor:
    """Rows of ordinary tokens, no special one among them."""
    return torch.randint(256, 1800, (ROWS, LENGTH), generator=rng())


def fates_of(inputs, labels, tokens, mask_id) -> np.ndarray:
    """Counts of hidden, swapped and kept tokens."""
    asked = labels != IGNORE
    hidden = asked & (inputs == mask_id)
    kept = asked & (inputs == tokens)
    return np.array([int(kind.sum()) for kind in (hidden, asked & ~hidden & ~kept, kept)])


def test_the_statistics_are_those_of_transformers_collator():
    """Of 30,000 tokens each, the shares of all three fates differ by less than four standard errors."""
    tokenizer, tokens = world().tokenizer, ordinary()
    ours, _ = questions(shown(tokens), tokenizer, special_ids(tokenizer), Rule(), rng())
    mine = fates_of(ours.tokens, ours.targets, tokens, tokenizer.mask_id)

    vocabulary = {str(n): n for n in range(tokenizer.vocab_size)}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(vocabulary, unk_token="0")),
        mask_token=str(tokenizer.mask_id), pad_token=str(tokenizer.pad_id),
    )  # fmt: skip
    collate = DataCollatorForLanguageModeling(fast, mlm_probability=0.15, seed=0)
    theirs = collate([{"input_ids": row} for row in tokens])
    other = fates_of(theirs["input_ids"], theirs["labels"], tokens, tokenizer.mask_id)

    count = tokens.numel()
    for one, two in zip(mine, other, strict=True):
        share = (one + two) / (2 * count)
        error = math.sqrt(2 * share * (1 - share) / count)
        assert abs(one - two) / count < 4 * error
    assert mine.sum() == 15 * ROWS  # ours takes exactly 15 of 100 in every row, theirs on average


def test_questions_ask_what_was_chosen_and_leave_the_rest_alone():
    tokenizer, tokens = world().tokenizer, ordinary()
    tokens[:, 0] = tokenizer.bos_id
    asked, fates = questions(shown(tokens), tokenizer, special_ids(tokenizer), Rule(), rng())
    chosen = fates != SHOWN
    assert torch.equal(asked.targets != IGNORE, chosen)
    assert torch.equal(asked.targets[chosen], tokens[chosen])
    assert torch.equal(asked.tokens[~chosen], tokens[~chosen])
    assert (asked.tokens[fates == HIDDEN] == tokenizer.mask_id).all()
    assert torch.equal(asked.tokens[fates == KEPT], tokens[fates == KEPT])
    assert (asked.tokens[fates == SWAPPED] != tokens[fates == SWAPPED]).float().mean() > 0.99
    assert not chosen[:, 0].any()


def test_less_may_be_asked_than_is_hidden():
    """40 of 100 hidden, three eighths of them asked: 15, all among the 40."""
    tokenizer, tokens = world().tokenizer, ordinary()
    rule = Rule(0.4, 1.0, 0.0, asked_share=0.375)
    asked, fates = questions(shown(tokens), tokenizer, special_ids(tokenizer), rule, rng())
    assert (fates == HIDDEN).sum(dim=1).tolist() == [40] * ROWS
    assert (asked.targets != IGNORE).sum(dim=1).tolist() == [15] * ROWS
    assert (fates[asked.targets != IGNORE] == HIDDEN).all()


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_a_sentence_is_disguised_as_its_table_says(unit):
    result = masked_rule.run(RuleConfig(SENTENCE, Rule(0.3, unit=unit), draws=200))
    for place, label in enumerate(result.labels):
        fate = result.fates[place]
        if fate == HIDDEN:
            assert result.read[place] == "<|mask|>"
        elif fate != SWAPPED:
            assert result.read[place] == label
    assert (result.asked == (result.fates != SHOWN)).all()
    assert (result.counts.sum(axis=1) == 200).all()
    assert (result.counts[~result.maskable, SHOWN] == 200).all()
    tokens = int(result.maskable.sum())
    assert result.asked_per_draw.mean() == pytest.approx(0.3 * tokens, abs=1)


def test_neighbours_of_chosen_tokens_are_chosen_more_often_in_spans():
    share = {
        unit: masked_rule.run(RuleConfig(SENTENCE, Rule(unit=unit))).neighbour_share
        for unit in ("token", "span")
    }
    assert share["span"] > share["token"] + 0.2


def test_neighbour_share_by_hand():
    """Three chosen have a maskable right neighbour, one of these neighbours is chosen: 1/3.

    throw 1: tokens 1 and 2 chosen; 1 has 2 (chosen), 2 has 3 (not). throw 2: token 0, its neighbour 1 is not.
    """
    chosen = np.array([[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
    maskable = np.array([1, 1, 1, 1, 0], bool)
    assert neighbour_share(chosen, maskable) == pytest.approx(1 / 3)
    assert math.isnan(neighbour_share(np.zeros((2, 5), bool), maskable))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (lambda: Rule(rate=0), "rate"),
        (lambda: Rule(mask_share=0.9, random_share=0.2), "random_share"),
        (lambda: Rule(unit="letter"), "unit"),
        (lambda: Rule(asked_share=0), "asked_share"),
        (lambda: RuleConfig("  "), "text"),
        (lambda: RuleConfig("a", draws=0), "draws"),
    ],
)
def test_nonsense_is_refused(wrong, field):
    with pytest.raises(LabInputError) as refused:
        wrong()
    assert refused.value.field == field


def test_any_text_can_be_disguised():
    for text in ("a", "犇", "🦙 مرحبا", "x" * 5000, "<|mask|> <|bos|>"):
        result = masked_rule.run(RuleConfig(text, ALL_HIDDEN, draws=3))
        assert result.asked.sum() >= 1
        assert len(result.labels) <= masked_rule.MOST_TOKENS + 3


# Blanks in brackets.


@pytest.mark.parametrize(
    ("text", "hidden", "unknown"),
    [
        ("a [grey] frog came", [" grey"], 0),
        ("学校里住着三[条]棕色[小狗]。", ["条", "小狗"], 0),
        ("a [] frog ____ [MASK] 【？】", [], 4),
        ("[hop]per", None, 0),
        ("no brackets ] [ here", [], 0),
    ],
)
def test_brackets_become_blanks_and_blanks_brackets(text, hidden, unknown):
    """What is written reads back as the same tokens with the same ones hidden."""
    tokenizer = world().tokenizer
    blanks = masked_blanks.read(text, tokenizer)
    if hidden is not None:
        said = [tokenizer.token_bytes(blanks.ids[place]).decode() for place in blanks.hidden]
        assert said == hidden
    assert [blanks.ids[place] for place in blanks.unknown] == [tokenizer.mask_id] * unknown
    again = masked_blanks.write(blanks.ids, blanks.hidden, tokenizer)
    assert masked_blanks.read(again, tokenizer) == blanks


def test_a_click_hides_a_token_and_a_second_one_shows_it_again():
    tokenizer = world().tokenizer
    text = "学校里住着三条棕色小狗。"
    place = masked_blanks.read("学校里住着三条棕色[小狗]。", tokenizer).hidden[0]
    once = masked_blanks.toggled(text, place, tokenizer)
    assert once == "学校里住着三条棕色[小狗]。"
    assert masked_blanks.toggled(once, place, tokenizer) == text
    blank = masked_blanks.read("三[]。", tokenizer)
    assert masked_blanks.toggled("三[]。", blank.unknown[0], tokenizer) == "三[]。"
    assert masked_blanks.toggled(text, 99, tokenizer) == text


def test_a_character_in_pieces_is_put_into_brackets_as_a_whole():
    tokenizer = world().tokenizer
    assert masked_blanks.toggled("看犇吧", 2, tokenizer) == "看[犇]吧"
