"""What a reward model is examined by, and the lab's run, against references and by hand."""

import math
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from trl import RewardTrainer

from labcore.errors import LabInputError
from labcore.tuning import sums
from labcore.tuning.base_policy import load_policy
from labcore.tuning.preferences import Rater, causes_of, collect_pairs, fitted_worths
from labcore.tuning.reward import FAN, RewardConfig, flattened, labelled, run
from labcore.tuning.reward_exam import (
    LEVELS,
    calibrate,
    held_out_loss,
    marks_dependence,
    rewards_by_kind,
)
from labcore.tuning.reward_labels import (
    PAIRS,
    PULL,
    LabelConfig,
    both_causes,
    finished_by,
    foretell,
    pairs_to_label,
    standard_errors,
)
from labcore.tuning.reward_labels import run as label
from labcore.tuning.reward_model import bradley_terry_loss, load_reward_model
from labcore.tuning.reward_probe import (
    MisreadConfig,
    OwnAnswer,
    misread,
    own_rewards,
    padding_scores,
    probe,
    strange_answers,
)
from labcore.tuning.reward_training import rewards_of

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pairs():
    return collect_pairs(load_policy(), Rater(), 600, torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def small():
    return run(RewardConfig("informed", pairs=256, epochs=2))


# References.


def test_the_fit_is_a_logistic_regression_without_intercept(pairs):
    """scipy's quasi-Newton on −Σ ln σ(±difference · w) + ½ pull ‖w‖², written anew."""
    causes, first = both_causes(pairs), pairs.first_preferred.numpy()
    signed = (causes[:, 0] - causes[:, 1]) * np.where(first, 1, -1)[:, None]

    def cost(worths):
        return np.logaddexp(0, -signed @ worths).sum() + 0.005 * worths @ worths

    reference = minimize(cost, np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    assert fitted_worths(causes, first) == pytest.approx(reference.x, abs=1e-4)


def test_standard_errors_are_the_curvature_of_that_cost(pairs):
    """The Hessian by autograd, inverted."""
    causes = both_causes(pairs)
    worths = fitted_worths(causes, pairs.first_preferred.numpy(), PULL)
    signed = torch.tensor(causes[:, 0] - causes[:, 1])
    signed = signed * (2 * pairs.first_preferred.double() - 1)[:, None]

    def cost(weights):
        loss = -torch.nn.functional.logsigmoid(signed @ weights).sum()
        return loss + PULL / 2 * (weights**2).sum()

    hessian = torch.autograd.functional.hessian(cost, torch.tensor(worths))
    expected = hessian.inverse().diagonal().sqrt().numpy()
    assert standard_errors(causes, worths, PULL) == pytest.approx(expected, rel=1e-9)


def test_the_loss_is_the_one_that_trl_trains_with():
    """RewardTrainer.compute_loss on rewards that a stand-in for a model hands it."""
    chosen, rejected = torch.randn(2, 7, generator=torch.Generator().manual_seed(0))
    logits = torch.cat([chosen, rejected])[:, None]
    accelerator = SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False), accelerator=accelerator,
        args=SimpleNamespace(center_rewards_coefficient=None),
        _metrics={"eval": defaultdict(list)}, _total_train_tokens=0,
    )  # fmt: skip
    loss = RewardTrainer.compute_loss(trainer, lambda **_: SimpleNamespace(logits=logits), {})
    assert float(loss) == pytest.approx(float(bradley_terry_loss(chosen, rejected)))


def test_random_utilities_with_gumbel_noise_are_bradley_and_terry():
    """The derivation's first step, by drawing: P(u₁ + g₁ > u₂ + g₂) = σ(u₁ − u₂)."""
    noise = np.random.default_rng(1).gumbel(size=(200_000, 2))
    won = (1.2 + noise[:, 0] > 0.5 + noise[:, 1]).mean()
    assert won == pytest.approx(1 / (1 + math.exp(-0.7)), abs=4 * math.sqrt(0.25 / 200_000))


# By hand.


@pytest.mark.parametrize(
    ("worth", "slips", "expected"),
    [(4, 0.0, 4.0), (4, 0.1, 2.0467), (4, 0.5, 0.0), (-4, 0.1, -2.0467)],
)
def test_slips_flatten_the_scale_as_the_docstring_works_out(worth, slips, expected):
    assert flattened(worth, slips) == pytest.approx(expected, abs=1e-4)


def test_the_flattened_worth_is_what_a_fit_finds():
    """Many draws from one pair of answers that differ in one cause only."""
    first = np.random.default_rng(2).random(40_000) < 1 / (1 + math.exp(-flattened(2.0, 0.2)))
    causes = np.zeros((len(first), 2, 1))
    causes[:, 0] = 1
    assert fitted_worths(causes, first)[0] == pytest.approx(flattened(2.0, 0.2), abs=0.06)


