"""Instruction tuning: a template, a run on the small model, mistakes over several seeds, a real model."""

from app.labs.alignment import sft_mistakes, sft_real, sft_run, sft_template
from app.page import LabPage
from labcore.tuning import chat, sft, sft_packing, world_assistant, world_instructions

SHOWN = (
    chat.labels,
    chat.padding_masked,
    sft_packing.logit_change,
    world_instructions.ask,
    world_assistant.rendered,
    sft.batches,
    sft.is_right,
)

PARTS = {
    "template": sft_template.draw,
    "run": sft_run.draw,
    "mistakes": sft_mistakes.draw,
    "real": sft_real.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "template")
    page.caption(f"part.{part}")
    PARTS[part](page)
