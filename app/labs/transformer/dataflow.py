"""Architecture and data flow: one picture of a model that opens into matrices.

Two ways to use it: walk a sentence of one's own through a real model, or design a model and read its bill.
"""

from app.labs.transformer import dataflow_design, dataflow_walk
from app.page import LabPage
from labcore.architecture import dataflow as lab
from labcore.architecture import lens
from labcore.model import counting, generation

SHOWN = (
    lab.run_model,
    lab.next_token,
    generation.next_token_probs,
    lens.unembed,
    lens.lens_row,
    counting.attention_work,
)

MODES = {"walk": dataflow_walk.draw, "design": dataflow_design.draw}


def experiment(page: LabPage) -> None:
    mode = page.choice("mode", tuple(MODES), "walk")
    MODES[mode](page)
