"""The same step in our code and in the ecosystem's: the code side by side, and the numbers that it gives."""

import ast

import streamlit as st

from app.chapter import source
from app.charts import hf as charts
from app.job import JobView
from app.labs.alignment.hf_train import SCRIPT
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.training import objectives
from labcore.tuning import hf_beside as lab
from labcore.tuning import hf_models, lora
from labcore.tuning.hf_beside import BesideConfig, BesideResult
from labcore.tuning.hf_run import TRAINERS

# The same thing on either side: our functions, and those of the script.
PAIRS = {
    "mask": ((lab.our_batch,), ("to_chat", "to_ids")),
    "loss": ((lab.our_loss, objectives.mean_token_loss), ("make_trainer",)),
    "lora": ((lora.attach, lora.LoRALinear.forward), ("how_to_tune",)),
}


def draw(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        trainer = page.choice("beside_trainer", TRAINERS, "trl")
    with right:
        model = page.choice("beside_model", hf_models.MODELS, hf_models.REAL)
    config = BesideConfig(model, trainer)

    def picture(view: JobView | None) -> None:
        if view is None and config == BesideConfig():
            recorded = page.recording("beside", BesideResult)
            page.caption("job.recorded")
            numbers(page, recorded.result, recorded.provenance)
        elif view is None:
            page.caption("press_compare")
        elif view.result is not None:
            numbers(page, view.result, MEASURED)

    page.job(lab.compare, config, picture)
    code(page)
    page.offer_notebook(
        f"from labcore.tuning import hf_beside as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.our_loss, result.their_loss)\n"
        "print(dict(zip(result.names, result.apart.tolist())))",
    )


def numbers(page: LabPage, result: BesideResult, shown: Provenance) -> None:
    told = page.text(
        "beside.outcome", ours=f"{result.our_loss:.6f}", theirs=f"{result.their_loss:.6f}",
        apart=f"{abs(result.our_loss - result.their_loss):.1e}",
        worst=f"{result.apart.max():.1e}", matrices=len(result.names),
    )  # fmt: skip
    (st.success if result.same_ids and result.apart.max() < 1e-3 else st.warning)(told)
    page.figure(charts.asked(result, page.text), shown, "asked")
    page.figure(charts.gradients(result, page.text), shown, "gradients")


def code(page: LabPage) -> None:
    pair = page.choice("pair", tuple(PAIRS), "mask")
    page.caption(f"pair.{pair}")
    ours, theirs = PAIRS[pair]
    left, right = st.columns(2)
    with left:
        st.markdown(f"**{page.text('code.ours')}**")
        for function in ours:
            st.code(source(function), language="python", wrap_lines=True)
    with right:
        st.markdown(f"**{page.text('code.theirs')}**")
        for name in theirs:
            st.code(piece(name), language="python", wrap_lines=True)


def piece(name: str) -> str:
    """A function of the script, as it stands there."""
    for node in ast.parse(SCRIPT).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_source_segment(SCRIPT, node)
    raise KeyError(name)
