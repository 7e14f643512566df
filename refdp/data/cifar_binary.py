"""CIFAR-10's binary batches: records of one label byte and 3 x 32 x 32 pixels (channel, row, column).

Read from the official archive in one pass without unpacking it to disk, or from the unpacked folder.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from refdp.data.paths import shown, why
from refdp.data.payload import AGAIN, open_payload
from refdp.errors import RefDPError

FOLDER = "cifar-10-batches-bin"
TRAIN = tuple(f"{FOLDER}/data_batch_{i}.bin" for i in range(1, 6))
TEST = f"{FOLDER}/test_batch.bin"
BATCHES = (*TRAIN, TEST)
RECORD = 1 + 3 * 32 * 32
MAX_BATCH = 2 * 10000 * RECORD
"""Twice the official size of a batch, in bytes."""


class _Capped:
    """A stream that refuses to give more than ``limit`` bytes: a limit on decompression bombs."""

    def __init__(self, stream: IO[bytes], limit: int, what: str) -> None:
        self._stream, self._left, self._limit, self._what = stream, limit, limit, what

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise RefDPError(f"{self._what}: unpacks to more than {self._limit} bytes; {AGAIN}")
        return data


def _records(data: bytes, what: str) -> tuple[np.ndarray, str]:
    """Check one batch: records [N, 3073] uint8 with label < 10, and the SHA-256 of the bytes."""
    if not data or len(data) % RECORD:
        raise RefDPError(f"{what}: holds {len(data)} bytes: must be 1 or more records of {RECORD}; {AGAIN}")
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise RefDPError(f"{what}: holds the label {records[:, 0].max()}: must be 0..9; {AGAIN}")
    return records, hashlib.sha256(data).hexdigest()


def _members(archive: tarfile.TarFile, what: str) -> Iterator[tuple[str, np.ndarray, str]]:
    seen = set()
    for member in archive:
        name = member.name.removeprefix("./")
        if name not in BATCHES:
            continue
        label = f"{what}: {name}"
        if name in seen:
            raise RefDPError(f"{label}: is in the archive twice; {AGAIN}")
        if not member.isreg() or member.size > MAX_BATCH:
            raise RefDPError(f"{label}: must be a plain file of at most {MAX_BATCH} bytes; {AGAIN}")
        seen.add(name)
        content = archive.extractfile(member)
        data = content.read() if content is not None else b""
        yield name, *_records(data, label)


def read_archive(path: Path, max_bytes: int) -> Iterator[tuple[str, np.ndarray, str]]:
    """(member name, records [N, 3073] uint8, SHA-256) of each batch, in the archive's order.

    Raises:
        RefDPError: not a gzipped tar archive, damaged (the checksum is checked at the end), a batch
            missing, twice there or ill-formed, or more than ``max_bytes`` unpacked.
    """
    what = shown(path)
    seen = []
    with open_payload(path) as stream:
        capped = _Capped(stream, max_bytes, what)
        try:
            with tarfile.open(fileobj=cast(IO[bytes], capped), mode="r|", bufsize=1 << 20) as archive:
                for batch in _members(archive, what):
                    seen.append(batch[0])
                    yield batch
        except RefDPError:
            raise
        except (tarfile.TarError, ValueError, OverflowError) as error:
            raise RefDPError(f"{what}: is not a whole tar archive ({why(error)}); {AGAIN}") from None
        while capped.read(1 << 20):
            pass
    for name in BATCHES:
        if name not in seen:
            raise RefDPError(f"{what}: has no {name}; {AGAIN}")


def read_folder(folder: Path) -> Iterator[tuple[str, np.ndarray, str]]:
    """The same from the unpacked folder, in the order of BATCHES."""
    for name in BATCHES:
        path = folder / name.rpartition("/")[2]
        with open_payload(path) as stream:
            data = stream.read(MAX_BATCH + 1)
        if len(data) > MAX_BATCH:
            raise RefDPError(f"{shown(path)}: must hold at most {MAX_BATCH} bytes; {AGAIN}")
        yield name, *_records(data, shown(path))


def images_and_labels(batches: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Records [N_i, 3073] -> images [sum N_i, 32, 32, 3] uint8, labels [sum N_i] int64."""
    images = np.empty((sum(map(len, batches)), 32, 32, 3), np.uint8)
    start = 0
    for records in batches:
        stop = start + len(records)
        for channel in range(3):  # twice as fast as one transposed copy
            plane = records[:, 1 + 1024 * channel : 1 + 1024 * (channel + 1)]
            images[start:stop, :, :, channel] = plane.reshape(-1, 32, 32)
        start = stop
    return images, np.concatenate([records[:, 0] for records in batches]).astype(np.int64)
