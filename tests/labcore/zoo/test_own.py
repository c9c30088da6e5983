"""A learner's own model: named by its bytes, the same for everybody, refused if it is none of ours."""

import pytest
import torch

from labcore import zoo
from labcore.architecture.build_train import BuildTrainConfig, run
from labcore.errors import LabInputError
from labcore.training import checkpoints


@pytest.fixture(scope="module")
def trained() -> bytes:
    return run(BuildTrainConfig(steps=10, num_layers=1, hidden_size=16)).checkpoint.tobytes()


def test_an_adopted_model_answers_like_the_one_that_was_saved(trained):
    name = zoo.adopt(trained)
    assert name == zoo.adopt(trained)
    assert zoo.is_at_hand(name)
    tokens = torch.tensor([[1, 2, 3]])
    saved = checkpoints.load_bytes(trained).model
    assert torch.equal(zoo.load(name).model(tokens).logits, saved(tokens).logits)
    assert zoo.load(name).card.source == "own"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04K\x01.", b"\xff" * 64])
def test_any_other_file_is_refused(data):
    with pytest.raises(LabInputError, match="upload"):
        zoo.adopt(data)


def test_a_name_that_is_not_kept_is_told():
    with pytest.raises(LabInputError, match="not_kept"):
        zoo.load("own-000000000000")
