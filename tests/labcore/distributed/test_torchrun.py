"""Real processes: torchrun starts two, everything on the loopback interface, nothing left behind.

Starting two processes costs some seconds, most of them for importing PyTorch, so each launch proves much.
All waits are generous: a machine that is busy makes a launch slow, never wrong.
"""

import subprocess
import sys
from contextlib import closing

import numpy as np
import psutil
import pytest
from torch import nn

from labcore.distributed import parallel_checkpoint, parallel_study, recovery
from labcore.distributed.launch import ROOT, Launch, last_words, lines, options_for
from labcore.distributed.launch_log import Log
from labcore.distributed.meeting import Place
from labcore.distributed.parallel_config import WAYS, ParallelConfig
from labcore.distributed.parallel_run import rounding
from labcore.distributed.parallel_study import Case, StudyConfig
from labcore.distributed.parallel_training import fresh_model, train
from labcore.distributed.parallel_ways import make_optimizer
from labcore.distributed.real_pipeline import MODULE, side_by_side
from labcore.distributed.recovery import RecoveryConfig
from labcore.distributed.schedules import order_of_passes
from labcore.distributed.stage import fresh_stage, whole_batch
from labcore.distributed.worker import folder_of
from labcore.model.trace import Probe

PATIENCE_SECONDS = 120.0
BACKEND = [Case(way, reduce_scatter="backend") for way in ("zero2", "zero3")]
DOUBLE = [Case(way, precision="float64") for way in ("ddp", "zero3", "tp")]
WRONG = [Case("ddp", "no_sync"), Case("tp", "no_sum")]


@pytest.fixture(scope="module")
def study():
    """All ways in one launch of two processes, two steps each."""
    cases = (*(Case(way) for way in WAYS), *DOUBLE, *BACKEND, *WRONG)
    return parallel_study.run(StudyConfig(cases, seeds=(0,), steps=2))


def test_every_way_is_the_training_of_a_single_process(study):
    """Gradients of the first step: equal but for the order of adding, which double precision proves."""
    for way in WAYS:
        assert study.gradient_apart[study.at(way=way)] < 1e-5
        assert abs(study.loss_apart[study.at(way=way)]) < 1e-4
    for case in DOUBLE:
        assert study.gradient_apart[study.cases.index(case)] < 1e-13
        assert study.weight_apart[study.cases.index(case)] < 1e-10


def test_a_bug_is_larger_than_any_rounding(study):
    for case in WRONG:
        assert study.gradient_apart[study.cases.index(case)] > 100 * rounding("float32")


def test_what_was_sent_is_what_the_formula_says(study):
    """Headers and small talk come on top: less than one per cent of 0.9 MB.

    PyTorch's ZeRO-1 sums whole gradients and then sends weights: (2 + 1)·(p-1)/p instead of 2·(p-1)/p. Gloo
    has no reduce-scatter and sums everywhere: 2 + 1 halves instead of 1 + 1, and 2 + 2 instead of 1 + 2.
    """
    if sys.platform != "linux":  # nobody counts
        assert not study.sent_bytes.any()
        return
    ratio = (study.sent_bytes / study.expected_bytes)[:, 0]
    for way in ("ddp", "zero2", "zero3", "tp"):
        assert 1 <= ratio[study.at(way=way)] < 1.01
    assert 1.5 <= ratio[study.at(way="zero1")] < 1.52
    assert 1.5 <= ratio[study.at(way="zero2", reduce_scatter="backend")] < 1.52
    assert 4 / 3 <= ratio[study.at(way="zero3", reduce_scatter="backend")] < 1.35


def test_what_a_process_holds_is_what_the_formula_says(study):
    """To the byte, but for Adam's counters of steps. ZeRO-1 deals out whole tensors, so that somebody has
    more than half: the token embedding alone is 55 % of the model."""
    extra = study.held_bytes - study.expected_held
    for way in ("ddp", "zero2", "zero3", "tp"):
        weights, gradients, states = extra[study.at(way=way)]
        assert weights == gradients == 0
        assert 0 < states < 100
    share = study.held_bytes[study.at(way="zero1"), 2] / study.held_bytes[study.at(way="ddp"), 2]
    assert 0.55 < share < 0.56


def test_a_killed_run_goes_on_from_its_checkpoint_and_ends_the_same():
    """To the last bit: torchrun starts both processes again, and numbers are added in the same order."""
    killed = ParallelConfig("zero3", steps=5, checkpoint_every=2, die_at=3)
    result = recovery.run(RecoveryConfig(killed, resume_way="zero3"))
    assert result.checkpoint_step == 2
    assert len(result.before_nats) in (2, 3)  # the neighbour may have died before it could report
    assert result.worst == 0
    np.testing.assert_array_equal(result.after_nats, result.undisturbed_nats[2:])


# Nothing is left behind.


