"""The watched run: its text, its file, its mysteries, its studies, small enough for a moment."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import hyper_search, monitor, mystery, optimiser_study, resume_study
from labcore.pretraining.corpus import WorldTextConfig, pretraining_text
from labcore.pretraining.fault_study import FaultStudyConfig
from labcore.pretraining.fault_study import run as study_faults
from labcore.pretraining.hyper_search import SearchConfig
from labcore.pretraining.monitor import MonitorConfig
from labcore.pretraining.monitor_text import HELD_OUT_ROWS, STORY_TOKENS, rows_at, text_of
from labcore.pretraining.mystery import MysteryConfig
from labcore.pretraining.optimiser_study import RateConfig, StudyConfig
from labcore.pretraining.pipeline import PipelineConfig, SourceConfig
from labcore.pretraining.resume_study import WAYS, ResumeConfig
from labcore.pretraining.training_text import TrainingTextConfig, training_text
from labcore.training import resume
from labcore.training.faults import FAULTS, blind

SMALL = MonitorConfig(num_layers=2, hidden_size=16, batch_size=4, steps=12, warmup_steps=2)
KEPT = TrainingTextConfig(PipelineConfig(SourceConfig(kilobytes=20)), vocab_size=300, row_tokens=32)


@pytest.fixture(scope="module")
def whole():
    return monitor.run(SMALL)


def test_a_run_is_watched_at_every_step_and_looked_into_now_and_then(whole):
    log = whole.log
    assert log.step.tolist() == list(range(1, 13))
    assert log.activation_rms.shape == (12, 2)
    assert log.loss_nats[0] == pytest.approx(log.uniform_nats, rel=0.05)
    assert np.isfinite(log.validation_nats[-1])
    assert [look.step for look in whole.looks] == [0, 2, 4, 6, 8, 10, 12]
    assert whole.memory_numbers == 2 * whole.parameters
    assert (
        whole.flops_per_token > 5.5 * whole.parameters
    )  # attention's scores make up for the norms


def test_broken_off_and_continued_it_reaches_the_same_weights(whole):
    half = monitor.run(replace(SMALL, stop_after=5))
    assert half.log.step.tolist() == [1, 2, 3, 4, 5]
    assert monitor.config_in(half.checkpoint.tobytes()) == (replace(SMALL, stop_after=5), 5)
    rest = monitor.run(monitor.continued(half.checkpoint.tobytes(), SMALL.steps))
    assert np.array_equal(rest.log.loss_nats, whole.log.loss_nats[5:])
    ends = [resume.read(one.checkpoint.tobytes()).tensors for one in (whole, rest)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_run_that_is_done_may_go_on_but_not_back(whole):
    data = whole.checkpoint.tobytes()
    assert monitor.continued(data, 20).steps == 20
    with pytest.raises(LabInputError, match="steps = 12"):
        monitor.continued(data, 12)


def test_settings_of_every_kind_come_back_from_the_file():
    config = replace(SMALL, corpus=KEPT, clip_norm=None, fault="leak")
    model = torch.nn.Linear(2, 2)
    data = resume.save(model, torch.optim.SGD(model.parameters()), 3, monitor.settings(config))
    assert monitor.config_in(data) == (config, 3)


@pytest.mark.parametrize("settings", [{}, {"steps": "many"}, {"steps": 5}, {"corpus": {"x": 1}}])
def test_a_file_with_other_settings_is_refused(settings):
    model = torch.nn.Linear(2, 2)
    data = resume.save(model, torch.optim.SGD(model.parameters()), 3, settings)
    if settings == {}:  # every setting left out is every setting at its default
        assert monitor.config_in(data)[0] == MonitorConfig()
        return
    with pytest.raises(LabInputError):
        monitor.config_in(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_layers", 0), ("steps", 5), ("learning_rate", math.nan), ("optimiser", "adagrad"),
        ("activation", "tanh"), ("schedule", "step"), ("precision", "fp8"), ("fault", "gremlins"),
        ("micro_batches", 16), ("stop_after", 99), ("clip_norm", 0.0), ("weight_decay", -1.0),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_name(field, value):
    with pytest.raises(LabInputError) as caught:
        replace(SMALL, **{field: value})
    assert caught.value.field == field


# The text.


@pytest.mark.parametrize("languages", ["both", "zh"])
def test_a_batch_follows_from_seed_and_step_alone(languages):
    source = WorldTextConfig(languages, "stories")
    one, other = text_of(source, 4, 7), text_of(source, 4, 8)
    assert torch.equal(one.batch_at(3).tokens, text_of(source, 4, 7).batch_at(3).tokens)
    assert not torch.equal(one.batch_at(3).tokens, one.batch_at(4).tokens)
    assert not torch.equal(one.batch_at(3).tokens, other.batch_at(3).tokens)
    assert one.held_out.tokens.shape == (HELD_OUT_ROWS, STORY_TOKENS)
    assert one.held_out.padding_mask.all()


def test_the_floor_is_what_the_true_source_pays_on_the_held_out_beginnings():
    """Bits that chance decides, counted on text: between the floor of one language and no nats."""
    both, zh = (text_of(WorldTextConfig(name, "stories"), 1, 0) for name in ("both", "zh"))
    assert 0.3 < zh.floor_nats < 0.9
    assert 0.3 < both.floor_nats < 0.9
    known = pretraining_text(WorldTextConfig("zh", "stories")).held_out[0][:3]
    assert zh.opening == known[:2]


def test_rows_of_a_kept_dataset_come_once_an_epoch_each():
    text = training_text(KEPT)
    count, seen = len(text.train), []
    for step in range(1, count + 1):
        seen += rows_at(text, 2, 5, step).tokens.tolist()
    assert len(seen) == 2 * count
    rows = sorted(map(tuple, text.train.tokens.tolist()))
    assert sorted(map(tuple, seen[:count])) == sorted(map(tuple, seen[count:])) == rows


def test_a_kept_dataset_is_trained_on_without_a_floor():
    result = monitor.run(replace(SMALL, corpus=KEPT, steps=10))
    assert result.log.floor_nats is None
    assert result.log.uniform_nats == pytest.approx(
        math.log(training_text(KEPT).tokenizer.vocab_size)
    )
    assert np.isfinite(result.final_nats)


# What is made of runs.


def test_a_mystery_is_the_run_with_the_fault_of_its_number():
    config = MysteryConfig(11)
    assert config.injected == blind(11)
    assert config.monitor() == MonitorConfig(fault=blind(11), seed=11)
    assert MysteryConfig(None, "leak", 4).monitor() == MonitorConfig(fault="leak", seed=4)
    with pytest.raises(LabInputError, match="number = -1"):
        MysteryConfig(-1)


def test_the_run_of_a_mystery_is_the_monitors_own():
    config = MysteryConfig(None, "frozen_layer", 1, steps=10)
    first = next(mystery.mystery(config))
    assert first.step.signals.layer_update_ratio[2] == 0


def test_a_study_of_faults_keeps_a_log_of_each():
    study = study_faults(FaultStudyConfig(("healthy", "frozen_layer"), (3,), SMALL))
    assert study.log("frozen_layer").layer_update_ratio[:, 1].max() == 0
    assert study.log("healthy").layer_update_ratio.dtype == np.float32
    assert len(study.healthy) == 1


def test_one_rate_of_one_optimiser(monkeypatch):
    monkeypatch.setitem(optimiser_study.RATES, "lion", (0.003,))
    study = optimiser_study.study(StudyConfig(("lion",), (0, 1), steps=10))
    assert study.final_nats.shape == (1, 1, 2)
    assert study.loss_nats.shape == (1, 1, 2, 10)
    assert study.memory_share.tolist() == [1.0]
    assert (study.best_rate("lion"), study.width("lion")) == (0.003, 1.0)
    alone = optimiser_study.run(RateConfig("lion", 0.003, 10, 1))
    assert alone.final_nats == study.final_nats[0, 0, 1]


def test_a_study_knows_its_best_rate_and_its_width():
    """Medians 3, 1, 1.4, 2: best at the second rate, 0.8 more is allowed up to the third, 10 / 3 apart."""
    nats = np.array([[[3.0, 3, 3], [1, 1, 1], [1.4, 1.4, 9], [2, 2, 2]]])
    blank = {field.name: None for field in fields(optimiser_study.StudyResult)}
    study = optimiser_study.StudyResult(
        **blank | {
            "optimisers": ["sgd"], "rates": np.array([[1.0, 3, 10, 30]]), "final_nats": nats,
        }
    )  # fmt: skip
    assert study.best_rate("sgd") == 3
    assert study.width("sgd") == pytest.approx(10 / 3)


def test_going_on_with_everything_is_exact_and_with_less_is_not():
    events = []
    config = ResumeConfig(steps=20, stop_after=10)
    result = drain(resume_study.resume_study(config), events.append)
    assert result.apart[0] == 0
    assert (result.apart[1:] > 0.01).all()
    assert result.final_nats[0] == result.final_nats[-1]
    assert np.array_equal(result.loss_nats[0, 10:], result.unbroken_nats[10:])
    assert np.isnan(result.loss_nats[:, :10]).all()
    assert {event.way for event in events} == {"unbroken", *WAYS}
    assert events[-1].share == 1.0
    # The first batch after the break is met by the same weights, whatever else was lost.
    assert result.loss_nats[1, 10] == result.unbroken_nats[10]
    # Weights once, means once, squares once; headers and counters are small.
    assert result.memory_bytes / result.file_bytes == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("stop", [0, 20])
def test_a_break_must_lie_within_the_run(stop):
    with pytest.raises(LabInputError, match="stop_after"):
        ResumeConfig(steps=20, stop_after=stop)


@pytest.fixture
def brief(monkeypatch):
    """Trials of a smaller model."""

    def suggested(asked, config):
        return replace(kept(asked, config), num_layers=1, hidden_size=16, batch_size=2)

    monkeypatch.setattr(hyper_search, "LOOKS", 3)
    kept = hyper_search.suggested
    monkeypatch.setattr(hyper_search, "suggested", suggested)


@pytest.mark.parametrize("sampler", hyper_search.SAMPLERS)
def test_a_search_is_the_same_twice_and_within_its_bounds(brief, sampler):
    config = SearchConfig(("adamw", "lion"), trials=4, steps=20, sampler=sampler, seed=3)
    first, second = hyper_search.run(config), hyper_search.run(config)
    assert [t.learning_rate for t in first.trials] == [t.learning_rate for t in second.trials]
    assert all(1e-3 <= trial.learning_rate <= 1e-1 for trial in first.trials)
    whole = [trial for trial in first.trials if not trial.cut]
    assert first.trials[first.best].final_nats == min(trial.final_nats for trial in whole)
    assert first.updates == sum(trial.looks[-1] for trial in first.trials)


def test_poor_trials_are_cut_after_a_third_and_never_without_pruning(brief):
    """Rates from far too small to good: with the median rule some trial ends early."""
    config = SearchConfig(lowest_rate=1e-6, highest_rate=3e-2, trials=9, steps=24, seed=1)
    cut = [trial for trial in hyper_search.run(config).trials if trial.cut]
    assert cut
    assert {trial.number for trial in cut} - set(range(hyper_search.FIRST_RANDOM))
    assert all(8 <= trial.looks[-1] < 24 for trial in cut)
    free = hyper_search.run(replace(config, prune=False, trials=4))
    assert not any(trial.cut for trial in free.trials)


@pytest.mark.parametrize(
    ("field", "value"),
    [("trials", 1), ("optimisers", ()), ("optimisers", ("x",)), ("sampler", "grid"), ("steps", 5)],
)
def test_a_search_refuses_what_it_cannot_do(field, value):
    with pytest.raises(LabInputError):
        SearchConfig(**{field: value})
    with pytest.raises(LabInputError, match="highest_rate"):
        SearchConfig(lowest_rate=0.1, highest_rate=0.01)


def test_every_fault_can_be_asked_for():
    for fault in FAULTS:
        assert MonitorConfig(fault=fault).fault == fault
