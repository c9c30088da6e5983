"""A run that finds no room on the disk: told as that, and the next one works."""

from app.jobs import JobManager
from labcore.errors import LabInputError
from tests.app.toy_runs import Steps, fill_the_disk, squares


def test_a_run_on_a_full_disk_is_told_as_that_and_the_next_one_works(disk):
    disk.fill()
    jobs = JobManager(inline=True)
    config = Steps(count=8, began=str(disk.folder / "file"))
    error = jobs.submit(fill_the_disk, config).snapshot().error
    assert isinstance(error, LabInputError)
    assert error.rule == "server_disk_full"
    disk.free()
    assert jobs.submit(squares, Steps(4)).snapshot().state == "finished"
