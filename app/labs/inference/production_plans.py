"""The plan as files, each shown, all of them in one zip."""

import streamlit as st

from app.labs.inference.production_capacity import knobs
from app.page import LabPage
from labcore.errors import LabInputError
from labcore.serving import capacity, deployment

LANGUAGES = {
    "yaml": "yaml",
    "json": "json",
    "python": "python",
    "shell": "bash",
    "dockerfile": "docker",
}


def plans(page: LabPage) -> None:
    try:
        config = knobs(page)
        result = page.run(capacity.run, config)
    except LabInputError as error:
        page.error(error)
        return
    if config.preset not in deployment.HUB:
        st.info(page.text("plans.no_weights"), icon=":material/lock:")
        return
    if not result.batch:
        st.warning(page.text("plans.no_plan"), icon=":material/timer_off:")
        return
    made = page.run(deployment.run, config)
    st.markdown(
        page.text(
            "plans.outcome", batch=f"{result.batch:,}", copies=result.copies, devices=result.devices
        )
    )
    st.download_button(
        page.text("plans.download"), lambda: deployment.packed(made), icon=":material/folder_zip:",
        file_name=f"{config.preset}-{config.device}.zip", mime="application/zip", on_click="ignore",
        key="production.zip",
    )  # fmt: skip
    page.caption("plans.form_only")
    for note in notes(config):
        page.caption(note)
    for name, text in made.items():
        form = deployment.form(name, text)
        with st.expander(
            f"`{name}` · {page.text(f'form.{form}')}", expanded=name == "vllm/serve.sh"
        ):
            st.code(text, LANGUAGES.get(form), wrap_lines=True)
    page.offer_notebook(
        "from labcore.serving import capacity, deployment\n\n"
        f"made = deployment.run(capacity.{config!r})",
        "for name, text in made.items():\n    print(name, deployment.form(name, text))\n    print(text)",
    )


def notes(config: capacity.CapacityConfig) -> list[str]:
    """Where a program cannot do what the plan says."""
    found = []
    if config.cache_bits == 4:
        found.append("plans.note.cache")
    if config.weight_bits == 4:
        found.append("plans.note.weights")
    if config.group > 1:
        found.append("plans.note.group")
    return found
