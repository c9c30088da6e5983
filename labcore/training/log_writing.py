"""A run's log written as other people's tools would write it: what `log_files` reads, the other way round.

N steps, L blocks.
"""

import csv
import io
import json

import numpy as np

from labcore.training.event_files import write_scalars
from labcore.training.log_columns import BLOCK_SIGNALS, SIGNALS
from labcore.training.signals import RunLog

Record = dict[str, float]
TRAINER = {
    "loss_nats": "loss", "validation_nats": "eval_loss", "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
}  # fmt: skip
TENSORBOARD = {
    "loss_nats": "train/loss", "validation_nats": "eval/loss", "grad_norm": "train/grad_norm",
    "learning_rate": "train/lr",
}  # fmt: skip


def as_csv(log: RunLog) -> bytes:
    """Everything, one column for each signal, and for each block where a signal has blocks."""
    columns = {"step": log.step} | {name: getattr(log, name) for name in SIGNALS}
    for name in BLOCK_SIGNALS:
        columns |= {f"{name}.{block}": values for block, values in enumerate(getattr(log, name).T)}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def _cell(value: float) -> str:
    """Empty where nothing was measured."""
    return "" if np.isnan(value) else f"{float(value):.9g}"


def as_trainer_state(log: RunLog) -> bytes:
    """`trainer_state.json` of transformers: a history of records, evaluations in records of their own."""
    history = []
    for row in _rows(log, TRAINER):
        step = row.pop("step")
        looked = row.pop("eval_loss", None)
        history.append(row | {"step": step})
        if looked is not None:
            history.append({"eval_loss": looked, "step": step})
    return json.dumps({"log_history": history}, indent=1).encode()


def as_wandb_panel(log: RunLog) -> bytes:
    """What W&B exports of one panel: the loss of one run, with the envelope of its smoothing."""
    name = "my-run - train/loss"
    lines = [f'"Step","{name}","{name}__MIN","{name}__MAX"']
    lines += [f"{row['step']:.0f},{row['loss']:.6g},{row['loss']:.6g},{row['loss']:.6g}"
              for row in _rows(log, {"loss_nats": "loss"})]  # fmt: skip
    return "\n".join(lines).encode()


def as_printed(log: RunLog) -> bytes:
    """The lines of a script that prints what it does."""
    lines = []
    for row in _rows(log, TRAINER):
        told = (f"{name} {row[name]:.6g}" for name in ("loss", "learning_rate") if name in row)
        lines.append(f"step {row['step']:.0f}: {', '.join(told)}")
        if "eval_loss" in row:
            lines.append(f"step {row['step']:.0f}: val loss {row['eval_loss']:.6g}")
    return "\n".join(lines).encode()


def as_events(log: RunLog) -> bytes:
    """A TensorBoard event file."""
    return write_scalars(_rows(log, TENSORBOARD))


def _rows(log: RunLog, names: dict[str, str]) -> list[Record]:
    """One record a step: what was measured, under the tool's own names; what is no number as NaN."""
    rows = []
    for at, step in enumerate(log.step):
        row = {"step": float(step)}
        for signal, name in names.items():
            value = float(getattr(log, signal)[at])
            broke_off = signal == "loss_nats" and at == len(log.step) - 1
            if not np.isnan(value) or broke_off:
                row[name] = value
        rows.append(row)
    return rows
