"""Part 3: fill a gap, write, translate; every family tries, and the automaton keeps the score."""

import pandas as pd
import streamlit as st

from app.charts import families as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.architecture import families_tasks as lab
from labcore.architecture.families_tasks import TasksConfig, TasksResult

SIZES = ("20", "50", "100", "200")
TEXTS_SHARE = 5  # one text is written for so many passages with gaps
DEFAULT = TasksConfig()


def draw(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        size = page.choice("passages", SIZES, str(DEFAULT.passages), style="slide", label=str)
    with right:
        seed = page.number("tasks_seed", 0, 9999, DEFAULT.seed)
    passages = int(size)
    config = TasksConfig(passages, texts=passages // TEXTS_SHARE, seed=seed)
    page.caption("tasks.about", passages=config.passages, texts=config.texts)
    guess = page.predict("write", options=("none", "tenth", "half", "most"))
    page.job(lab.measure, config, lambda view: show(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def show(page: LabPage, config: TasksConfig, view: JobView | None, guess: Guess | None) -> None:
    """What was measured now; before that, what was recorded with another draw of the same texts."""
    if view is not None and view.result is not None:
        draw_result(page, view.result, MEASURED, guess)
    elif view is None or not view.live:
        recording = page.recording("tasks", TasksResult)
        page.caption("job.recorded" if config == DEFAULT else "press_run")
        draw_result(page, recording.result, recording.provenance, guess)


def draw_result(
    page: LabPage, result: TasksResult, source: Provenance, guess: Guess | None
) -> None:
    page.figure(charts.fillers(result, page.text), source, "fillers")
    st.markdown(
        page.text(
            "next", floor=f"{result.next_nats['floor']:.2f}",
            decoder=f"{result.next_nats['decoder']:.2f}",
            encoder=f"{result.next_nats['encoder']:.2f}",
        )
    )  # fmt: skip
    page.figure(charts.writers(result, page.text), source, "writers")
    best = max(one.possible for one in result.writers if one.name != "decoder")
    page.reveal(guess, band(best))
    st.markdown(f"**{page.text('examples.title')}**")
    st.dataframe(examples(page, result), hide_index=True)


def band(share: float) -> str:
    """The answer to the question how many of an encoder's texts the world could tell.

    >>> band(0.0), band(0.08), band(0.5), band(0.9)
    ('none', 'tenth', 'half', 'most')
    """
    if share == 0:
        return "none"
    return "tenth" if share <= 0.25 else "half" if share <= 0.65 else "most"


def examples(page: LabPage, result: TasksResult) -> pd.DataFrame:
    """The first text of every writer, whatever it is like."""
    return pd.DataFrame(
        {
            page.text("column.writer"): [
                page.text(f"write.{writer.name}") for writer in result.writers
            ],
            page.text("column.example"): [writer.example for writer in result.writers],
        }
    )


def notebook(config: TasksConfig) -> tuple[str, ...]:
    return (
        "from labcore.architecture import families_tasks as lab\n\n"
        "# A quarter of the page's texts, so that it takes seconds.\n"
        f"result = lab.run(lab.TasksConfig(passages=50, texts=10, seed={config.seed}))\n"
        "import pandas as pd\n\npd.DataFrame(result.fillers)",
        "pd.DataFrame(result.writers)",
    )
