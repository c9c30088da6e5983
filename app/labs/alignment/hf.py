"""The Hugging Face way: the ecosystem's script run from the page, beside our code, and in four bits."""

from app.labs.alignment import hf_beside, hf_levels, hf_qlora, hf_train
from app.page import LabPage
from labcore.tuning import hf_beside as beside
from labcore.tuning import hf_run, nf4, nf4_study, script_process

SHOWN = (
    hf_run.fine_tune, script_process.lines, beside.our_batch, beside.our_loss, beside.lora_gradients,
    nf4.levels, nf4.quantise, nf4.dequantise, nf4.through_eight_bits, nf4_study.rounding_error,
)  # fmt: skip

PARTS = {
    "train": hf_train.draw,
    "beside": hf_beside.draw,
    "levels": hf_levels.draw,
    "qlora": hf_qlora.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "train")
    page.caption(f"part.{part}")
    PARTS[part](page)
