"""Codes of 2 to 8 bits laid end to end in bytes: the form in which a quantised matrix is kept on disk."""

import numpy as np


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes 0 … 2^bits − 1, in any shape, as bytes; the last byte is filled up with zeros.

    >>> pack(np.array([1, 2, 3]), bits=4).tolist()  # 0001 0010 | 0011 0000
    [18, 48]
    """
    ones = np.unpackbits(codes.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - bits :]
    return np.packbits(ones)


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The first `count` codes again.  -> (count,) uint8

    >>> unpack(np.array([18, 48], dtype=np.uint8), bits=4, count=3).tolist()
    [1, 2, 3]
    """
    ones = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    return np.packbits(np.pad(ones, ((0, 0), (8 - bits, 0))), axis=1)[:, 0]
