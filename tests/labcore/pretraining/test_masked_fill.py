"""Filling blanks: against single passes, against the world's own probabilities, one blank after another."""

import math

import numpy as np
import pytest
import torch

from labcore.architecture.build_train_corpus import world
from labcore.errors import LabInputError
from labcore.pretraining import masked_fill
from labcore.pretraining.masked_fill import FillConfig
from labcore.zoo import load

ZH = "学校里住着三[条]棕色[小狗]。"
EN = 'On the way, he saw Mei, who had no [scarf]. "You can have my [scarf]," said Leo.'

ANIMALS = ("小狗", "奶牛", "猫头鹰", "鸭子", "小马", "绵羊", "小猫", "青蛙", "兔子", "鸟")


@pytest.fixture(scope="module")
def filled():
    return masked_fill.run(FillConfig(ZH))


def test_the_default_sentences_show_what_they_are_there_for():
    """At once the blanks clash: the world could not tell it. One by one it could."""
    for text in (ZH, EN):
        result = masked_fill.run(FillConfig(text))
        assert len(result.gaps) == 2
        assert not result.at_once_told
        assert result.one_by_one_told


def test_the_exact_answer_is_bayes_rule_over_all_ways_to_fill(filled):
    """Each pair of words tried in the two blanks, weighed by the world's probability of the text."""
    tokenizer, passages = world().tokenizer, world("passages")
    ids = [tokenizer.bos_id, tokenizer.special_id("<|zh|>"), *tokenizer.encode("学校里住着三条棕色小狗。"),
           tokenizer.eos_id]  # fmt: skip
    first, second = filled.gaps
    weights = {}
    for measure in ("只", "条", "头", "匹", "个", "本"):
        for animal in ANIMALS:
            row, words = list(ids), [tokenizer.encode(word) for word in (measure, animal)]
            if any(len(word) != 1 for word in words):
                continue
            row[first], row[second] = words[0][0], words[1][0]
            nats = passages.sequence_nats(row)
            if nats is not None:
                weights[measure, animal] = math.exp(-sum(nats))
    total = sum(weights.values())
    for place, axis in ((0, 0), (1, 1)):
        for name, exact in zip(filled.candidates[place], filled.exact[place], strict=True):
            by_hand = sum(w for pair, w in weights.items() if pair[axis] == name) / total
            assert exact == pytest.approx(by_hand, abs=1e-6)


def test_one_blank_is_filled_the_same_in_both_ways():
    result = masked_fill.run(FillConfig("学校里住着三条棕色[小狗]。"))
    assert result.at_once == result.one_by_one
    assert result.truth_model[0] == pytest.approx(result.model[0].max())
    assert result.steps[0].position == result.gaps[0]


def test_the_pseudo_log_likelihood_is_one_pass_for_each_token(filled):
    """Each token hidden by itself, one forward pass each, as its definition says (arXiv:1910.14659)."""
    tokenizer, model = world().tokenizer, load("world-encoder").model
    ids = [tokenizer.bos_id, tokenizer.special_id("<|zh|>"), *tokenizer.encode("学校里住着三条棕色小狗。"),
           tokenizer.eos_id]  # fmt: skip
    expected = np.zeros(len(ids))
    with torch.no_grad():
        for place in range(2, len(ids) - 1):
            row = list(ids)
            row[place] = tokenizer.mask_id
            logits = model(torch.tensor([row])).logits[0, place]
            expected[place] = -float(logits.log_softmax(dim=0)[ids[place]])
    np.testing.assert_allclose(filled.score, expected, atol=1e-4)


def test_probabilities_and_entropies_are_what_they_say(filled):
    assert (filled.model.sum(axis=1) <= 1 + 1e-5).all()
    assert (filled.exact.sum(axis=1) <= 1 + 1e-5).all()
    assert (filled.entropy_exact > -1e-9).all()
    assert (filled.entropy_model <= math.log(world().tokenizer.vocab_size)).all()
    half = np.array([[0.5, 0.5, 0.0]])
    assert masked_fill.entropy(half) == pytest.approx(math.log(2))


def test_a_blank_that_nobody_knows_has_no_truth():
    result = masked_fill.run(FillConfig("学校里住着三[]棕色小狗。"))
    assert result.unknown == result.gaps
    assert math.isnan(result.truth_model[0])
    assert result.exact[0].max() == pytest.approx(1.0)  # only 条 goes with a dog


def test_what_the_world_never_says_has_no_exact_answer():
    result = masked_fill.run(FillConfig("I love [] very much"))
    assert np.isnan(result.exact).all()
    assert not result.at_once_told
    assert np.isfinite(result.model).all()


@pytest.mark.parametrize(
    "text", ["没有空。", "[]" * 60, "[学校里住着三条棕色小狗。杰克每天去喂它们。]", "x" * 3000]
)
def test_any_sentence_gives_an_answer(text):
    result = masked_fill.run(FillConfig(text))
    assert len(result.labels) <= masked_fill.MOST_TOKENS + 3
    assert len(result.steps) == len(result.gaps)
    if len(result.gaps) > masked_fill.MOST_EXACT:
        assert np.isnan(result.exact).all()


def test_nothing_typed_is_refused():
    with pytest.raises(LabInputError) as refused:
        FillConfig(" ")
    assert refused.value.field == "sentence"
