"""Parallel training taken apart in one process: shares of rows and losses, bytes, formulas, commands."""

import socket
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch

from labcore.distributed import parallel_checkpoint, real_pipeline, wire
from labcore.distributed.launch import (
    Launch,
    cluster_arguments,
    local_arguments,
    options_for,
    spelled,
)
from labcore.distributed.launch_log import Log
from labcore.distributed.meeting import Place
from labcore.distributed.parallel_config import BUGS, PROCESSES, WAYS, ParallelConfig
from labcore.distributed.parallel_cost import expected_held, expected_sent
from labcore.distributed.parallel_run import RunConfig, apart, rounding
from labcore.distributed.parallel_study import recorded_cases
from labcore.distributed.parallel_training import (
    descend,
    fresh_model,
    loss_weight,
    my_rows,
    rows_of_step,
    train,
    whole_gradients,
    whole_weights,
)
from labcore.distributed.parallel_ways import make_optimizer, spread, tensor_plan
from labcore.distributed.recovery import RecoveryConfig
from labcore.errors import LabInputError
from labcore.recipes import pretrain

SMALL = ParallelConfig(rows=4, hidden_size=16, steps=4, precision="float64")


def averaged_gradients(config: ParallelConfig, ways: int) -> dict[str, torch.Tensor]:
    """What DDP makes of the processes' gradients, made here one process after another."""
    rows = rows_of_step(config, 1)
    total: dict[str, torch.Tensor] = {}
    for rank in range(ways):
        model = fresh_model(config)
        descend(model, rows, config, Place(rank, ways))
        for name, gradient in whole_gradients(model).items():
            total[name] = total.get(name, 0) + gradient / ways
    return total


@pytest.mark.parametrize("ways", [2, 4])
def test_the_mean_of_all_gradients_is_that_of_the_whole_batch(ways):
    """(1/p) Σ_r ∇(p/n · Σ losses of r) = ∇(1/n · Σ all losses): exact but for rounding, here in double."""
    one = averaged_gradients(SMALL, 1)
    assert apart(averaged_gradients(SMALL, ways), one).max() < 1e-12


@pytest.mark.parametrize(
    ("bug", "low", "high"),
    [("mean_of_means", 1e-4, 0.5), ("not_averaged", 0.999, 1.001), ("same_data", 0.1, 10)],
)
def test_each_bug_is_wrong_by_as_much_as_it_must_be(bug, low, high):
    """Twice the gradient is 100 % off in every tensor; a mean of means as much as the shares differ."""
    one = averaged_gradients(SMALL, 1)
    assert low < apart(averaged_gradients(replace(SMALL, bug=bug), 2), one).max() < high


def test_a_process_weighs_its_losses_by_the_targets_of_all():
    """Two processes with 3 and 5 targets: each sums its losses times 2/8; the mean of both is Σ/8.

    A mean of means would give a token of the first 1/(2·3) of the whole instead of 1/8.
    """
    first = Place(0, 2)
    assert loss_weight(ParallelConfig(), first, 3, 8) / 2 == pytest.approx(1 / 8)
    wrong = ParallelConfig(bug="mean_of_means")
    assert loss_weight(wrong, first, 3, 8) / 2 == pytest.approx(1 / 6)
    assert loss_weight(ParallelConfig(bug="not_averaged"), first, 3, 8) / 2 == pytest.approx(2 / 8)
    assert loss_weight(ParallelConfig("tp"), first, 8, 8) == pytest.approx(1 / 8)


def test_the_rows_of_a_step_are_dealt_out_without_gap_or_overlap():
    config = ParallelConfig(rows=8)
    rows = rows_of_step(config, 3)
    parts = [my_rows(rows, config, Place(rank, 4)).tokens for rank in range(4)]
    assert torch.equal(torch.cat(parts), rows.tokens)
    assert my_rows(rows, replace(config, way="tp"), Place(1, 4)) is rows
    same = replace(config, bug="same_data")
    assert torch.equal(my_rows(rows, same, Place(3, 4)).tokens, parts[0])
    split = ParallelConfig("tp", bug="split_data", rows=8)
    assert torch.equal(my_rows(rows, split, Place(3, 4)).tokens, parts[3])


def test_rows_depend_on_seed_and_step_alone():
    config = ParallelConfig(rows=2)
    assert torch.equal(rows_of_step(config, 5).tokens, rows_of_step(config, 5).tokens)
    other = rows_of_step(config, 6).tokens, rows_of_step(replace(config, seed=1), 5).tokens
    assert not any(torch.equal(rows_of_step(config, 5).tokens, tokens) for tokens in other)


