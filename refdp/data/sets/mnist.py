"""MNIST: handwritten digits (LeCun, Cortes, Burges)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from refdp.data.base import Known, datasets
from refdp.data.idx_source import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, IdxSource

_BASE = "https://ossci-datasets.s3.amazonaws.com/mnist/"


def _official(sha256: str) -> tuple[Known, ...]:
    return (Known(sha256, "official", official=True),)


@datasets.register("mnist")
@dataclass(frozen=True)
class Mnist(IdxSource):
    """60,000 train and 10,000 test images. mean and std: the usual public constants of the train split.

    centre: subtract the mean before dividing by the standard deviation. By default the background stays at 0, which
    private training on these images learns faster from.
    """

    centre: bool = False

    name = "mnist"
    mean = (0.1307,)
    std = (0.3081,)
    urls: ClassVar[Mapping[str, str]] = {file: _BASE + file for file in IdxSource.files}
    # SHA-256 of the decompressed official files.
    digests: ClassVar[Mapping[str, tuple[Known, ...]]] = {
        TRAIN_IMAGES: _official("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        TRAIN_LABELS: _official("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        TEST_IMAGES: _official("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        TEST_LABELS: _official("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    }
