"""Scores as npz: the keys of ``refdp-scores/1``, arrays [n] of numbers and scalars; never a pickle.

numpy.savez("scores.npz", planted=..., left_out=..., fair_coins=True, runs=1, delta=1e-5)
"""

from __future__ import annotations

import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from refdp.audit.scores.collect import CLASSES, MOST, Collected, too_many
from refdp.audit.scores.json_file import FIELDS, SCHEMA, from_fields
from refdp.errors import RefDPError


def read_npz(file: BinaryIO) -> Collected:
    """All arrays, each looked at before it is read: kind, shape, size.

    Raises:
        RefDPError: no sound npz, an array of another kind or shape, more scores than allowed; what ``from_fields``
            refuses.
    """
    fields: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name in fields:
                    raise RefDPError(f"array {name[:40]!r} is given twice; keep one")
                if name not in FIELDS:
                    raise RefDPError(f"unknown array {name[:40]!r}; known are {', '.join(FIELDS)}")
                with archive.open(entry) as member:
                    fields[name] = _array(name, member)
    except RefDPError:
        raise
    except Exception as error:  # whatever the reader meets in bytes that are no such file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise RefDPError(f"no sound .npz ({reason}); write it with numpy.savez, without pickle") from None
    return from_fields({"schema": SCHEMA, **fields})


def _array(name: str, member: Any) -> Any:
    version = npy.read_magic(member)
    if version != (1, 0):  # later ones have headers of up to 4 GiB
        raise RefDPError(f"array {name[:40]!r}: npy version {version} is not read; write it with numpy.savez")
    shape, _, dtype = npy.read_array_header_1_0(member)
    if dtype.hasobject:
        raise RefDPError(f"array {name[:40]!r}: is pickled, and pickles are not read; write plain numbers")
    if shape == ():
        if dtype.itemsize > 4096:
            raise RefDPError(f"array {name[:40]!r}: is one value of {dtype.itemsize} bytes; give a number")
        return np.frombuffer(_exactly(member, dtype.itemsize), dtype=dtype)[0].item()
    if name not in CLASSES:
        raise RefDPError(f"array {name[:40]!r}: has shape {shape}; only {', '.join(CLASSES)} are lists")
    if len(shape) != 1:
        raise RefDPError(f"{name}: has shape {shape}; one score a canary is needed")
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise RefDPError(f"{name}: is of type {dtype}; give numbers, float64 at best")
    if shape[0] > MOST:
        raise too_many()
    scores = np.frombuffer(_exactly(member, shape[0] * dtype.itemsize), dtype=dtype).astype(np.float64)
    if (missing := np.flatnonzero(np.isnan(scores))).size:
        raise RefDPError(
            f"{name}: score {missing[0]} of {len(scores)} is NaN; a canary without a score has no place in an audit: "
            "find out why, and leaving it out must not depend on whether it was planted"
        )
    return scores


def _exactly(member: Any, size: int) -> bytes:
    content: bytes = member.read(size)
    if len(content) != size or member.read(1):
        raise RefDPError("no sound .npz (an array is shorter or longer than it says); write it again")
    return content
