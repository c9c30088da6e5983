"""All wards of the zoo, what lies behind a patient's number, and one test of one patient.

The number of a patient gives the bug, or none, and the seed, so that everybody with the same number examines
the same patient.
"""

import torch

from labcore.bugs import (
    asked,
    chat_rows,
    corrections,
    counting,
    inside,
    rewards,
    short_run,
    smaller,
    updates,
    writing,
)
from labcore.bugs.case import HEALTHY, Bug, Reading, Ward
from labcore.configs import lab_config
from labcore.errors import LabInputError

# In the order of the course.
WARDS: tuple[Ward, ...] = tuple(
    module.WARD
    for module in (
        inside, asked, short_run, updates, chat_rows, corrections, rewards, writing, smaller, counting
    )
)  # fmt: skip
BUGS: tuple[Bug, ...] = tuple(bug for ward in WARDS for bug in ward.bugs)
LAST_PATIENT = 99


@lab_config
class Examination:
    """One test of one patient."""

    ward: str
    test: str
    bug: str = HEALTHY
    seed: int = 0

    def __post_init__(self):
        if self.ward not in {ward.id for ward in WARDS}:
            raise LabInputError("ward", self.ward, "known_choice")
        ward = ward_of(self.ward)
        if self.test not in {test.id for test in ward.tests}:
            raise LabInputError("test", self.test, "known_choice")
        if self.bug not in (HEALTHY, *(bug.id for bug in ward.bugs)):
            raise LabInputError("bug", self.bug, "known_choice")


def ward_of(id: str) -> Ward:
    return next(ward for ward in WARDS if ward.id == id)


def home_of(bug: str) -> Ward:
    """The ward that a bug lives in."""
    return next(ward for ward in WARDS for one in ward.bugs if one.id == bug)


def hidden(ward: str, number: int) -> str:
    """What patient `number` of a ward has: one of its bugs, or nothing, all alike."""
    if not 1 <= number <= LAST_PATIENT:
        raise LabInputError("patient", number, "between", low=1, high=LAST_PATIENT)
    found = ward_of(ward)
    generator = torch.Generator().manual_seed(1000 * WARDS.index(found) + number)
    ids = (HEALTHY, *(bug.id for bug in found.bugs))
    return ids[int(torch.randint(len(ids), (), generator=generator))]


def examine(config: Examination) -> Reading:
    ward = ward_of(config.ward)
    return ward.test(config.test).measure(ward.patient(config.bug), config.seed)
