"""Running sums and their scores: by hand, against answers written digit by digit, and the identity pⁿ."""

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.pretraining import emergence as lab
from labcore.pretraining.emergence import EQUALS, EmergenceConfig, SizesConfig
from labcore.text.masking import IGNORE
from labcore.training.loop import train


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_problem_by_hand():
    """Every answer digit is the sum of all digits so far, modulo 10: after 3 8 5 come 3, 11 and 16."""
    batch = lab.problems(50, 3, rng())
    for row, targets in zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True):
        given, answer = row[:3], targets[3:]
        assert answer == [given[0], (given[0] + given[1]) % 10, sum(given) % 10]
        assert row[3] == EQUALS
        assert row[4:] == answer[:2]
        assert targets[:3] == [IGNORE] * 3


@pytest.fixture(scope="module")
def half_trained():
    """A model that has learnt some of it."""
    config = EmergenceConfig(digits=3, width=32, steps=60)
    model = Transformer(ModelConfig(vocab_size=11, hidden_size=32), rng())
    drain(train(model, lab.endless(config, rng()), lab.training(config)))
    return model


def test_scores_are_counted_one_by_one(half_trained):
    asked = lab.problems(40, 3, rng(1))
    scores = lab.score(half_trained, asked)
    log_probs = half_trained(asked.tokens).logits.detach().log_softmax(-1).double()
    right, nats, whole, chance = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    for n in range(40):
        so_far, product = True, 1.0
        for k in range(3):
            target = int(asked.targets[n, 3 + k])
            told = log_probs[n, 3 + k]
            hit = int(told.argmax()) == target
            so_far, product = so_far and hit, product * float(told[target].exp())
            right[k] += hit / 40
            nats[k] -= float(told[target]) / 40
            whole[k] += so_far / 40
            chance[k] += product / 40
    for name, wanted in (("right", right), ("nats", nats), ("whole", whole), ("chance", chance)):
        np.testing.assert_allclose(getattr(scores, name), wanted, rtol=1e-5, atol=1e-9)


def test_all_digits_right_is_the_same_as_writing_the_right_answer(half_trained):
    """Greedy decoding by the lab's generator, digit after digit, on its own digits."""
    asked = lab.problems(60, 3, rng(2))
    written = []
    for row, targets in zip(asked.tokens, asked.targets, strict=True):
        steps = generate(half_trained, row[:4], SamplingConfig(temperature=0, max_new_tokens=3))
        written.append([step.token for step in steps] == targets[3:].tolist())
    share = lab.score(half_trained, asked).whole[-1]
    assert share == pytest.approx(np.mean(written))
    assert 0 < share < 1


def test_independent_mistakes_give_the_power():
    """A million answers of 5 digits, each right with 0.8: all right in 0.8⁵ = 0.328 of them."""
    right = np.random.default_rng(0).random((1_000_000, 5)) < 0.8
    assert lab.expected_whole(right.mean(axis=0), 5) == pytest.approx(0.8**5, abs=0.002)
    assert right.all(axis=1).mean() == pytest.approx(0.8**5, abs=0.002)
    assert lab.expected_whole(np.array([1.0, 0.5]), 1) == 1.0


def test_a_run_looks_at_the_same_problems_and_repeats_itself():
    config = EmergenceConfig(digits=4, width=16, steps=12)
    events = []
    result = drain(lab.emerge(config), events.append)
    assert [look.step for look in events] == [10, 12]
    assert result.looks[-1].scores.whole.shape == (4,)
    assert [len(part) for part in result.example] == [4, 4, 4]
    total = np.cumsum([int(digit) for digit in result.example[0]]) % 10
    assert result.example[1] == "".join(map(str, total))
    again = lab.run(config)
    np.testing.assert_array_equal(result.looks[-1].scores.nats, again.looks[-1].scores.nats)


def test_sizes_are_the_ends_of_runs():
    base = EmergenceConfig(digits=2, steps=3)
    sizes = lab.sizes(SizesConfig(base, widths=(8, 16), seeds=(0, 1)))
    assert sizes.nats.shape == (2, 2, 2)
    alone = lab.run(EmergenceConfig(2, 16, 3, 1))
    np.testing.assert_array_equal(sizes.right[1, 1], alone.looks[-1].scores.right)
    assert sizes.parameters[1] == alone.parameters > sizes.parameters[0]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"digits": 0}, "between"),
        ({"digits": 17}, "between"),
        ({"steps": 401}, "between"),
        ({"width": 7}, "known_choice"),
    ],
)
def test_a_run_that_cannot_be_made_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        EmergenceConfig(**change)
