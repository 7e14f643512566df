"""Recorded batches from a file: a trace (.npz), indices with offsets (.npz), or JSON.

.npz            ``step0/batch_index``, ``step1/batch_index``, ... as refdp's traces have them (a single step:
                ``batch_index``); or ``indices`` [M] and ``offsets`` [T + 1]. ``dataset_size`` may stand beside them, or
                in a trace's ``meta``.
JSON            a list of batches, each a list of indices; or {"dataset_size": N, "batches": [...]}.
JSON Lines      a batch a line; an empty one is [].

G1. Whatever bytes a file holds, the answer is its batches or one RefDPError; nothing in it is unpickled or run.
G2. Nothing is dropped: an empty batch is a step; and no data set's size is made up.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refdp.audit.sampling.batches import Batches
from refdp.errors import RefDPError

LARGEST = 2**29
"""Bytes that a file may hold, and that its indices may unpack to."""
_STEP = re.compile(r"step(0|[1-9][0-9]*)/batch_index", re.ASCII)
_FORMS = "a list of batches, an object with batches, or a batch a line"


@dataclass(frozen=True)
class Recorded:
    """What a file holds.

    Attributes:
        gaps: the file numbers its steps, and some are missing in between.
    """

    batches: Batches
    gaps: bool = False


def read_batches(path: str, dataset_size: int | None = None) -> Recorded:
    """Read a file; ``-`` is standard input.

    Args:
        dataset_size: N, where the file does not say; where it does, it must be the same.

    Raises:
        RefDPError: one line that begins with the file.
    """
    try:
        content = _content(path)
        rows, stated, gaps = _archive(content) if content[:2] == b"PK" else _text(content)
        if stated is not None and dataset_size is not None and stated != dataset_size:
            raise RefDPError(f"dataset_size is {stated} in it, and --dataset-size {dataset_size}; mend one")
        size = dataset_size if stated is None else stated
        if size is None:
            raise RefDPError(
                "does not say how many records there are; give --dataset-size N (the largest index + 1 is not N: the "
                "last records may never have been drawn)"
            )
        if isinstance(rows, tuple):
            return Recorded(Batches(rows[0], rows[1], size), gaps)
        return Recorded(Batches.of(rows, size), gaps)
    except RefDPError as error:
        raise RefDPError(f"{path!r}: {error}") from None


def _content(path: str) -> bytes:
    if path == "-" and sys.stdin is None:
        raise RefDPError("standard input is closed; give a file")
    try:
        if path == "-":
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(LARGEST + 1)
    except OSError as error:
        raise RefDPError(f"cannot be read ({error.strerror}); give a readable file, or - for stdin") from None
    if len(content) > LARGEST:
        raise RefDPError(f"is longer than {LARGEST:,} bytes; test a part of the run")
    return content


def _archive(content: bytes) -> tuple[Any, int | None, bool]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}
        names = [n for n in entries if n in ("indices", "offsets", "dataset_size", "meta", "batch_index")]
        names += [n for n in entries if _STEP.fullmatch(n) or n.endswith("/step")]
        if sum(entries[name] for name in names) > LARGEST:
            raise RefDPError(f"its indices unpack to more than {LARGEST:,} bytes; test a part of the run")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in names}
    except RefDPError:
        raise
    except Exception as error:  # whatever the reader meets in bytes that are no such file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RefDPError(f"no sound .npz file ({reason}); write it with numpy.savez") from None
    stated = _stated(arrays)
    if "indices" in arrays and "offsets" in arrays:
        return (arrays["indices"], arrays["offsets"]), stated, False
    steps = {int(found[1]): name for name in names if (found := _STEP.fullmatch(name))}
    if not steps and "batch_index" in arrays:
        return [arrays["batch_index"]], stated, False
    if not steps:
        raise RefDPError("holds no batches; name them step0/batch_index, ..., or give indices and offsets")
    if sorted(steps) != list(range(len(steps))):
        missing = next(k for k in range(len(steps) + 1) if k not in steps)
        raise RefDPError(f"step{missing}/batch_index is missing; record every step, also empty batches")
    numbers = [arrays.get(f"step{k}/step") for k in range(len(steps))]
    known = [int(n.reshape(-1)[0]) for n in numbers if n is not None and n.size == 1 and n.dtype.kind in "iu"]
    gaps = bool(known) and (len(known) < len(steps) or bool((np.diff(known) != 1).any()))
    return [arrays[steps[k]] for k in range(len(steps))], stated, gaps


def _stated(arrays: dict[str, np.ndarray]) -> int | None:
    if "dataset_size" in arrays:
        value = arrays["dataset_size"]
        return _size(
            value.reshape(-1)[0].item() if value.size == 1 and value.dtype.kind in "iu" else str(value)
        )
    if "meta" in arrays:
        try:
            meta = json.loads(str(arrays["meta"][()]))
        except (ValueError, RecursionError):
            meta = None
        if isinstance(meta, dict) and "dataset_size" in meta:
            return _size(meta["dataset_size"])
    return None


def _size(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise RefDPError(f"dataset_size = {str(value)[:40]!r}: must be a whole number >= 1")
    return value


def _text(content: bytes) -> tuple[list[np.ndarray], int | None, bool]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefDPError(f"is neither .npz nor UTF-8 text; give {_FORMS}, as JSON") from None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return [_batch(_line(line, k), f"line {k}") for k, line in _lines(text)], None, False
    stated = None
    if isinstance(document, dict):
        if "batches" not in document:
            raise RefDPError("an object without batches; give {'dataset_size': N, 'batches': [[...], ...]}")
        stated = _size(document["dataset_size"]) if "dataset_size" in document else None
        document = document["batches"]
    if not isinstance(document, list) or not document:
        raise RefDPError(f"holds no batch; give {_FORMS}")
    if all(type(value) is int for value in document):
        document = [document]  # one line, one batch
    return [_batch(row, f"step {t}") for t, row in enumerate(document)], stated, False


def _lines(text: str) -> list[tuple[int, str]]:
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise RefDPError(f"is empty; give {_FORMS}, as JSON")
    return list(enumerate(lines, start=1))


def _line(line: str, number: int) -> Any:
    if not line.strip():
        raise RefDPError(f"line {number}: is blank; an empty batch is []")
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise RefDPError(f"line {number}: is not JSON; a batch is a list such as [3, 17]") from None


def _batch(row: Any, where: str) -> np.ndarray:
    if not isinstance(row, list) or not all(type(value) is int for value in row):
        raise RefDPError(
            f"{where}: {str(row)[:40]!r} is no batch; a batch is a list of whole numbers, such as [3, 17]"
        )
    if row and not 0 <= min(row) <= max(row) < 2**62:
        raise RefDPError(f"{where}: index {min(row) if min(row) < 0 else max(row)} is not that of a record")
    return np.array(row, dtype=np.int64)