def test_a_run_cut_in_two_by_a_checkpoint_ends_with_the_same_weights(tmp_path):
    """Bit for bit: the file holds all that the second half depends on."""
    whole = fresh_model(SMALL)
    list(train(whole, make_optimizer(whole, SMALL, None), SMALL, Place()))
    half = fresh_model(SMALL)
    optimizer = make_optimizer(half, SMALL, None)
    for done in train(half, optimizer, SMALL, Place()):
        if done.step == 2:
            parallel_checkpoint.save(tmp_path, half, optimizer, 2)
            break
    resumed = fresh_model(replace(SMALL, seed=9))
    optimizer = make_optimizer(resumed, SMALL, None)
    assert parallel_checkpoint.load(tmp_path, resumed, optimizer) == 2
    list(train(resumed, optimizer, SMALL, Place(), first=3))
    assert apart(whole_weights(resumed), whole_weights(whole)).max() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert parallel_checkpoint.load(tmp_path / "empty", resumed, optimizer) == 0


def test_alone_nothing_is_wrapped():
    model = fresh_model(SMALL)
    assert spread(model, SMALL, None) is model
    assert {"attn.q", "attn.out", "mlp.up", "mlp.down"} < set(tensor_plan())


# Bytes.


def test_the_kernel_counts_what_a_connection_has_carried():
    """A connection of this process to itself: 123,456 bytes one way, 7 the other, both ends known.

    Only Linux counts; elsewhere there is no number rather than a wrong one.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as one,
        closing(server.accept()[0]) as two,
    ):
        one.sendall(bytes(100_000))
        assert len(two.recv(100_000, socket.MSG_WAITALL)) == 100_000
        before = wire.sent_so_far()
        one.sendall(bytes(23_456)), two.sendall(bytes(7))
        after = wire.sent_so_far()
        here, there = one.getsockname()[1], two.getsockname()[1]
    if sys.platform != "linux":
        assert before == after == {}
        return
    assert before[here, there] == 100_000
    assert (after[here, there], after[there, here]) == (123_456, 7)


def test_both_ends_of_a_connection_tell_who_spoke_to_whom():
    """Three processes in a ring, each with a listening port that its left neighbour called."""
    ring = [{(1, 20): 10, (10, 3): 1}, {(20, 1): 2, (2, 30): 20}, {(30, 2): 3, (3, 10): 30}]
    assert wire.who_to_whom(ring) == [[0, 10, 1], [2, 0, 20], [30, 3, 0]]
    assert wire.who_to_whom([{(1, 2): 9}, {}]) == [[0, 0], [0, 0]]


def test_the_formulas_of_traffic_by_hand():
    """N = 221,824 numbers of 4 bytes = 887,296. Two processes: an all-reduce sends 2·(1/2)·N, ZeRO-3 1.5
    times that. Four: 2·(3/4)·N. Tensor parallelism, 16 rows of 60: 4 sums in each of 2 layers, each of
    16·60·64·4 = 245,760 bytes."""

    def sent(way, ways):
        return expected_sent(ParallelConfig(way), ways, 1920, 16 * 60)

    assert sent("ddp", 2) == sent("zero1", 2) == sent("zero2", 2) == 887_296
    assert sent("zero3", 2) == 1.5 * 887_296
    assert sent("ddp", 4) == 1.5 * 887_296
    assert sent("tp", 2) == 8 * 245_760
    assert sent("tp", 1) == sent("ddp", 1) == 0


def test_the_formulas_of_memory_by_hand():
    """4 bytes a weight, 4 a gradient, 8 for Adam's two moments; 98,304 of 221,824 weights can be cut by
    tensor parallelism: two layers of 12·64²."""
    n, cut = 221_824, 2 * 12 * 64**2
    assert expected_held(ParallelConfig("ddp"), 2, 1920) == [4 * n, 4 * n, 8 * n]
    assert expected_held(ParallelConfig("zero1"), 4, 1920) == [4 * n, 4 * n, 2 * n]
    assert expected_held(ParallelConfig("zero3"), 4, 1920) == [n, n, 2 * n]
    mine = n - cut + cut / 2
    assert expected_held(ParallelConfig("tp"), 2, 1920) == [4 * mine, 4 * mine, 8 * mine]
    double = ParallelConfig("zero2", precision="float64", optimizer="sgd")
    assert expected_held(double, 2, 1920) == [4 * n, 4 * n, 0]


# Words for torchrun.


def test_options_come_back_as_the_same_runs():
    """What the launcher writes, the recipe reads: for one run, and for several that differ."""
    several = [
        ParallelConfig(),
        ParallelConfig("zero3", 7, "same_data", "float64", "sgd", "backend", 2, 3, 8, 32, 1, 5),
    ]
    for configs in ([several[1]], several, [several[0]]):
        options = pretrain.parser().parse_args([*options_for(*configs), "--out", "x"])
        assert pretrain.configs(options) == configs


def test_the_command_for_a_cluster_runs_the_same_recipe():
    launch = RunConfig(ParallelConfig("zero3", steps=50)).launch()
    here, there = local_arguments(launch, "runs"), cluster_arguments(launch, 2, 8)
    recipe = ["-m", "labcore.recipes.pretrain", "--way", "zero3", "--steps", "50", "--out"]
    for arguments in (here, there):
        at = arguments.index("-m")
        assert arguments[at : at + len(recipe)] == recipe
    assert spelled(there).startswith("torchrun --nnodes 2 --nproc-per-node 8 ")


def test_a_list_that_fits_no_number_of_runs_is_refused():
    options = pretrain.parser().parse_args(
        ["--way", "ddp", "tp", "--seed", "0", "1", "2", "--out", "x"]
    )
    with pytest.raises(LabInputError, match="one_or_all"):
        pretrain.configs(options)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: ParallelConfig("pipeline"), "known_choice"),
        (lambda: ParallelConfig("tp", bug="no_sync"), "known_choice"),
        (lambda: ParallelConfig("zero2", bug="no_sync"), "known_choice"),
        (lambda: ParallelConfig(precision="float16"), "known_choice"),
        (lambda: ParallelConfig(steps=0), "between"),
        (lambda: ParallelConfig(steps=5, die_at=6), "between"),
        (lambda: ParallelConfig(checkpoint_every=-1), "between"),
        (lambda: Launch(3), "known_choice"),
        (lambda: RunConfig(processes=0), "known_choice"),
        (lambda: RecoveryConfig(ParallelConfig()), "between"),
        (lambda: RecoveryConfig(ParallelConfig(steps=5, die_at=5)), "between"),
        (lambda: RecoveryConfig(resume_processes=3), "known_choice"),
        (lambda: RecoveryConfig(resume_way="tpu"), "known_choice"),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_rule(make, rule):
    with pytest.raises(LabInputError, match=rule):
        make()


def test_every_number_of_processes_divides_rows_and_heads():
    for ways in PROCESSES:
        assert ParallelConfig().rows % ways == 0
        assert ParallelConfig().model(8).num_heads % ways == 0


def test_what_is_recorded_covers_every_way_right_and_wrong():
    cases = recorded_cases()
    assert len(set(cases)) == len(cases)
    assert {case.way for case in cases} == set(WAYS) == set(BUGS)
    assert {case.bug for case in cases} == {bug for bugs in BUGS.values() for bug in bugs}


def test_rounding_ends_a_thousand_steps_of_the_precision_above_nothing():
    assert rounding("float32") == 1000 * np.finfo(np.float32).eps
    assert rounding("float64") == 1000 * np.finfo(np.float64).eps


def test_differences_are_shares_of_the_largest_number():
    """|3.0 - 3.3| of 6 is 5 %."""
    theirs = {"a": torch.tensor([3.0, -6.0]), "b": torch.zeros(2)}
    ours = {"a": torch.tensor([3.3, -6.0]), "b": torch.zeros(2)}
    np.testing.assert_allclose(apart(ours, theirs), [0.05, 0.0], rtol=1e-6)


def test_the_log_puts_lines_in_order_whenever_they_come():
    """Two processes of one run: (2·1.0 + 6·2.0) nats over 8 targets = 1.75."""
    log = Log(2)
    line = {"event": "step", "run": 0, "step": 1, "attempt": 0}
    log.note(None)
    log.note(line | {"rank": 1, "loss_sum": 12.0, "targets": 6, "sent": [[9, 5, 30]]})
    assert not log.has(0, 1)
    log.note(line | {"rank": 0, "loss_sum": 2.0, "targets": 2, "sent": [[5, 9, 70]]})
    assert log.has(0, 1)
    assert log.rank_nats(0, 1) == [1.0, 2.0]
    assert log.nats(0, 1) == 1.75
    joined = {"event": "joined", "run": 0, "attempt": 0}
    log.note(joined | {"rank": 0, "sent": [[5, 9, 20]]})
    log.note(joined | {"rank": 1, "sent": [[9, 5, 10]]})
    assert log.sent_bytes(0, 1).tolist() == [[[0, 50], [20, 0]]]


# A pipeline's clocks.


def test_clocks_laid_side_by_side_give_the_idle_share():
    """Two stages, one micro-batch: 10 + 20 ms on each, one after the other, 5 ms for each message.

    Stage 0: F 0-10, B 50-70. Stage 1: F 15-25, B 25-45. In all 70 ms, 60 of 2 · 70 are work.
    """
    told = {
        1: [["F", 0, 100.015, 100.025], ["B", 0, 100.025, 100.045]],
        0: [["F", 0, 100.0, 100.010], ["B", 0, 100.050, 100.070]],
    }
    timeline = real_pipeline.side_by_side(told).timeline
    assert timeline.total_ms == pytest.approx(70)
    np.testing.assert_allclose(timeline.busy_ms, [30, 30])
    assert timeline.bubble_share == pytest.approx(1 - 60 / 140)
    assert timeline.kind.tolist() == ["F", "F", "B", "B"]
    assert timeline.held.tolist() == [1, 1]


@pytest.mark.parametrize(("kinds", "most"), [("FFBB", 2), ("FBFB", 1), ("FFBFBB", 2), ("F", 1)])
def test_how_many_micro_batches_wait_is_counted_from_the_passes(kinds, most):
    assert real_pipeline.most_waiting(np.array(list(kinds)) == "B") == most
