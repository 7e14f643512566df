"""What a data set is: two splits of arrays, public scaling constants, and where its files come from."""

from __future__ import annotations

import functools
import hashlib
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from refdp.errors import RefDPError
from refdp.registry import Registry


@dataclass(frozen=True, eq=False)
class Split:
    """One split.

    Shapes: x [N, H, W, C] uint8 (images, channels last) or [N, d] float32 (features); y [N] int64.
    """

    x: np.ndarray
    y: np.ndarray

    def sha256(self) -> bytes:
        """Digest of the records as loaded: values, types and shapes."""
        digest = hashlib.sha256()
        for array in (self.x, self.y):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.digest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded data set.

    Attributes:
        mean, std: public constants per channel, in units of pixel value / 255; None for features.
        caveats: what a reader of results on these files must be told, a line each.
        digests: file -> SHA-256 (hex) of its decompressed payload.
    """

    name: str
    train: Split
    test: Split
    num_classes: int
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    caveats: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample: (H, W, C) or (d,)."""
        return tuple(self.train.x.shape[1:])

    def prepare(self, xp: Any, x: Any) -> Any:
        """Model input: float32 array of ``xp``, same shape as ``x``.

        uint8 images become (x / 255 - mean) / std per channel; float32 features pass through. Any other
        dtype or channel count raises RefDPError. An empty batch is fine.
        """
        x = xp.asarray(x)
        if self.mean is None or self.std is None:
            if x.dtype != np.float32:
                raise RefDPError(f"{self.name}: x has dtype {x.dtype}: features must be float32")
            return x
        if x.dtype != np.uint8 or x.ndim < 2 or x.shape[-1] != len(self.mean):
            raise RefDPError(
                f"{self.name}: x is {x.dtype} of shape {tuple(x.shape)}: "
                f"images must be uint8 with {len(self.mean)} channel(s) last"
            )
        pixels = math.prod(x.shape[1:]) // len(self.mean)
        scale, shift = _scale_and_shift(xp, self.mean, self.std, pixels)
        rows = x.reshape(-1, math.prod(x.shape[1:])) * scale  # long rows: broadcasting over C alone is slow
        rows -= shift
        return rows.reshape(x.shape)


@functools.lru_cache(maxsize=16)
def _scale_and_shift(xp: Any, mean: tuple[float, ...], std: tuple[float, ...], pixels: int) -> Any:
    """float32 rows a, b with (x / 255 - mean) / std = a x - b, for ``pixels`` pixels channels last."""
    scale = [1 / (255 * s) for s in std]
    shift = [m / s for m, s in zip(mean, std, strict=True)]
    repeats = pixels if len(mean) > 1 else 1
    return tuple(xp.tile(xp.asarray(row, dtype=xp.float32), repeats) for row in (scale, shift))


@dataclass(frozen=True)
class Known:
    """A payload digest on record: whose copy it is, and what to tell the reader of results on it."""

    sha256: str
    origin: str
    official: bool = False
    caveat: str | None = None


@dataclass(frozen=True)
class Payload:
    """What was found in a file: ``name`` is a key of the source's digests; records counts samples."""

    name: str
    sha256: str
    records: int


class Source(ABC):
    """A registered data set: a frozen dataclass that knows its files and how to read them.

    Attributes:
        name: as registered.
        aliases: other folder names under which its files are looked for.
        files: the files that make it up, by official name; empty if it is made on the spot.
        digests: payload name -> the digests on record. Payload names are file names or archive members.
        urls: file -> official address.
        max_bytes: no payload may be larger (twice the official size): a limit on decompression bombs.
        pairs: (images, labels) payload names that must hold equally many records.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[tuple[str, ...]] = ()
    digests: ClassVar[Mapping[str, tuple[Known, ...]]] = {}
    urls: ClassVar[Mapping[str, str]] = {}
    max_bytes: ClassVar[int] = 2**31
    pairs: ClassVar[tuple[tuple[str, str], ...]] = ()

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """Labels are 0 .. num_classes - 1."""

    @abstractmethod
    def load(self, data_dir: str | os.PathLike[str] | None = None, seed: int = 0) -> Dataset:
        """Read or make the data set; raises RefDPError."""

    def variants(self, file: str) -> tuple[str, ...]:
        """Relative paths at which ``file`` may lie, preferred one first."""
        return (file,)

    def payloads(self, path: Path, file: str) -> list[Payload]:
        """Read and check all of ``file`` at ``path``; raises RefDPError if it is unreadable or damaged."""
        raise RefDPError(f"{self.name}: {file}: is made on the spot; it has no files")


datasets: Registry[Source] = Registry("dataset", "refdp.data.sets")
