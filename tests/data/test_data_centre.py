"""Scaling of the grey images: background at 0 by default, the usual standardisation on request."""

from __future__ import annotations

import dataclasses

import numpy as np

from refdp.data import datasets
from refdp.data.base import Dataset, Split


def test_centring_is_a_parameter() -> None:
    assert datasets.create("mnist").centre is False
    assert datasets.create("mnist:centre=true").centre is True
    assert datasets.create("fashion-mnist:centre=true").centre is True


def test_the_background_stays_at_zero_unless_centred() -> None:
    x = np.zeros((1, 28, 28, 1), np.uint8)
    split = Split(x, np.zeros(1, np.int64))
    plain = Dataset("mnist", split, split, 10, (0.0,), (0.3081,), (), {})
    assert not plain.prepare(np, x).any()
    centred = dataclasses.replace(plain, mean=(0.1307,))
    np.testing.assert_allclose(centred.prepare(np, x), -0.1307 / 0.3081, rtol=1e-6)
