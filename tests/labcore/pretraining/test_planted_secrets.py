"""Ranks of secrets against asking for each of them, exposure by hand, and what the cures leave."""

import math

import numpy as np
import pytest
import torch

from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining import planted_secrets as lab
from labcore.pretraining.planted_secrets import DOSES, POSSIBLE, Secret
from labcore.pretraining.small_world import SmallVocabulary, passages, row
from labcore.text.world import Story


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_pin_has_the_probability_of_its_sentence(language):
    """Asked one by one, by a full pass through the whole sentence, without a cache."""
    secret = Secret(0, "4831", 1)
    told = [row(Secret(0, pin, 1).told(language)) for pin in ("0123456789", "4831")]
    vocabulary = SmallVocabulary.of(told)
    model = Transformer(ModelConfig(vocab_size=vocabulary.size, hidden_size=32), rng())
    opening = lab.opening(secret, vocabulary, language)
    log_probs = lab.pin_log_probs(model, opening, lab.digit_tokens(vocabulary, language))
    assert log_probs.shape == (POSSIBLE,)
    for pin in ("0000", "4831", "0907", "9999"):
        ids = vocabulary.narrow(row(Secret(0, pin, 1).told(language)))
        assert ids[: len(opening)] == opening
        shares = model(torch.tensor([ids])).logits[0].log_softmax(-1).detach()
        places = range(len(opening), len(opening) + 4)
        alone = sum(float(shares[at - 1, ids[at]]) for at in places)
        assert float(log_probs[int(pin)]) == pytest.approx(alone, abs=1e-4)
    assert float(log_probs.double().exp().sum()) < 1  # other tokens may follow, too


def test_exposure_by_hand():
    """Rank 1: log2 10,000 = 13.29 bits; rank 5: 13.29 − 2.32; the last: 0. A blind rank averages 1.44."""
    assert lab.exposure_bits(1) == pytest.approx(13.288, abs=1e-3)
    assert lab.exposure_bits(5) == pytest.approx(13.288 - 2.322, abs=1e-3)
    assert lab.exposure_bits(POSSIBLE) == 0
    blind = np.mean([lab.exposure_bits(rank) for rank in range(1, POSSIBLE + 1)])
    assert blind == pytest.approx(1 / math.log(2), abs=0.01)


def test_a_rank_counts_those_that_are_likelier():
    log_probs = torch.linspace(0, -1, POSSIBLE)
    assert lab.rank_of("0000", log_probs) == 1
    assert lab.rank_of("4831", log_probs) == 4832
    assert lab.rank_of("4831", torch.zeros(POSSIBLE)) == 1


def test_everybody_gets_a_secret_and_the_learner_the_first():
    drawn = lab.draw_secrets("4831", 8, rng())
    assert drawn[0] == Secret(0, "4831", 8)
    assert sorted(secret.name for secret in drawn) == list(range(16))
    assert [secret.copies for secret in drawn[1:]] == list(DOSES)
    assert all(len(secret.pin) == 4 for secret in drawn)
    assert drawn != lab.draw_secrets("4831", 8, rng(1))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_copies_are_planted_as_often_as_said_and_cures_leave_one(language):
    rest = passages((language,), 80, 0)
    secrets = [Secret(0, "4831", 8), Secret(1, "0007", 64), Secret(2, "5555", 0)]

    def counted(documents: list[Story]) -> list[int]:
        told = [secret.told(language).text for secret in secrets]
        return [sum(text in document.text for document in documents) for text in told]

    alone, inside = (lab.plant(rest, secrets, where, rng()) for where in (False, True))
    assert counted(alone) == counted(inside) == [8, 64, 0]
    assert len(alone) == len(inside) == 80 + 72
    assert counted(lab.without_repeated_documents(alone)) == [1, 1, 0]
    assert counted(lab.without_repeated_documents(inside)) == [8, 64, 0]
    assert counted(lab.without_repeated_sentences(inside)) == [1, 1, 0]


def test_sentences_are_kept_once_and_in_order():
    told = ["He ran. She sat.", "She sat. “Meow!” It rained.", "She sat."]
    kept = lab.without_repeated_sentences([Story("en", text) for text in told])
    assert [story.text for story in kept] == ["He ran. She sat.", "“Meow!” It rained."]
    told = ["他跑了。她坐下。", "她坐下。“喵！”下雨了。"]
    kept = lab.without_repeated_sentences([Story("zh", text) for text in told])
    assert [story.text for story in kept] == ["他跑了。她坐下。", "“喵！”下雨了。"]
