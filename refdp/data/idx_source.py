"""Data sets of four IDX files: 28 x 28 grey images and labels 0..9, train and test."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from refdp.data.base import Dataset, Payload, Source, Split
from refdp.data.idx import read_idx
from refdp.data.known import caveats_of, check_pairs
from refdp.data.paths import DataDir, require, shown
from refdp.errors import RefDPError

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"


class IdxSource(Source):
    """What MNIST and Fashion-MNIST share. Each file is also accepted un-gzipped, without its ``.gz``."""

    files = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    pairs = ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS))
    max_bytes = 2 * (16 + 60000 * 28 * 28)
    centre: bool
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (28, 28, 1)

    @property
    def num_classes(self) -> int:
        return 10

    def variants(self, file: str) -> tuple[str, ...]:
        return (file, file.removesuffix(".gz"))

    def payloads(self, path: Path, file: str) -> list[Payload]:
        return [self._read(path, file)[1]]

    def _read(self, path: Path, file: str) -> tuple[np.ndarray, Payload]:
        """uint8 images [N, 28, 28] or labels [N]."""
        images = file in (TRAIN_IMAGES, TEST_IMAGES)
        values, sha256 = read_idx(path, (28, 28) if images else (), self.max_bytes)
        if not images and values.max() >= self.num_classes:
            raise RefDPError(
                f"{shown(path)}: holds the label {values.max()}: must be 0..{self.num_classes - 1}"
            )
        return values, Payload(file, sha256, len(values))

    def load(self, data_dir: DataDir = None, seed: int = 0) -> Dataset:
        """Images [N, 28, 28, 1] uint8 and labels [N] int64; the seed changes nothing."""
        read = {file: self._read(path, file) for file, path in require(self, data_dir).items()}
        payloads = {file: payload for file, (_, payload) in read.items()}
        check_pairs(self, payloads)
        train, test = (
            Split(read[images][0][..., np.newaxis], read[labels][0].astype(np.int64))
            for images, labels in self.pairs
        )
        return Dataset(
            self.name,
            train,
            test,
            self.num_classes,
            self.mean if self.centre else (0.0,),
            self.std,
            caveats_of(self, payloads),
            {file: payload.sha256 for file, payload in payloads.items()},
        )
