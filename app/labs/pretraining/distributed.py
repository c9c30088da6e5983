"""Really distributed: one training in several processes, held to the same training in one."""

from app.labs.pretraining import (
    distributed_equal,
    distributed_pipeline,
    distributed_resume,
    distributed_run,
    distributed_traffic,
)
from app.page import LabPage
from labcore.distributed.communication import ring_bytes
from labcore.distributed.launch import lines
from labcore.distributed.parallel_cost import expected_sent
from labcore.distributed.parallel_run import apart, compare
from labcore.distributed.parallel_training import descend, loss_weight, my_rows
from labcore.distributed.parallel_ways import spread, tensor_plan

SHOWN = (
    spread, tensor_plan, my_rows, loss_weight, descend, lines, compare, apart, expected_sent, ring_bytes,
)  # fmt: skip

PARTS = {
    "run": distributed_run.draw,
    "equal": distributed_equal.draw,
    "traffic": distributed_traffic.draw,
    "resume": distributed_resume.draw,
    "pipeline": distributed_pipeline.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "run")
    page.caption(f"part.{part}")
    PARTS[part](page)
