"""Masked language modelling: the rule, blanks filled, an encoder trained, and how much to hide."""

from app.labs.pretraining import masked_fill, masked_rule, masked_sweep, masked_train
from app.page import LabPage
from labcore.pretraining import masked_exam
from labcore.pretraining import masked_fill as filling
from labcore.pretraining import masked_rule as rule
from labcore.pretraining import masked_train as training
from labcore.text import mask_units, masking

SHOWN = (
    masking.choose_tokens,
    masking.disguise,
    mask_units.pick_words,
    mask_units.pick_spans,
    rule.questions,
    filling.fill_at_once,
    filling.fill_one_by_one,
    filling.pseudo_log_likelihood,
    masked_exam.mark,
    training.batches,
)

PARTS = {
    "rule": masked_rule.draw,
    "fill": masked_fill.draw,
    "train": masked_train.draw,
    "sweep": masked_sweep.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "rule")
    PARTS[part](page)
