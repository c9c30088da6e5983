"""Three students of one teacher: what must agree, what it costs, and what was recorded over three seeds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from app import results
from labcore.compression import dark_knowledge, distil_run
from labcore.compression.distil_run import DistilConfig, DistilResult, distil
from labcore.compression.distil_study import AMOUNTS, TAUGHT, DistilStudy
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.counting import flops_total
from labcore.pretraining.small_world import PAD
from labcore.training.objectives import causal_batch
from labcore.tuning import teller

SHORT = {"steps": 20, "passages": 64}


@pytest.fixture(scope="module")
def study() -> DistilStudy:
    """Both recordings in one."""
    amounts, lessons = (
        results.load(results.RECORDINGS / f"distillation-{name}.safetensors", DistilStudy).result
        for name in ("amounts", "lessons")
    )
    return replace(amounts, courses=amounts.courses | lessons.courses)


@pytest.fixture(scope="module")
def recorded() -> DistilResult:
    path = results.RECORDINGS / "distillation-default.safetensors"
    return results.load(path, DistilResult).result


# A run.


def test_a_teacher_without_a_share_teaches_nothing():
    """At weight 0 the taught student makes the very steps of the one alone: same start, same batches."""
    result = drain(distil(DistilConfig(weight=0.0, **SHORT), ("distilled", "alone")))
    taught, alone = result.of("distilled")[-1], result.of("alone")[-1]
    assert taught.nats == pytest.approx(alone.nats, abs=1e-3)
    assert taught.agreement == pytest.approx(alone.agreement, abs=0.01)


def test_the_same_seed_runs_the_same_way_and_another_does_not():
    ends = [
        drain(distil(DistilConfig(seed=seed, match="all", **SHORT), ("distilled",))).looks[-1].nats
        for seed in (3, 3, 4)
    ]
    assert ends[0] == ends[1] != ends[2]


@pytest.mark.parametrize("match", distil_run.MATCHES)
def test_what_is_matched_adds_to_the_lesson_and_is_learnt_from(match):
    """A student that is the teacher has nothing to learn from logits; a fresh one has, in every part."""
    teacher = teller.load_teller().eval().requires_grad_(False)
    batch = causal_batch(teller.rows(teller.held_out_passages()[:4]), PAD)
    told = teacher(batch.tokens, trace=True)
    student = distil_run.new_student(0)
    projection = distil_run.new_projection(0)
    loss = distil_run.lesson(
        DistilConfig(match=match), student(batch.tokens, trace=True), told, batch, projection
    )
    loss.backward()
    assert (projection.weight.grad is not None) == (match in ("hidden", "all"))
    assert all(weight.grad is not None for weight in student.parameters())
    if match == "logits":
        same = distil_run.lesson(DistilConfig(), told, told, batch, projection)
        assert same.item() == pytest.approx(0, abs=1e-6)
        assert loss.item() > 1


@pytest.mark.parametrize(
    "bad",
    [{"temperature": 0}, {"temperature": float("nan")}, {"weight": 1.1}, {"direction": "up"},
     {"match": "mind"}, {"passages": 1}, {"steps": 0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        DistilConfig(**bad)


# What it costs.


def test_both_get_the_same_arithmetic():
    """A taught step: three forward passes' worth of the student and one of the teacher."""
    small, large = (flops_total(c, distil_run.LENGTH) for c in (distil_run.STUDENT, teller.CONFIG))
    ratio = 1 + large / (3 * small)
    assert distil_run.step_flops(True) / distil_run.step_flops(False) == pytest.approx(ratio)
    steps = distil_run.steps_of("compute", 300)
    spent = steps * distil_run.step_flops(False)
    assert spent == pytest.approx(300 * distil_run.step_flops(True), rel=1e-3)


def test_kept_logits_cost_less_and_at_least_the_student_alone():
    config = DistilConfig(passages=500)
    kept = distil_run.kept_flops(config)
    assert config.steps * distil_run.step_flops(False) < kept
    assert kept < config.steps * distil_run.step_flops(True)


# One token.


def test_the_worlds_opinion_is_a_distribution_that_knows_what_came():
    for passage in (0, 1):
        row = dark_knowledge.told_rows()[passage]
        truth = dark_knowledge.exact(passage)
        assert truth.sum(axis=1) == pytest.approx(np.ones(len(row)), abs=1e-6) or (
            truth[:-1].sum(axis=1) == pytest.approx(np.ones(len(row) - 1), abs=1e-6)
        )
        assert all(truth[place - 1, row[place]] > 0 for place in range(1, len(row)))


def test_divergence_by_hand():
    """KL((½, ½, 0) ‖ (¼, ½, ¼)) = ½ ln 2."""
    truth, said = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert dark_knowledge.divergence(truth, said) == pytest.approx(0.5 * np.log(2))


def test_heat_flattens_the_teacher_and_nobody_else(recorded):
    cool, hot = (
        dark_knowledge.look(dark_knowledge.DarkConfig(temperature=t), recorded.weights)
        for t in (1.0, 8.0)
    )
    assert hot.entropy_nats["teacher"] > cool.entropy_nats["teacher"] + 0.5
    for name in ("world", "distilled", "alone"):
        assert np.array_equal(cool.shares[name], hot.shares[name])
    assert cool.divergence_nats == hot.divergence_nats
    assert cool.tokens[cool.came_row] == cool.came


def test_logits_are_softened_as_written():
    logits = torch.tensor([2.0, 0.0])
    assert dark_knowledge.softened(logits, 2.0)[0] == pytest.approx(1 / (1 + np.exp(-1)))


@pytest.mark.parametrize("bad", [{"passage": 12}, {"place": 0}, {"temperature": 0.0}])
def test_places_that_are_not_there_are_refused(bad):
    with pytest.raises(LabInputError):
        dark_knowledge.DarkConfig(**bad)


# What was recorded, over three seeds.


def test_nobody_beats_the_floor(study):
    assert study.floor_nats < study.teacher_nats
    assert all((one.best() > study.teacher_nats).all() for one in study.courses.values())
    assert all(one.last().shape == (3,) for one in study.courses.values())
    assert len(study.courses) == len(TAUGHT) + 3 * len(AMOUNTS)


def test_with_few_passages_the_teacher_helps_in_every_seed(study):
    for passages in (100, 500):
        taught, alone, paid = (
            study.courses[f"passages-{passages} {name}"] for name in distil_run.STUDENTS
        )
        assert taught.last().max() < alone.last().min()
        assert taught.best().max() < paid.best().min()  # even stopped in time


def test_with_many_passages_the_arithmetic_is_better_spent_alone(study):
    taught, _, paid = (study.courses[f"passages-2000 {name}"] for name in distil_run.STUDENTS)
    assert paid.last().max() < taught.last().min()


def test_heat_and_reverse_do_not_help_here(study):
    plain = study.courses["passages-500 distilled"].last()
    for case in ("T-2", "T-4", "reverse"):
        assert study.courses[f"{case} distilled"].last().min() > plain.max()
