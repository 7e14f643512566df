"""The real files, where ``REFDP_DATA`` says they are."""

from __future__ import annotations

import os

import numpy as np
import pytest

from refdp.data import datasets, load
from refdp.data.verify import verify

FOLDER = os.environ.get("REFDP_DATA")
NAMES = ("mnist", "fashion-mnist", "cifar10")
pytestmark = pytest.mark.skipif(not FOLDER, reason="REFDP_DATA is not set: no real data to read")


@pytest.mark.parametrize("name", NAMES)
def test_loaded_data_have_the_public_constants(name: str) -> None:
    if any(check.status == "missing" for check in verify(name, FOLDER)):
        pytest.skip(f"{name} is not in REFDP_DATA")
    data = load(name, FOLDER)
    assert data.input_shape == datasets.create(name).input_shape
    assert (len(data.test.y), data.num_classes) == (10000, 10)
    assert np.bincount(data.train.y).min() > 4900
    sample = data.prepare(np, data.train.x[:10000])
    assert abs(sample.mean(axis=(0, 1, 2))).max() < 0.02
    assert abs(sample.std(axis=(0, 1, 2)) - 1).max() < 0.02
