"""One text, three questions: each model above its own floor, each question asked as it should be."""

import numpy as np
import pytest
import torch

from labcore.architecture import families_text as lab
from labcore.architecture.build_train_corpus import world
from labcore.architecture.families_text import TextConfig
from labcore.errors import LabInputError
from labcore.zoo import load

CHINESE = "有一天，莉莉带着一张小小的蓝色卡片去了花园。"


@pytest.fixture(scope="module")
def english() -> lab.TextResult:
    return lab.run(TextConfig())


@pytest.fixture(scope="module")
def chinese() -> lab.TextResult:
    return lab.run(TextConfig(CHINESE, TextConfig().text))


def test_a_decoder_is_asked_once_and_each_token_from_its_left(english):
    """The belief about a token is that of the model after the text before it, read alone."""
    model = load("world-decoder").model
    ids = lab.framed(world().tokenizer.encode(TextConfig().text), "en")
    asked = lab.ask_for_next(model, ids[:-1], [2, 5])
    for row, place in zip(asked, [2, 5], strict=True):
        alone = model(torch.tensor([ids[:place]])).logits[0, -1].softmax(dim=0)
        torch.testing.assert_close(row, alone, atol=1e-5, rtol=1e-4)
    assert english.decoder.nats[0] == pytest.approx(-float(asked[0, ids[2]].log()), abs=1e-4)


def test_an_encoder_never_sees_the_token_it_is_asked_for():
    """Whatever stands at the asked place, the belief is the same."""
    model, mask_id = load("world-encoder").model, world().tokenizer.mask_id
    ids = lab.framed(world().tokenizer.encode(TextConfig().text), "en")
    other = [*ids[:6], 7, *ids[7:]]
    torch.testing.assert_close(
        lab.ask_for_hidden(model, ids, [6], mask_id), lab.ask_for_hidden(model, other, [6], mask_id)
    )


def test_exact_answers_are_the_worlds_own(english):
    """The sum of the exact nats is −ln of the world's probability of this story's beginning."""
    ids = lab.framed(world().tokenizer.encode(TextConfig().text), "en")
    exact = world().sequence_nats(ids[:-1])
    np.testing.assert_allclose(english.decoder_exact.nats, exact[1:], atol=1e-5)


@pytest.mark.parametrize("text", ["english", "chinese"])
def test_each_model_is_near_its_floor_and_the_right_side_lowers_it(text, request):
    result = request.getfixturevalue(text)
    assert result.encoder_exact.mean_nats < result.decoder_exact.mean_nats
    for model, exact in (
        (result.decoder, result.decoder_exact),
        (result.encoder, result.encoder_exact),
    ):
        assert abs(model.mean_nats - exact.mean_nats) < 0.1
    assert result.translation.possible
    assert result.translation.nats.mean() == pytest.approx(
        result.translation.floor.mean(), abs=0.05
    )


def test_the_right_side_betrays_a_measure_word(chinese):
    """A card is counted with 张: from the left one of many, from both sides certain."""
    place = [chinese.labels[i] for i in chinese.asked].index("张")
    assert chinese.decoder_exact.nats[place] > 2
    assert chinese.encoder_exact.nats[place] < 1e-6
    assert chinese.encoder.nats[place] < 0.1


def test_maps_are_rows_of_shares(english):
    for shares in english.maps.values():
        np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    assert np.triu(english.maps["decoder"], 1).max() == 0
    rows = len(english.translation.written)
    assert english.maps["cross"].shape[1:] == (rows, len(english.translation.source))


@pytest.mark.parametrize("text", ["hello 🙂", "[MASK]", "x" * 3000, "<|eos|>"])
def test_a_text_that_the_world_never_tells_has_no_exact_answer(text):
    result = lab.run(TextConfig(text))
    assert np.isfinite(result.decoder.nats).all()
    assert np.isfinite(result.encoder.nats).all()
    assert not np.isfinite(result.decoder_exact.nats).all()
    assert not result.translation.known_source
    assert len(result.asked) <= lab.MOST_TOKENS


def test_an_empty_text_is_refused():
    with pytest.raises(LabInputError, match="not_empty"):
        TextConfig("  ")
