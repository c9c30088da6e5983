"""Worked questions by hand, calls carried out and never run as code, and what was recorded."""

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.frontier import learn_to_call as lab
from labcore.frontier.learn_to_call import LearnConfig, LearnStudy, Learnt
from labcore.text.masking import IGNORE


def test_questions_and_answers_by_hand():
    assert lab.answer_to("47*386=") == "18142"
    assert lab.response("47*386=", "direct") == "18142."
    assert lab.response("47*386=", "call") == "(47*386)>"
    assert lab.run_call("(47*386)") == "18142"
    for nonsense in ("", "(47*)", "__import__('os')", "9" * 300, "(1/0)"):
        assert lab.run_call(nonsense) == ""


@pytest.mark.parametrize("way", lab.WAYS)
def test_a_batch_asks_for_the_response_and_for_nothing_else(way):
    config = LearnConfig(batch_size=8)
    batch = next(lab.batches(config, way, torch.Generator().manual_seed(0)))
    for row, targets in zip(batch.tokens, batch.targets, strict=True):
        text = "".join(lab.SYMBOLS[t] for t in row.tolist()).rstrip("·")
        question = text[: text.index("=") + 1]
        asked = "".join(lab.SYMBOLS[t] for t in targets.tolist() if t != IGNORE)
        assert text == question + asked
        assert asked == lab.response(question, way)


def test_questions_have_two_digits_or_more_and_repeat_with_the_seed():
    config = LearnConfig(digits=4)
    one, two = (lab.draw(config, 200, torch.Generator().manual_seed(7)) for _ in range(2))
    assert one == two
    lengths = {len(number) for text in one for number in text[:-1].split("*")}
    assert lengths == {2, 3, 4}


def test_a_short_run_looks_and_ends():
    looks = []
    result = drain(lab.learn(LearnConfig(steps=2, batch_size=4)), looks.append)
    assert [look.way for look in looks] == ["direct", "call"]
    assert result.steps.tolist() == [2]
    assert len(result.samples) == 8


@pytest.mark.parametrize(
    "wrong", [{"task": "root"}, {"digits": 1}, {"digits": 9}, {"steps": 0}, {"seed": -1}]
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(LabInputError):
        LearnConfig(**wrong)


def test_what_was_recorded():
    """A model of this size does not learn products, and learns to call at once; sums are the control."""
    study = results.load(results.RECORDINGS / "tools-learn.safetensors", LearnStudy).result
    product, total = study.right["product"], study.right["sum"]
    assert product["direct"].max() < 0.05
    assert product["call"][:, -1].min() > 0.95
    assert total["direct"][:, -1].mean() > product["direct"][:, -1].mean()
    shown = results.load(results.RECORDINGS / "tools-learnt.safetensors", Learnt).result
    assert shown.well_formed["direct"][-1] > 0.95
    np.testing.assert_array_equal(shown.steps, study.steps)
