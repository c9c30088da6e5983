"""Scalars out of a TensorBoard event file.

The file is a row of records: length (8 bytes), checksum of the length (4), data, checksum of the data (4).
Each record's data is a protobuf `Event`: a step, and values under tags. The messages are read by the
generated code of the `tensorboardX` package; nothing is unpickled, and no record is trusted to be as long
as it says.

Source: tensorflow/core/lib/io/record_writer.h (framing), tensorflow/core/util/event.proto.
"""

import struct
from collections.abc import Iterable, Iterator

from labcore.errors import LabInputError

HEADER_BYTES, FOOTER_BYTES = 12, 4
SCALAR_BYTES = 1024  # a longer record is a histogram, a picture or a graph: passed over unread
DT_FLOAT, DT_DOUBLE = 1, 2
Record = dict[str, float]


def is_event_file(data: bytes) -> bool:
    """Whether the file opens with a length whose checksum is right."""
    return len(data) > HEADER_BYTES and _length_at(data, 0) is not None


def scalars(data: bytes) -> Iterator[Record]:
    """One record for each scalar, in the order of writing: {"step": …, tag: value}.

    A file that breaks off, as that of a killed run does, is read as far as it goes.
    """
    from google.protobuf.message import DecodeError
    from tensorboardX.proto.event_pb2 import Event  # imported late: half a second

    at = 0
    while (length := _length_at(data, at)) is not None:
        start, end = at + HEADER_BYTES, at + HEADER_BYTES + length
        at = end + FOOTER_BYTES
        if at > len(data):
            return
        if length > SCALAR_BYTES:
            continue
        if _masked_crc(data[start:end]) != struct.unpack_from("<I", data, end)[0]:
            raise LabInputError("log", at, "log_undamaged")
        try:
            event = Event.FromString(data[start:end])
        except DecodeError as error:
            raise LabInputError("log", at, "log_undamaged") from error
        for value in event.summary.value:
            number = _number(value)
            if number is not None:
                yield {"step": float(event.step), value.tag: number}


def write_scalars(records: Iterable[Record]) -> bytes:
    """Inverse of `scalars`: one event for each value of each record."""
    from tensorboardX.proto.event_pb2 import Event

    events = [Event(file_version="brain.Event:2")]
    for record in records:
        for tag, value in record.items():
            if tag != "step":
                events.append(Event(step=int(record["step"])))
                events[-1].summary.value.add(tag=tag, simple_value=value)
    return b"".join(_framed(event.SerializeToString()) for event in events)


def _framed(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    sums = (struct.pack("<I", _masked_crc(part)) for part in (head, data))
    return head + next(sums) + data + next(sums)


def _length_at(data: bytes, at: int) -> int | None:
    """Bytes of the record that begins at `at`; None at the end, or where no record begins."""
    if at + HEADER_BYTES > len(data):
        return None
    length, checksum = struct.unpack_from("<QI", data, at)
    return length if _masked_crc(data[at : at + 8]) == checksum else None


def _masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted so that a checksum of checksums does not degenerate."""
    from tensorboardX.crc32c import crc32c

    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _number(value) -> float | None:
    """What a scalar summary holds, in the old form or the new; None for any other kind."""
    if value.HasField("simple_value"):
        return value.simple_value
    if value.HasField("tensor") and not value.tensor.tensor_shape.dim:
        tensor = value.tensor
        if tensor.dtype == DT_FLOAT:
            return _first(tensor.float_val, tensor.tensor_content, "<f")
        if tensor.dtype == DT_DOUBLE:
            return _first(tensor.double_val, tensor.tensor_content, "<d")
    return None


def _first(values, content: bytes, form: str) -> float | None:
    if len(values) == 1:
        return float(values[0])
    return struct.unpack(form, content)[0] if len(content) == struct.calcsize(form) else None
