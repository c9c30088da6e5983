"""Logs from outside: each kind of file gives back the numbers that were put in, whoever wrote it.

TensorBoard files are written by tensorboardX and read back; CSV by pandas; JSON by the standard library in
the shape that transformers' TrainerState and Keras' History have.
"""

import json
import struct
from contextlib import suppress
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from transformers.trainer_callback import TrainerState

from labcore.errors import LabInputError
from labcore.training.event_files import _masked_crc, is_event_file
from labcore.training.log_columns import choose, signal_of
from labcore.training.log_files import LIMIT_BYTES, log_of, read_table

STEPS = [10 * n for n in range(1, 13)]
LOSS = [round(3 - 0.1 * n, 3) for n in range(1, 13)]
RATE = [1e-4 * n for n in range(1, 13)]
HISTORY = [
    {"epoch": s / 100, "grad_norm": 1.5, "learning_rate": r, "loss": y, "step": s}
    for s, y, r in zip(STEPS, LOSS, RATE, strict=True)
]
EVALUATED = {
    "epoch": 0.6,
    "eval_loss": 2.55,
    "eval_runtime": 1.0,
    "eval_steps_per_second": 9.0,
    "step": 60,
}
SUMMARY = {"epoch": 1.2, "train_loss": 9.9, "train_runtime": 3.0, "total_flos": 1e9, "step": 120}


def read(data: bytes | str):
    table = read_table(data.encode() if isinstance(data, str) else data)
    return table, log_of(table, table.columns)


def written(log) -> None:
    """The log is the one that was written above."""
    np.testing.assert_array_equal(log.step, STEPS)
    np.testing.assert_allclose(log.loss_nats, LOSS, rtol=1e-6)


def test_a_trainer_state_as_transformers_saves_it(tmp_path):
    """The closing summary's train_loss of 9.9 is a mean, not a step; the evaluation joins its step."""
    TrainerState(log_history=[*HISTORY[:6], EVALUATED, *HISTORY[6:], SUMMARY]).save_to_json(
        str(tmp_path / "trainer_state.json")
    )
    table, log = read((tmp_path / "trainer_state.json").read_bytes())
    assert table.kind == "json"
    written(log)
    np.testing.assert_allclose(log.learning_rate, RATE)
    assert log.grad_norm.tolist() == [1.5] * 12
    assert log.validation_nats[5] == 2.55
    assert np.isnan(np.delete(log.validation_nats, 5)).all()


def test_json_lines_and_a_history_of_lists():
    lines = "\n".join(map(json.dumps, [*HISTORY, EVALUATED]))
    table, log = read(lines)
    assert table.kind == "lines"
    written(log)
    assert log.validation_nats[5] == 2.55  # written last, it still belongs to step 60
    _, log = read(json.dumps({"loss": LOSS, "val_loss": LOSS[::-1]}))
    assert log.step.tolist() == list(range(1, 13))
    assert log.validation_nats.tolist() == LOSS[::-1]


def test_a_panel_exported_from_wandb():
    """The run is called "test 7", which makes no held-out loss of it; the envelope is no loss either."""
    name = "test 7 - train/loss"
    frame = pd.DataFrame({"Step": STEPS, name: LOSS, f"{name}__MIN": 0.0, f"{name}__MAX": 9.0})
    table, log = read(frame.to_csv(index=False))
    assert table.columns == {"step": "Step", "loss_nats": name}
    written(log)


def test_lightning_writes_training_and_validation_into_rows_of_their_own():
    frame = pd.DataFrame(
        {"epoch": 0, "step": STEPS, "train_loss_step": LOSS, "train_loss_epoch": None}
    )
    looks = pd.DataFrame({"epoch": 0, "step": [60], "val_loss": [2.5], "train_loss_epoch": [2.7]})
    _, log = read(pd.concat([frame, looks]).to_csv(index=False))
    written(log)
    assert log.validation_nats[5] == 2.5


