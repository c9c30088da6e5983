"""Verifiers, votes and searches over steps: worked examples, the bundled models, the recordings."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.reasoning import vote, vote_curves
from labcore.reasoning.chains import draw_questions, running_sums
from labcore.reasoning.cost_study import CASES, CurvesStudy, StepStudy, curves, tokens
from labcore.reasoning.step_search import StepSearchConfig, accuracy, search_steps
from labcore.reasoning.think_study import LengthStudy
from labcore.reasoning.verifiers import (
    KINDS,
    chain_scores,
    fit,
    is_right,
    judged,
    load_verifier,
    new_verifier,
    step_labels,
    verifier_loss,
)
from labcore.reasoning.vote import VoteConfig
from labcore.reasoning.vote_curves import CurvesConfig, accuracies
from labcore.reasoning.writers import CONFIG, TRAINING, WRITERS, load_weights, load_writer, write
from labcore.recipes.reasoning_models import make_writers, told_apart, written_chains

THREE = torch.tensor([[4, 7, 9]])  # 4, 1, 0 and the answer 0


def test_steps_are_judged_by_the_one_before():
    """A wrong step is one mistake; carried on it is no second one. The answer must repeat the last step."""
    written = torch.tensor([[4, 1, 0, 0], [4, 2, 1, 1], [4, 2, 0, 0], [4, 1, 0, 7]])
    asked = THREE.expand(4, -1)
    assert step_labels(asked, written).int().tolist() == [
        [1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1], [1, 1, 1, 0],
    ]  # fmt: skip
    assert is_right(asked, written).tolist() == [True, False, True, False]  # the third by luck


def test_nothing_follows_from_a_sign():
    """A writer at chance may write ">" (11) for a step: 11 + 9 = 20 ends in 0, and is no sum all the same."""
    written = torch.tensor([[4, 11, 0, 0]])
    assert step_labels(THREE, written).tolist() == [[True, False, False, True]]


def test_scores_and_losses_by_hand():
    """Logits 0 and ln 3 are chances 1/2 and 3/4: the chain has 3/8, lost on as −ln 3/8 or −ln 5/8."""
    question, logits = torch.tensor([[4]]), torch.tensor([[0.0, log(3)]])
    assert chain_scores(logits).exp().item() == pytest.approx(3 / 8)
    right, wrong = torch.tensor([[4, 4]]), torch.tensor([[4, 5]])
    assert verifier_loss("outcome", logits, question, right).item() == pytest.approx(-log(3 / 8))
    assert verifier_loss("outcome", logits, question, wrong).item() == pytest.approx(-log(5 / 8))
    told = verifier_loss("process", logits, question, wrong).item()  # right, then wrong
    assert told == pytest.approx((-log(1 / 2) - log(1 / 4)) / 2)


def test_a_verifier_reads_the_logit_of_the_token_that_came():
    """Whole text at once = step by step: what is said of a step does not hang on what follows it."""
    verifier = load_verifier("process")
    questions, written = written_chains(4, seed=5)
    whole = judged(verifier, questions, written)
    for steps in (1, 7, 12):
        part = judged(verifier, questions, written[:, :steps])
        torch.testing.assert_close(part, whole[:, :steps], rtol=1e-4, atol=1e-4)


def test_the_way_of_choosing_by_hand():
    answers = [3, 8, 8, 5]
    scores = {"own": np.log([0.4, 0.1, 0.1, 0.2]), "outcome": np.log([0.1, 0.1, 0.1, 0.9]),
              "process": np.log([0.9, 0.2, 0.3, 0.1])}  # fmt: skip
    chosen = {way: vote.choose(way, answers, scores) for way in vote.WAYS}
    # Weighted: 0.9 for 3 against 0.5 for 8.
    assert chosen == {"one": 3, "majority": 8, "own": 3, "outcome": 5, "process": 3, "weighted": 3}


@pytest.mark.parametrize(
    "text", ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２", "<b>"]
)
def test_only_twelve_digits_are_a_question(text):
    with pytest.raises(LabInputError, match="digits_exactly"):
        VoteConfig(text)


@pytest.mark.parametrize(
    "wrong",
    [{"writer": "x"}, {"temperature": 0}, {"temperature": float("nan")}, {"samples": 0}, {"samples": 257}],
)  # fmt: skip
def test_votes_out_of_range_are_refused(wrong):
    with pytest.raises(LabInputError):
        VoteConfig(**wrong)


def test_one_question_is_answered_as_its_seed_says():
    result = vote.run(VoteConfig("0000 0000 0000", samples=20))
    assert result.truth == 0
    assert result.counts.sum() == (result.answers < 10).sum()  # one of the twenty ends in a sign
    assert result.written.shape == (20, 13)
    again = vote.run(VoteConfig("0000 0000 0000", samples=20))
    assert (again.written == result.written).all()
    assert (vote.run(VoteConfig("0" * 12, samples=20, seed=1)).written != result.written).any()


def test_a_chain_that_is_the_writers_own_has_its_own_probability():
    """The writer's probability of a greedy chain is the product of its greatest probabilities."""
    writer = load_writer("half")
    questions = draw_questions(3, 12, "sum", torch.Generator().manual_seed(0))
    written = write(writer, questions, 0.0, None)
    own = vote.own_logprobs(writer, questions, written)
    other = written.clone()
    other[:, 3] = (other[:, 3] + 1) % 10
    assert (own[:, 3] >= vote.own_logprobs(writer, questions, other)[:, 3]).all()
    assert (own.exp() > 0.1).all()  # the likeliest of at most ten digits
    assert (own <= 0).all()