def relatives(launcher: psutil.Process) -> list[psutil.Process]:
    return launcher.children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all of them have ended, within the time that a busy machine may take."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    return not alive


def test_a_run_goes_on_spread_another_way_and_ends_with_whoever_started_it(tmp_path):
    """A single process trains for two steps and writes a checkpoint; two processes go on under ZeRO-3.

    The loss of step 3 shows that the weights have come along, that of step 4 Adam's states. Then the
    generator is closed, and when `close` returns no process is left.
    """
    config = ParallelConfig("zero3", steps=200)
    model = fresh_model(config)
    optimizer = make_optimizer(model, config, None)
    steps = train(model, optimizer, config, Place())
    next(steps), next(steps)
    parallel_checkpoint.save(folder_of(tmp_path / "runs", 0), model, optimizer, 2)
    alone = [done.loss_sum / done.targets for done in (next(steps), next(steps))]
    before, log = set(relatives(psutil.Process())), Log(2)
    with closing(lines(Launch(2, options_for(config)), tmp_path)) as news:
        for line in news:
            log.note(line)
            if log.has(0, 4):
                break
        started = [one for one in relatives(psutil.Process()) if one not in before]
        assert len(started) >= 3  # torchrun and two processes
    assert not any(process.is_running() for process in started)
    assert [log.joined[0, rank]["after_step"] for rank in (0, 1)] == [2, 2]
    np.testing.assert_allclose([log.nats(0, 3), log.nats(0, 4)], alone, rtol=1e-5)


def test_a_launcher_that_is_killed_takes_its_processes_along(tmp_path):
    """SIGKILL leaves the launcher no time for anything: the processes notice that their input has closed."""
    script = (
        "from pathlib import Path\n"
        "from labcore.distributed.launch import *\n"
        f"launch = Launch(1, options_for({ParallelConfig(steps=200, rows=4, hidden_size=16)!r}))\n"
        f"for line in lines(launch, Path({str(tmp_path)!r})):\n"
        "    print(line, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert any("joined" in line for line in launcher.stdout)
        started = relatives(psutil.Process(launcher.pid))
        assert len(started) >= 2  # torchrun and its process
        launcher.kill()
    assert gone(started)


def test_what_went_wrong_is_told_in_the_process_s_own_words(tmp_path):
    """Of all that two processes and torchrun wrote: the first exception that is not a consequence."""
    (tmp_path / "errors.txt").write_text(
        "[rank1]: Traceback (most recent call last):\n"
        '[rank1]:     raise LabInputError("way", way, "known_choice")\n'
        "[rank1]: labcore.errors.LabInputError: way = 'sideways': known_choice\n"
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
    )
    assert last_words(tmp_path) == "labcore.errors.LabInputError: way = 'sideways': known_choice"
    (tmp_path / "errors.txt").write_text("")
    assert last_words(tmp_path) == "the processes ended early"


# A real pipeline.


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """{micro-batches: {stage: report}} of two stages under 1F1B, each cut timed once."""
    launch = Launch(2, ("--schedule", "1f1b", "--micro-batches", "1", "4"), module=MODULE)
    told = {1: {}, 4: {}}
    for line in lines(launch, tmp_path_factory.mktemp("pipeline")):
        if line:
            told[line["micro_batches"]][line["rank"]] = line
    return told


def test_a_pipeline_computes_what_the_whole_stack_does(pipeline):
    """Two stages after one another in one process, without any cut: the same gradients."""
    stages = [fresh_stage(stage) for stage in range(2)]
    x = whole_batch()
    for stage in stages:
        x, _ = stage(x, Probe({}, None))
    (x - whole_batch()).pow(2).mean().backward()
    norms = [float(nn.utils.get_total_norm([w.grad for w in s.parameters()])) for s in stages]
    for reports in pipeline.values():
        told = [reports[stage]["gradient_norm"] for stage in range(2)]
        np.testing.assert_allclose(told, norms, rtol=1e-5)


def test_stages_work_down_the_planned_list_and_nothing_begins_before_its_input_exists(pipeline):
    """All clocks are one clock: a forward pass ends on stage 0 before it begins on stage 1, a backward
    pass the other way round."""
    reports = pipeline[4]
    when = {}
    for stage in range(2):
        passes = reports[stage]["passes"]
        order = [(one.kind, one.micro_batch) for one in order_of_passes("1f1b", stage, 2, 4)]
        assert [(kind, j) for kind, j, *_ in passes] == order
        when |= {(stage, kind, j): (began, ended) for kind, j, began, ended in passes}
    for j in range(4):
        assert when[0, "F", j][1] <= when[1, "F", j][0]
        assert when[1, "B", j][1] <= when[0, "B", j][0]
    timeline = side_by_side({stage: reports[stage]["passes"] for stage in range(2)}).timeline
    assert timeline.held.tolist() == [2, 1]  # p - s under 1F1B
    assert 0 < timeline.bubble_share < 1