def test_calibration_by_hand():
    """Two pairs at ln 4, so 80 % sure, one of them right; two at ln 19, 95 %, both right; a tie.

    Distances 0.3, 0.05 and 0; weighed 2/5, 2/5, 1/5: 0.14.
    """
    gap = torch.tensor([4.0, 4.0, 19.0, 1 / 19, 1.0], dtype=torch.float64).log()
    first = torch.tensor([True, False, True, False, True])
    result = calibrate(gap, first)
    assert result.pairs.tolist() == [1, 0, 0, 0, 0, 0, 2, 0, 0, 2]
    assert result.confidence[[0, 6, 9]] == pytest.approx([0.5, 0.8, 0.95])
    assert result.preferred[[0, 6, 9]] == pytest.approx([0.5, 0.5, 1.0])
    assert result.error == pytest.approx(0.14)


def test_the_true_chances_are_calibrated(pairs):
    """The rater's own log-odds: only the dice are left, √(p(1 − p)/n) in each class."""
    many = collect_pairs(load_policy(), Rater(), 4000, torch.Generator().manual_seed(4))
    assert calibrate(torch.logit(many.chance), many.first_preferred).error < 0.03


def test_a_certain_pair_falls_into_the_highest_level():
    result = calibrate(torch.tensor([60.0]), torch.tensor([True]))
    assert result.pairs.tolist() == [0] * (LEVELS - 1) + [1]


def test_rewards_by_kind_are_the_quantiles_of_each_kind(pairs):
    """Rewards made of the causes: each kind has one reward, so that all its quantiles agree."""
    causes = torch.tensor(both_causes(pairs))
    rewards = 10 * causes[:, :, 0] + causes[:, :, 1]
    kinds, answers = rewards_by_kind(rewards, pairs)
    assert kinds[0, :, 0] == pytest.approx([10, 11, 12])
    assert kinds[1, :, 4] == pytest.approx([0, 1, 2])
    told = (causes[:, :, 1] <= sums.MOST_MARKS).sum()
    assert answers.sum() == told


def test_the_held_out_loss_of_a_model_that_tells_nothing_is_ln_2(pairs):
    assert held_out_loss(torch.zeros(len(pairs), 2), pairs) == pytest.approx(math.log(2))


def test_marks_dependence_changes_one_thing_at_a_time():
    """A stand-in that pays 3 for the first digit's being even and 1 per mark."""

    def model(prompts, responses):
        return 3.0 * (responses[:, 0] % 2 == 0) + (responses == sums.MARK).sum(dim=1)

    mean, spread = marks_dependence(model)
    assert np.diff(mean) == pytest.approx(np.ones((2, 4)))
    assert spread == pytest.approx(np.repeat(spread[:, :1], 5, axis=1))


# The run.


def test_a_run_starts_at_ln_2_and_comes_closer_to_the_rater(small):
    first, last = small.looks[0], small.looks[-1]
    assert first.held_out_loss == pytest.approx(math.log(2))
    assert first.accuracy == 0.5
    assert last.held_out_loss < first.held_out_loss
    assert small.exam.accuracy > 0.6
    assert small.exam.loss_nats > small.exam.least_loss_nats
    assert small.exam.calibration.pairs.sum() == 2000


def test_the_same_seed_is_the_same_run():
    one, other = (run(RewardConfig(pairs=64, epochs=1, seed=2)) for _ in range(2))
    assert one.exam.accuracy == other.exam.accuracy
    np.testing.assert_array_equal(one.exam.dependence, other.exam.dependence)


def test_fans_mix_two_raters():
    """Chance = 0.7 · the rater's + 0.3 · the fan's; the answers are the same as without."""
    policy = load_policy()
    without, mixed = (
        labelled(policy, RewardConfig(fans=fans), 50, torch.Generator().manual_seed(0))
        for fans in (0.0, 0.3)
    )
    assert torch.equal(without.responses, mixed.responses)
    marks = causes_of(mixed.asked, mixed.responses[:, 0]) - causes_of(
        mixed.asked, mixed.responses[:, 1]
    )
    fan = torch.sigmoid(FAN.marks * marks[:, 1])
    assert torch.allclose(mixed.chance, 0.7 * without.chance + 0.3 * fan)


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "deep"},
        {"pairs": 10},
        {"epochs": 0},
        {"fans": 0.6},
        {"slips": -0.1},
        {"marks": 11.0},
    ],
)
def test_a_config_out_of_range_is_refused(bad):
    with pytest.raises(LabInputError):
        RewardConfig(**bad)


# A person's labels.


def test_the_known_rater_is_recognised_within_its_errors():
    config = LabelConfig()
    result = label(LabelConfig(finished_by(Rater(), config)))
    assert np.all(np.abs(result.worths - Rater().worths.numpy()) < 2.5 * result.errors)


