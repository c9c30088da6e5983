"""A log of one's own under the same rules: read, drawn, diagnosed, and what it does not let anybody judge."""

import math

import pandas as pd
import streamlit as st

from app.charts import clinic as charts
from app.labs.pretraining.findings import draw_findings, draw_unjudged
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.pretraining.clinic_study import PairsStudy
from labcore.training import log_writing
from labcore.training.diagnosis import diagnose
from labcore.training.log_files import LIMIT_BYTES, LogTable, log_of, read_table
from labcore.training.signals import RunLog

# {example: (how it is written, whose run of the recorded ones, file name)}
EXAMPLES = {
    "trainer": (log_writing.as_trainer_state, "few", "trainer_state.json"),
    "events": (log_writing.as_events, "empty", "events.out.tfevents.0.example"),
    "wandb": (log_writing.as_wandb_panel, "in_order", "wandb_export.csv"),
    "printed": (log_writing.as_printed, "poisoned", "train.log"),
}
CHOSEN = ("step", "loss_nats", "validation_nats", "learning_rate", "grad_norm")
NONE = ""
LONGEST_NAME = 60  # characters of a foreign column's name on screen
EXAMPLE_SEED = 1  # which of the recorded seeds


def draw(page: LabPage) -> None:
    st.markdown(page.text("own.about", megabytes=LIMIT_BYTES // 2**20))
    file = st.file_uploader(
        page.text("own.upload"), key="clinic.upload", max_upload_size=LIMIT_BYTES // 2**20
    )
    example = page.choice("example", tuple(EXAMPLES), "trainer", style="pills")
    vocabulary = page.number("vocabulary", 0, 10_000_000, 0)
    try:
        table = uploaded(file) if file is not None else read_table(offer_example(page, example))
        columns = pick_columns(page, table)
        log = log_of(table, columns, None, math.log(vocabulary) if vocabulary > 1 else None)
    except LabInputError as error:
        page.error(error)
        return
    say_what_was_read(page, table, columns, log)
    show(page, log)
    page.offer_notebook(*NOTEBOOK)


def uploaded(file) -> LogTable:
    """Read once for each upload, not once for each turn of a knob."""
    slot = "clinic.uploaded"
    if st.session_state.get(slot, (None,))[0] != file.file_id:
        st.session_state[slot] = (file.file_id, read_table(file.getvalue()))
    return st.session_state[slot][1]


def offer_example(page: LabPage, example: str) -> bytes:
    """One of the recorded runs as another tool would have logged it; also to take home and upload."""
    write, recipe, name = EXAMPLES[example]
    study: PairsStudy = page.recording("pairs", PairsStudy).result
    data = write(study.runs[recipe][EXAMPLE_SEED])
    page.caption("own.example")
    st.download_button(
        page.text("own.example.take", name=name), data, file_name=name, on_click="ignore",
        type="tertiary", icon=":material/download:", key="clinic.example.take",
    )  # fmt: skip
    return data


def pick_columns(page: LabPage, table: LogTable) -> dict[str, str]:
    """{signal: column}: as the names suggest, unless the learner knows better."""
    suggested = table.columns
    with st.expander(page.text("own.columns"), key="clinic-columns"):
        picked = {
            signal: page.choice(
                f"column_{signal}", (NONE, *table.counts), suggested.get(signal, NONE), "select",
                label=lambda name: name[:LONGEST_NAME] or page.text("own.no_column"),
            )
            for signal in CHOSEN
        }  # fmt: skip
    others = {signal: name for signal, name in suggested.items() if signal not in CHOSEN}
    return others | {signal: name for signal, name in picked.items() if name != NONE}


def say_what_was_read(page: LabPage, table: LogTable, columns: dict[str, str], log: RunLog) -> None:
    """The kind of file, and which column was taken for which signal; foreign names in a table only."""
    page.caption(
        "own.read", kind=page.text(f"own.kind.{table.kind}"), rows=f"{len(log.step):,}",
        first=f"{log.step[0]:,}", last=f"{log.step[-1]:,}",
    )  # fmt: skip
    frame = pd.DataFrame(
        {
            page.text("column.signal"): [page.text(f"own.signal.{signal}") for signal in columns],
            page.text("column.name"): [name[:LONGEST_NAME] for name in columns.values()],
            page.text("column.values"): [table.counts[name] for name in columns.values()],
        }
    )
    with st.popover(page.text("own.which"), icon=":material/table:", type="tertiary"):
        st.dataframe(frame, hide_index=True)
        unused = [name for name in table.counts if name not in columns.values()]
        st.caption(page.text("own.unused", count=len(unused)))


def show(page: LabPage, log: RunLog) -> None:
    findings = diagnose(log)
    draw_findings(page.text, findings)
    step = findings[0].facts.get("step")
    marks = [] if step is None else [(step, page.text("mark.step", step=f"{step:,.0f}"))]
    alt = page.text("alt.own", points=len(log.step))
    page.figure(charts.losses(log, None, page.text, alt, marks), COMPUTED, "own_losses")
    names = charts.available(log)
    if names:
        name = page.choice(
            "own_signal",
            names,
            names[0],
            style="pills",
            label=lambda name: page.text(f"option.signal.{name}"),
        )
        page.figure(charts.signal(log, None, name, page.text), COMPUTED, "own_signal")
    draw_unjudged(page.text, log)


NOTEBOOK = (
    "from pathlib import Path\n\n"
    "from labcore.training.diagnosis import diagnose, unjudged\n"
    "from labcore.training.log_files import log_of, read_table\n\n"
    "PATH = None  # your log: any of the kinds that the page reads\n"
    "if PATH is None:  # a run made now, as a CSV file\n"
    "    from labcore.pretraining import clinic\n"
    "    from labcore.training.log_writing import as_csv\n\n"
    '    data = as_csv(clinic.run(clinic.PairConfig("2", steps=60)).sick)\n'
    "else:\n"
    "    data = Path(PATH).read_bytes()",
    "table = read_table(data)\n"
    "log = log_of(table, table.columns)\n"
    "print(table.kind, table.columns)",
    "for finding in diagnose(log):\n    print(finding)\nprint(unjudged(log))",
)
