"""CIFAR-10: 32 x 32 colour images of ten classes (Krizhevsky 2009), in its binary version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from refdp.data.base import Dataset, Known, Payload, Source, Split, datasets
from refdp.data.cifar_binary import FOLDER, RECORD, TEST, TRAIN, images_and_labels, read_archive, read_folder
from refdp.data.known import caveats_of
from refdp.data.paths import DataDir, require

ARCHIVE = "cifar-10-binary.tar.gz"


def _rebuilt(sha256: str) -> tuple[Known, ...]:
    return (Known(sha256, "lossless rebuild in the official order"),)


@datasets.register("cifar10")
@dataclass(frozen=True)
class Cifar10(Source):
    """50,000 train and 10,000 test images, from the archive or from its unpacked folder."""

    name = "cifar10"
    aliases = ("cifar-10",)
    files = (ARCHIVE,)
    urls: ClassVar[Mapping[str, str]] = {ARCHIVE: "https://www.cs.toronto.edu/~kriz/" + ARCHIVE}
    max_bytes = 2 * 60000 * RECORD
    mean: ClassVar[tuple[float, ...]] = (0.4914, 0.4822, 0.4465)
    std: ClassVar[tuple[float, ...]] = (0.2470, 0.2435, 0.2616)
    # SHA-256 of the archive's members in a copy rebuilt without loss in the official order; those of the
    # official archive's members are not on record (they may well be the same).
    digests: ClassVar[Mapping[str, tuple[Known, ...]]] = {
        TRAIN[0]: _rebuilt("cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        TRAIN[1]: _rebuilt("a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        TRAIN[2]: _rebuilt("bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        TRAIN[3]: _rebuilt("014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        TRAIN[4]: _rebuilt("755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        TEST: _rebuilt("8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    }

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (32, 32, 3)

    @property
    def num_classes(self) -> int:
        return 10

    def variants(self, file: str) -> tuple[str, ...]:
        return (file, FOLDER, "data_batch_1.bin")

    def _batches(self, path: Path) -> Iterator[tuple[str, np.ndarray, str]]:
        if path.name == FOLDER:
            return read_folder(path)
        if path.name == "data_batch_1.bin":
            return read_folder(path.parent)
        return read_archive(path, self.max_bytes)

    def payloads(self, path: Path, file: str) -> list[Payload]:
        return [Payload(name, sha256, len(records)) for name, records, sha256 in self._batches(path)]

    def load(self, data_dir: DataDir = None, seed: int = 0) -> Dataset:
        """Images [N, 32, 32, 3] uint8 and labels [N] int64; the seed changes nothing."""
        batches, payloads = {}, {}
        for name, records, sha256 in self._batches(require(self, data_dir)[ARCHIVE]):
            batches[name] = records
            payloads[name] = Payload(name, sha256, len(records))
        caveats = caveats_of(self, payloads)
        return Dataset(
            self.name,
            Split(*images_and_labels([batches[name] for name in TRAIN])),
            Split(*images_and_labels([batches[TEST]])),
            self.num_classes,
            self.mean,
            self.std,
            caveats,
            {name: payload.sha256 for name, payload in payloads.items()},
        )
