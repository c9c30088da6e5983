"""Encoder, decoder, encoder–decoder: three masks, three questions, and how one learns where to look."""

from app.labs.transformer import families_alignment, families_masks, families_tasks, families_text
from app.page import LabPage
from labcore.architecture import cross_alignment
from labcore.architecture import families_masks as masks
from labcore.architecture import families_tasks as tasks
from labcore.architecture import families_text as one_text
from labcore.model.attention import attention_mask

SHOWN = (
    attention_mask,
    masks.who_sees_whom,
    masks.reach,
    masks.change,
    one_text.ask_for_next,
    one_text.ask_for_hidden,
    tasks.fill_by_rescoring,
    tasks.write_gap_by_gap,
    cross_alignment.found,
    cross_alignment.needed,
)

PARTS = {
    "masks": families_masks.draw,
    "text": families_text.draw,
    "tasks": families_tasks.draw,
    "alignment": families_alignment.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "masks")
    PARTS[part](page)
