"""The sweep: its points lie on the budgets, and are the same wherever the runs happen."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

from labcore.errors import LabInputError
from labcore.recipes import scaling_sweep
from labcore.scaling import runs, sweep
from labcore.scaling.runs import RunConfig
from labcore.scaling.sweep import SweepConfig

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tiny(monkeypatch) -> SweepConfig:
    """Two sizes of a few thousand parameters, two to six steps each."""
    monkeypatch.setattr(sweep, "FEWEST_STEPS", 2)
    return SweepConfig((8, 12), (0.025, 0.06), seeds=(0, 1))


@contextmanager
def two_workers(folder: Path):
    """A scheduler in this process and two processes that work for it."""
    with LocalCluster(
        n_workers=0, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        command = [
            sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address,
            "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder),
        ]  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        workers = [subprocess.Popen(command, env=environment, cwd=ROOT) for _ in range(2)]
        try:
            yield cluster.scheduler_address
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def test_a_worker_killed_in_the_middle_costs_no_result(tmp_path, monkeypatch, tiny):
    """Of six runs the first waits for its death: once another result is there, its process is killed.

    All six come back, equal to the last bit to those of this process. Then a whole sweep by way of the one
    setting, on the worker that is left.
    """
    tasks = [RunConfig(8, (2, 3), seed=seed) for seed in range(6)]

    def fragile(task: RunConfig):
        mark = tmp_path / "begun"
        if task.seed == 0 and not mark.exists():
            (tmp_path / "mark").write_text(str(os.getpid()))
            (tmp_path / "mark").rename(mark)
            time.sleep(600)
        return runs.run(task)

    with two_workers(tmp_path) as address, Client(address, set_as_default=False) as client:
        found, killed = {}, None
        for task, points in sweep.carried(fragile, tasks, client):
            found[task] = points
            while killed is None:
                if (tmp_path / "begun").exists():
                    killed = int((tmp_path / "begun").read_text())
                    os.kill(killed, signal.SIGKILL)
                else:
                    time.sleep(0.05)
        assert tasks[0] != next(iter(found))
        assert found == {task: runs.run(task) for task in tasks}

        monkeypatch.setenv(sweep.ADDRESS, address)
        elsewhere = sweep.run(tiny)
    monkeypatch.delenv(sweep.ADDRESS)
    here = sweep.run(tiny)
    for name in scaling_sweep.COLUMNS:
        np.testing.assert_array_equal(getattr(here, name), getattr(elsewhere, name))
    assert elsewhere.cpu_seconds > 0


def test_every_point_lies_on_a_budget():
    """C = 6·N·D up to half a step: the largest of these models takes 29 steps for the smallest budget."""
    for config in (SweepConfig(), sweep.RECORDED, sweep.HELD_OUT):
        for task in sweep.plan(config):
            blocks, _ = runs.sizes(task)
            spent = 6 * blocks * runs.STEP_TOKENS * np.array(task.steps) / 1e9
            off = np.abs(np.log(spent[:, None] / config.gigaflops)).min(axis=1)
            assert off.max() < 0.5 / sweep.FEWEST_STEPS


def test_the_sweep_spans_two_orders_of_magnitude_and_the_held_out_model_goes_beyond():
    sizes = [runs.sizes(task)[0] for task in sweep.plan(sweep.RECORDED)]
    assert min(sizes) == 3576
    assert max(sizes) == 222_144
    assert runs.sizes(sweep.plan(sweep.HELD_OUT)[0])[0] == 445_264


def test_progress_rises_to_the_end_and_results_come_in_the_order_of_the_plan(tiny):
    events = []
    result = sweep.drain(sweep.sweep(tiny), events.append)
    shares = [event.share for event in events]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert result.width.tolist() == [8, 8, 8, 8, 12, 12]
    assert result.seed.tolist() == [0, 0, 1, 1, 0, 1]
    np.testing.assert_allclose(result.flops(), 6.0 * result.blocks * result.tokens)
    assert (result.parameters("all") - result.parameters("blocks") == result.table).all()


def test_the_named_command_writes_the_table(tmp_path, monkeypatch, capsys, tiny):
    monkeypatch.setitem(scaling_sweep.CONFIGS, "live", tiny)
    scaling_sweep.main(["--out", str(tmp_path / "sweep.csv")])
    lines = (tmp_path / "sweep.csv").read_text().splitlines()
    assert lines[0].split(",")[0] == "width"
    assert len(lines) == 7
    assert "100%" in capsys.readouterr().out


@pytest.mark.parametrize(
    "bad",
    [{"widths": ()}, {"gigaflops": ()}, {"gigaflops": (-1.0,)}, {"seeds": ()}, {"exponent": 0.0},
     {"gigaflops": (1e9,)}],
)  # fmt: skip
def test_bad_values_are_refused(bad):
    with pytest.raises(LabInputError):
        SweepConfig(**bad)