def test_semicolons_decimal_commas_chinese_names_and_utf_16():
    frame = pd.DataFrame({"步": STEPS, "训练损失": LOSS, "学习率": RATE, "验证损失": LOSS})
    table, log = read(frame.to_csv(index=False, sep=";", decimal=","))
    assert table.columns["learning_rate"] == "学习率"
    written(log)
    written(read(frame.to_csv(index=False, sep="\t").encode("utf-16"))[1])


@pytest.mark.parametrize(
    "line",
    [
        "iter {s}: loss {y:.4f}, time 12.30ms, mfu -100.00%",  # nanoGPT
        "{{'loss': {y}, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 0.1, 'step': {s}}}",  # Trainer
        "step {s} | loss: {y:.6f} | lr: 6.0000e-05 | norm: 1.5000 | tokens/sec: 29403.65",
        "2026-01-02 10:00:00 | INFO | step={s} train_loss={y} lr=3.0e-04",
    ],
)
def test_lines_that_a_script_printed(line):
    table, log = read("\n".join(line.format(s=s, y=y) for s, y in zip(STEPS, LOSS, strict=True)))
    assert table.kind == "printed"
    written(log)


def events(tmp_path, **more) -> bytes:
    writer = SummaryWriter(str(tmp_path))
    for step, loss, rate in zip(STEPS, LOSS, RATE, strict=True):
        writer.add_scalar("train/loss", loss, step)
        writer.add_scalar("train/learning_rate", rate, step)
        writer.add_histogram("weights", np.arange(5000.0), step)
        writer.add_text("note", "a word", step)
    writer.add_scalar("eval/loss", 2.5, 60)
    writer.close()
    return next(tmp_path.iterdir()).read_bytes()


def test_an_event_file_gives_its_scalars_back(tmp_path):
    table, log = read(events(tmp_path))
    assert table.kind == "events"
    written(log)
    np.testing.assert_allclose(log.learning_rate, RATE, rtol=1e-6)  # written as 32-bit floats
    assert log.validation_nats[5] == 2.5


def test_an_event_file_that_breaks_off_is_read_as_far_as_it_goes(tmp_path):
    data = events(tmp_path)
    _, log = read(data[: len(data) - 9])
    written(log)


def test_a_flipped_bit_is_noticed(tmp_path):
    """In the data of a scalar; a flipped length ends the reading."""
    data = bytearray(events(tmp_path))
    at = data.index(b"train/loss")
    data[at] ^= 1
    with pytest.raises(LabInputError, match="log_undamaged"):
        read_table(bytes(data))


def record(event: Event) -> bytes:
    """The framing, by hand: length, its checksum, data, its checksum."""
    body = event.SerializeToString()
    head = struct.pack("<Q", len(body))
    return head + struct.pack("<I", _masked_crc(head)) + body + struct.pack("<I", _masked_crc(body))


def test_scalars_of_the_second_kind_are_tensors():
    """TensorFlow 2 writes a scalar as a tensor without axes, in float_val or in raw bytes."""
    data = record(Event(file_version="brain.Event:2"))
    for step, loss in zip(STEPS, LOSS, strict=True):
        event = Event(step=step)
        value = event.summary.value.add(tag="epoch_loss")
        value.tensor.dtype = 1
        if step % 20:
            value.tensor.float_val.append(loss)
        else:
            value.tensor.tensor_content = struct.pack("<f", loss)
        data += record(event)
    assert is_event_file(data)
    written(read(data)[1])


def test_a_resumed_run_keeps_both_accounts_of_a_step_in_their_order():
    rows = [
        *zip(range(1, 11), [3.0] * 10, strict=True),
        *zip(range(6, 16), [2.0] * 10, strict=True),
    ]
    _, log = read("step,loss\n" + "\n".join(f"{s},{y}" for s, y in rows))
    assert log.step.tolist() == [s for s, _ in rows]
    assert log.loss_nats.tolist() == [y for _, y in rows]


def test_a_loss_that_was_no_number_is_not_a_gap():
    """Python's json writes NaN as it is; a measured NaN becomes infinite, a missing value stays a gap."""
    rows = [*HISTORY, {"loss": float("nan"), "step": 130}, {"learning_rate": 1.0, "step": 140}]
    _, log = read(json.dumps(rows))
    assert log.loss_nats[-2] == np.inf
    assert np.isnan(log.loss_nats[-1])