def test_accuracies_where_they_are_known():
    """One question, three of four chains right, a judge that ranks the wrong one first: with all four the
    majority is right and the judge wrong, and one chain is right with 3/4."""
    answers, truth = np.array([[1, 1, 1, 2]]), np.array([1])
    worst = {name: np.array([[0.1, 0.2, 0.3, 0.9]]) for name in ("own", "outcome", "process")}
    found = accuracies(answers, worst, truth, np.array([1, 4]), np.random.default_rng(0))
    assert found["majority"][1] == 1
    assert found["outcome"][1] == 0
    many = [
        accuracies(answers, worst, truth, np.array([1]), np.random.default_rng(seed))["one"][0]
        for seed in range(60)
    ]
    assert np.mean(many) == pytest.approx(3 / 4, abs=0.06)  # 480 draws: one sigma is 0.02


def test_pools_are_the_same_for_the_same_seed_and_pass_at_all_counts_any_hit():
    config = CurvesConfig(questions=4, samples=8)
    one, two = drain(vote_curves.ask(config)), drain(vote_curves.ask(config))
    assert all((one.accuracy[way] == two.accuracy[way]).all() for way in vote.WAYS)
    assert one.passed[-1] == (one.right_share > 0).mean()
    assert one.counts.tolist() == [1, 2, 3, 5, 8]


# Search over steps.


def test_one_beam_and_one_try_is_sampling():
    """Without a choice the judge has no say: another judge, the same chains."""
    questions = draw_questions(5, 12, "sum", torch.Generator().manual_seed(0))
    chains = [
        search_steps(
            load_writer("half"),
            load_verifier(kind),
            questions,
            1,
            1,
            torch.Generator().manual_seed(1),
        )
        for kind in KINDS
    ]
    assert (chains[0] == chains[1]).all()


def test_tokens_are_counted_for_every_try():
    """12 steps, 4 beams, 4 tries, and the answer."""
    assert StepSearchConfig(beams=4, tries=4).tokens == 193
    assert tokens("majority", np.array([64])).tolist() == [832]
    assert tokens("process", np.array([64])).tolist() == [1664]


@pytest.mark.parametrize("wrong", [{"writer": "x"}, {"judge": "own"}, {"beams": 0}, {"tries": 17}])
def test_step_searches_out_of_range_are_refused(wrong):
    with pytest.raises(LabInputError):
        StepSearchConfig(**wrong)


# The bundled models are what their recipe says.


def test_the_recipe_begins_as_the_writers_did(monkeypatch):
    """Sixteen updates in place of 165: the recipe writes down the weights at each of its moments."""
    monkeypatch.setattr("labcore.recipes.reasoning_models.MOMENTS", {"early": 2, "late": 4})
    monkeypatch.setattr("labcore.recipes.reasoning_models.TRAINING", replace(TRAINING, steps=4))
    kept = make_writers()
    assert set(kept) == {"early", "late"}
    fresh = Transformer(CONFIG, torch.Generator().manual_seed(0)).state_dict()
    moved = {name: sum((weights[key].float() - fresh[key]).abs().sum() for key in fresh)
             for name, weights in kept.items()}  # fmt: skip
    assert 0 < moved["early"] < moved["late"]
    assert set(load_weights("writer-half")) == set(kept["late"])


