"""The IDX format of MNIST: magic 0, 0, type, dimensions; big-endian sizes; then the values.

Source: the format note on the MNIST page of LeCun, Cortes and Burges. Only unsigned bytes (type 8) are read.
"""

from __future__ import annotations

import hashlib
import math
import struct
from pathlib import Path
from typing import IO

import numpy as np

from refdp.data.paths import shown
from refdp.data.payload import AGAIN, fill, open_payload
from refdp.errors import RefDPError

_UBYTE = 8
_KINDS = {1: "labels", 3: "images"}


def _header(stream: IO[bytes], size: int, what: str) -> bytes:
    header = stream.read(size)
    if not header and size == 4:
        raise RefDPError(f"{what}: is empty: an IDX file is expected; {AGAIN}")
    if len(header) < size:
        raise RefDPError(f"{what}: is cut short (the IDX header ends early); {AGAIN}")
    return header


def parse_idx(
    stream: IO[bytes], sample_shape: tuple[int, ...], what: str, max_bytes: int = 2**31
) -> tuple[np.ndarray, str]:
    """Read one IDX file to its end.

    Args:
        stream: the decompressed payload.
        sample_shape: shape of one entry: ``()`` for labels, ``(28, 28)`` for images.
        what: how to name the file in errors.
        max_bytes: a larger payload is refused before memory is taken for it.

    Returns:
        uint8 array [N, *sample_shape] with N >= 1, and the payload's SHA-256 in hex.

    Raises:
        RefDPError: anything but exactly one such file.
    """
    ndim = 1 + len(sample_shape)
    magic = _header(stream, 4, what)
    if magic != bytes((0, 0, _UBYTE, ndim)):
        kind = f"IDX {_KINDS.get(ndim, 'values')} (magic 0000080{ndim})"
        other = _KINDS.get(magic[3]) if magic[:3] == bytes((0, 0, _UBYTE)) else None
        hint = f"it holds {other}: are two files swapped?" if other else AGAIN
        raise RefDPError(f"{what}: starts with {magic.hex()}: must be {kind}; {hint}")
    sizes = _header(stream, 4 * ndim, what)
    shape = struct.unpack(f">{ndim}I", sizes)
    if shape[1:] != sample_shape:
        raise RefDPError(f"{what}: holds entries of shape {shape[1:]}: must be {sample_shape}; {AGAIN}")
    if shape[0] == 0:
        raise RefDPError(f"{what}: holds 0 entries: must hold at least 1; {AGAIN}")
    size = math.prod(shape)
    if size > max_bytes:
        raise RefDPError(f"{what}: announces {size} bytes: must be at most {max_bytes}; {AGAIN}")
    values = np.empty(size, np.uint8)
    done = fill(stream, values)
    if done < size:
        raise RefDPError(f"{what}: is cut short ({done} of {size} bytes); {AGAIN}")
    if stream.read(1):
        raise RefDPError(f"{what}: goes on after the {size} bytes its header announces; {AGAIN}")
    digest = hashlib.sha256(magic + sizes)
    digest.update(values.data)
    return values.reshape(shape), digest.hexdigest()


def read_idx(path: Path, sample_shape: tuple[int, ...], max_bytes: int) -> tuple[np.ndarray, str]:
    """``parse_idx`` of a file, gzipped if its name says so."""
    with open_payload(path) as stream:
        return parse_idx(stream, sample_shape, shown(path), max_bytes)