def test_a_person_who_only_looks_at_marks_is_found_out():
    causes = both_causes(pairs_to_label(0))
    difference = causes[:, 0, 1] - causes[:, 1, 1]
    choices = "".join("s" if gap == 0 else "a" if gap > 0 else "b" for gap in difference)
    right, marks, _ = label(LabelConfig(choices)).worths
    assert marks > 1.5
    assert abs(right) < 1


def test_half_of_the_pairs_tell_right_from_wrong_and_no_two_answers_are_alike():
    causes = both_causes(pairs_to_label(1))
    assert (causes[:, 0, 0] != causes[:, 1, 0]).sum() == PAIRS // 2
    assert np.all(np.any(causes[:, 0] != causes[:, 1], axis=1))


def test_a_choice_is_foretold_from_earlier_ones_alone():
    causes, shares = both_causes(pairs_to_label(0)), RNG.integers(0, 2, PAIRS).astype(float)
    before = foretell(causes, shares)
    shares[20:] = 1 - shares[20:]
    after = foretell(causes, shares)
    np.testing.assert_array_equal(before[:21], after[:21])
    assert np.isnan(before[:5]).all()
    assert not np.array_equal(before[21:], after[21:])


def test_the_raters_choices_leave_a_persons_as_they_are():
    config = LabelConfig("abs", seed=4)
    finished = finished_by(Rater(), config)
    assert finished.startswith("abs")
    assert len(finished) == PAIRS
    assert LabelConfig(finished, 4).own == 3


@pytest.mark.parametrize("choices", ["", "a", "s" * PAIRS, "a" * PAIRS, "ab" * (PAIRS // 2)])
def test_any_choices_give_finite_worths_or_none(choices):
    worths = label(LabelConfig(choices)).worths
    assert np.isnan(worths).all() if not choices else np.isfinite(worths).all()


@pytest.mark.parametrize("bad", [{"choices": "x"}, {"choices": "a" * (PAIRS + 1)}, {"seed": -1}])
def test_labels_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        LabelConfig(**bad)


# Answers that nobody labelled.


def test_strange_answers_read_as_their_names_say():
    asked = sums.Sums(torch.tensor([37]), torch.tensor([48]))
    answers = strange_answers(asked, torch.Generator().manual_seed(0))
    said = {name: sums.text_of(row[0]) for name, row in answers.items() if name != "noise"}
    assert said == {
        "right-0": "85", "right-1": "85!", "right-2": "85!!", "right-3": "85!!!", "right-4": "85!!!!",
        "off": "75", "reversed": "58", "zeros": "085", "empty": "", "marks": "!!",
        "endless": "85!!!!!!",
    }  # fmt: skip
    assert not (answers["endless"] == sums.END).any()


def test_the_informed_model_takes_the_unfamiliar_for_wrong():
    """Three marks behind a right answer: nobody labelled it, the reader never read it."""
    found = probe(load_reward_model("informed"))
    reward = dict(zip(found.names, found.mean, strict=True))
    assert reward["right-2"] > 0.5
    assert reward["right-3"] < -1


def test_a_score_read_at_the_padding_is_another_score():
    """The same trunk and the same head; a right reading would agree perfectly, with no shift."""
    found = probe(load_reward_model("shallow"))
    assert found.agreement < 0.7
    assert abs(found.shift) > found.deviation
    assert found.moved > 0.1


def test_a_score_at_the_padding_depends_on_how_wide_the_row_is(pairs):
    """A score read where the answer ends does not."""
    model, few = load_reward_model("shallow"), pairs[torch.arange(32)]
    wide, narrow = (padding_scores(model, few, columns) for columns in (8, 7))
    fits = (few.responses[:, :, -1] == sums.PAD).all(dim=1)
    assert (wide - narrow)[fits].abs().mean() > 0.1
    cut = type(few)(few.asked, few.responses[:, :, :7], few.first_preferred, few.chance)
    assert torch.allclose(rewards_of(model, few)[fits], rewards_of(model, cut)[fits], atol=1e-4)


def test_only_answers_that_fit_the_narrower_row_are_compared():
    found = misread(MisreadConfig("shallow"))
    assert found.at_end.shape == found.at_padding.shape == found.in_narrower_rows.shape
    assert 150 < len(found.at_end) <= 200
    with pytest.raises(LabInputError):
        MisreadConfig("deep")


def test_own_rewards_are_measured_from_the_plain_right_answer():
    plain, marked = own_rewards(OwnAnswer(answer="85")), own_rewards(OwnAnswer(answer="85!"))
    assert list(plain.rewards.values()) == pytest.approx([0, 0], abs=1e-5)
    assert (plain.worth, plain.is_right) == (0, True)
    assert (marked.worth, marked.is_right) == (0.5, True)
    assert own_rewards(OwnAnswer(answer="")).worth == -4


@pytest.mark.parametrize(
    "bad", [{"left": 9}, {"right": 100}, {"answer": "8" * 8}, {"answer": "8x"}]
)
def test_an_answer_that_cannot_be_is_refused(bad):
    with pytest.raises(LabInputError):
        OwnAnswer(**bad)