@pytest.mark.parametrize(
    ("writer", "low", "high"), [("chance", 0.05, 0.16), ("weak", 0.05, 0.18), ("half", 0.3, 0.5)]
)
def test_the_bundled_writers_are_right_as_often_as_told(writer, low, high):
    questions = draw_questions(400, 12, "sum", torch.Generator().manual_seed(11))
    written = write(load_writer(writer), questions, 1.0, torch.Generator().manual_seed(1))
    assert low < is_right(questions, written).float().mean() < high


def test_the_process_verifier_finds_every_wrong_step_and_the_outcome_verifier_most():
    """As the recipe prints: 1.000 and 0.97 of pairs of a whole chain and one with a wrong step."""
    questions, written = written_chains(400, seed=7)
    whole = step_labels(questions, written).all(dim=1)
    apart = {
        kind: told_apart(chain_scores(judged(load_verifier(kind), questions, written)), whole)
        for kind in KINDS
    }
    assert apart["process"] > 0.995
    assert 0.94 < apart["outcome"] < apart["process"]


def test_training_on_chains_lowers_the_loss():
    questions, written = written_chains(256, seed=3)
    losses = list(
        fit(new_verifier(), "process", questions, written, 3, torch.Generator().manual_seed(0))
    )
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


@pytest.mark.parametrize(
    "load", [load_writer, load_verifier, lambda kind: next(fit(None, kind, None, None, 1, None))]
)
def test_unknown_models_are_refused(load):
    with pytest.raises(LabInputError):
        load("x")


# The recordings say what the page says.


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"reasoning-{name}.safetensors", kind).result


def test_the_outcome_verifier_falls_where_the_process_verifier_rises():
    """With all three seeds: the best of 64 against the best of 8."""
    study = recorded("votes-half", CurvesStudy)
    few, many = (study.counts.tolist().index(n) for n in (8, 64))
    assert (study.accuracy["outcome"][:, many] < study.accuracy["outcome"][:, few] - 0.05).all()
    assert (study.accuracy["process"][:, many] > study.accuracy["process"][:, few] + 0.05).all()
    assert (study.accuracy["majority"][:, many] < study.greedy).all()


@pytest.mark.parametrize("case", ["weak", "chance"])
def test_at_chance_nothing_rises_but_pass_at_n(case):
    study = recorded(f"votes-{case}", CurvesStudy)
    assert study.accuracy["majority"].max() < 0.2
    assert study.accuracy["process"].max() < 0.2
    assert (study.passed[:, -1] > 0.95).all()


def test_steps_can_be_searched_where_chains_cannot():
    study = recorded("steps", StepStudy)
    assert (study.accuracy["weak"][:, -1] > 0.6).all()
    assert (study.accuracy["half"][:, -1] > 0.95).all()
    assert study.accuracy["chance"].max() < 0.3


def test_a_search_of_today_is_near_the_recorded_one():
    """The same seed with the smallest plan, 100 questions; other kernels may turn a draw."""
    today = accuracy(StepSearchConfig("half", "process", 1, 2))
    assert today == pytest.approx(recorded("steps", StepStudy).accuracy["half"][0, 0], abs=0.06)


def test_long_questions_need_steps_and_short_ones_do_not():
    study = recorded("lengths", LengthStudy)
    lengths = study.lengths.tolist()
    assert (study.accuracy["direct"][lengths.index(2)] == 1).all()
    for long in (8, 16):
        assert (study.accuracy["direct"][lengths.index(long)] < 0.65).all()
    assert (study.accuracy["chain"][lengths.index(8)] > 0.95).all()
    assert (study.follows_step[lengths.index(2)] < study.follows_step[lengths.index(8)]).all()


def test_a_study_takes_every_seed(monkeypatch):
    """Two questions, two chains: the shapes of a recording, (S, K) and (S, Q)."""
    small = CurvesConfig(questions=2, samples=2)
    monkeypatch.setattr(
        "labcore.reasoning.cost_study.CurvesConfig", lambda *case, seed: replace(small, seed=seed)
    )
    study = curves(*CASES["half"])
    assert study.accuracy["majority"].shape == (3, 2)
    assert study.right_share.shape == (3, 2)
    assert set(WRITERS) >= {case[0] for case in CASES.values()}


def test_running_sums_end_in_the_answer():
    questions = draw_questions(50, 12, "sum", torch.Generator().manual_seed(0))
    assert (running_sums(questions, "sum")[:, -1] == questions.sum(dim=1) % 10).all()