def test_what_this_lab_saves_it_reads_with_every_block():
    frame = pd.DataFrame(
        {"step": STEPS, "loss_nats": LOSS, "validation_nats": LOSS, "update_ratio": 0.01}
    )
    for block in range(12):
        frame[f"layer_update_ratio.{block}"] = float(block)
    _, log = read(frame.to_csv(index=False))
    assert log.layer_update_ratio[0].tolist() == list(range(12))
    assert log.activation_rms.shape == (12, 0)
    assert log.update_ratio.tolist() == [0.01] * 12


def test_names_that_are_not_what_they_seem():
    for name in (
        "loss_scale",
        "aux_loss",
        "kl_loss",
        "rewards/chosen",
        "accuracy",
        "epoch_time_ms",
    ):
        assert signal_of(name) is None, name
    assert signal_of("train_steps_per_second") is None
    assert signal_of("train_tokens_per_second") == "tokens_per_second"
    assert signal_of("predict_loss") == "validation_nats"
    assert signal_of("cross_entropy") == "loss_nats"
    assert choose({"loss": 5, "train_loss": 1, "lr": 0}) == {"loss_nats": "loss"}


def test_the_learner_overrules_what_the_names_suggest():
    rows = "\n".join(f"{s},{y},7" for s, y in zip(STEPS, LOSS, strict=True))
    table = read_table(b"a,b,loss\n" + rows.encode())
    written(log_of(table, table.columns | {"step": "a", "loss_nats": "b"}))
    assert log_of(table, table.columns, 1.0, 9.0).uniform_nats == 9.0


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "log_readable"),
        (b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94\x8c\x05print", "log_readable"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "log_readable"),
        (b"just some words\nand more", "log_readable"),
        (b"[" * 100_000, "log_readable"),
        (b'{"loss": "' + b"9" * 10_000, "log_readable"),
        (b"step,accuracy\n1,0.5\n2,0.6\n", "log_has_loss"),
        (b"step,loss\n1,3\n2,2\n", "log_points"),
        (b"step,loss\n" + b"1e300,2\n" * 9, "log_steps"),
        (b"x" * (LIMIT_BYTES + 1), "at_most_bytes"),
        (b"step,loss\n" + b"1,2\n" * 250_000, "log_size"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_log_is_refused_by_a_rule(data, rule):
    with pytest.raises(LabInputError) as refused:
        read(data)
    assert (refused.value.field, refused.value.rule) == ("log", rule)


def test_a_thousand_columns_too_many():
    wide = ",".join(f"c{n}" for n in range(3000)) + "\n" + ",".join("1" * 3000)
    with pytest.raises(LabInputError, match="log_size"):
        read_table(wide.encode())


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(str.encode),
        st.lists(
            st.dictionaries(st.text(max_size=8), st.floats() | st.text(max_size=5)), max_size=20
        ).map(lambda rows: json.dumps(rows).encode()),
    )
)
def test_no_file_does_worse_than_to_be_refused(data):
    with suppress(LabInputError):
        read(data)


def test_a_broken_event_record_is_refused_and_a_wrong_length_ends_the_file():
    good = record(Event(file_version="brain.Event:2"))
    body = b"\xff\xff\xff\xff"
    head = struct.pack("<Q", len(body))
    bad = head + struct.pack("<I", _masked_crc(head)) + body + struct.pack("<I", _masked_crc(body))
    with pytest.raises(LabInputError, match="log_undamaged"):
        read_table(good + bad)
    far = struct.pack("<Q", 2**62)
    with pytest.raises(LabInputError, match="log_has_loss"):
        read(good + far + struct.pack("<I", _masked_crc(far)))


def test_the_history_of_the_trainer_has_these_fields():
    """`log_history` is where transformers keeps it; a rename there would show here."""
    assert "log_history" in asdict(TrainerState())
