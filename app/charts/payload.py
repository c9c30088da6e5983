"""What travels to the canvas: one JSON header and the raw bytes of a few arrays.

    4 bytes   length of the header, little-endian
    header    UTF-8 JSON; `arrays` says name, dtype, shape and offset of each array
    arrays    one after the other, little-endian, deflated (RFC 1950)

A JSON list spends about 20 bytes on a weight; here it takes 1, or 4 where its exact value matters, and
deflating leaves about half of that, since most of a map is nearly zero.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

EXACT_CELLS = 64 * 128  # up to here a matrix travels as float32, above as uint16


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A canvas's picture.  `exact` (H, T, S) lets the head on show travel as float32, the others as uint8."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    exact: np.ndarray | None = None

    def pack(self, selection: dict[str, Any] | None = None) -> bytes:
        """The bytes to send, with exact values of the head that the learner has selected."""
        if self.exact is None:
            return pack(self.header, self.arrays)
        head = (selection or {}).get("head", self.header["selected"])
        head = head if 0 <= head < len(self.exact) else self.header["selected"]
        arrays = {**self.arrays, "exact": self.exact[head]}
        return pack({**self.header, "exact_head": head}, arrays)


def pack(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Header and arrays as one string of bytes.  ValueError if the header holds a NaN."""
    entries, blobs, offset = [], [], 0
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        entries.append([name, array.dtype.name, list(array.shape), offset])
        blobs.append(little.tobytes())
        offset += len(blobs[-1])
    words = json.dumps({**header, "arrays": entries}, ensure_ascii=False, allow_nan=False)
    head = words.encode("utf-8")
    return b"".join([struct.pack("<I", len(head)), head, zlib.compress(b"".join(blobs))])


def unpack(payload: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `pack` was given; the browser's `readPayload` does the same."""
    (length,) = struct.unpack_from("<I", payload)
    header = json.loads(payload[4 : 4 + length])
    body = zlib.decompress(payload[4 + length :])
    arrays = {}
    for name, dtype, shape, offset in header.pop("arrays"):
        little = np.dtype(dtype).newbyteorder("<")
        arrays[name] = np.frombuffer(body, little, int(np.prod(shape)), offset).reshape(shape)
    return header, arrays


def quantise(values: np.ndarray, low: float, high: float, dtype: type = np.uint8) -> np.ndarray:
    """Codes 0 … max for low … high; what lies outside takes the nearer end.  Same shape.

    >>> quantise(np.array([0.0, 0.5, 1.0]), 0.0, 1.0).tolist()
    [0, 128, 255]
    """
    top = np.iinfo(dtype).max
    share = (np.asarray(values, np.float64) - low) / ((high - low) or 1.0)
    return np.rint(np.clip(np.nan_to_num(share), 0.0, 1.0) * top).astype(dtype)
