"""The curve clinic, is my curve normal? Nine patients, a log of one's own, and how good the rules are."""

from app.labs.pretraining import clinic_own, clinic_pairs, clinic_table
from app.page import LabPage
from labcore.training import diagnosis, diagnosis_course, diagnosis_rules
from labcore.training.curves import noise_of
from labcore.training.log_columns import choose
from labcore.training.log_files import log_of

SHOWN = (
    diagnosis.diagnose, diagnosis_rules.leak, diagnosis_rules.by_heart, diagnosis_rules.rate_too_high,
    diagnosis_course.spikes, noise_of, choose, log_of,
)  # fmt: skip

PARTS = {"pairs": clinic_pairs.draw, "own": clinic_own.draw, "table": clinic_table.draw}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "pairs")
    PARTS[part](page)
