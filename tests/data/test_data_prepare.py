"""prepare: (x / 255 - mean) / std in float32, for every backend's module."""

from __future__ import annotations

import numpy as np
import pytest

from refdp.data import Dataset, Split
from refdp.errors import RefDPError

GREY = ((0.1307,), (0.3081,))
COLOUR = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def dataset(mean: tuple[float, ...], std: tuple[float, ...], n: int = 256) -> Dataset:
    x = (np.arange(n * 4 * 5 * len(mean)) % 256).astype(np.uint8).reshape(n, 4, 5, len(mean))
    split = Split(x, np.zeros(n, np.int64))
    return Dataset("toy", split, split, 10, mean, std)


@pytest.mark.parametrize(("mean", "std"), [GREY, COLOUR])
def test_values(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    data = dataset(mean, std)
    before = data.train.x.copy()
    out = data.prepare(np, data.train.x)
    wanted = (data.train.x.astype(np.float64) / 255 - np.array(mean)) / np.array(std)
    assert out.dtype == np.float32
    assert out.shape == data.train.x.shape
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(data.train.x, before)


@pytest.mark.parametrize(("mean", "std"), [GREY, COLOUR])
def test_an_empty_batch_and_a_single_sample(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    data = dataset(mean, std)
    assert data.prepare(np, data.train.x[:0]).shape == (0, 4, 5, len(mean))
    np.testing.assert_array_equal(data.prepare(np, data.train.x[3]), data.prepare(np, data.train.x)[3])


def test_only_the_given_module_is_used() -> None:
    """A stand-in for cupy, which refuses to mix with numpy: its arrays come from its asarray alone."""

    class Module:
        float32 = np.float32
        made = 0

        def asarray(self, values: object, dtype: object = None) -> np.ndarray:
            Module.made += 1
            return np.asarray(values, dtype=dtype)  # type: ignore[call-overload]

        def tile(self, values: np.ndarray, times: int) -> np.ndarray:
            return np.tile(values, times)

    data, module = dataset(*COLOUR), Module()
    first = data.prepare(module, data.train.x)
    assert Module.made == 3
    data.prepare(module, data.train.x)
    assert Module.made == 4  # the constants are made once
    np.testing.assert_array_equal(first, data.prepare(np, data.train.x))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 4, 5, 3), np.float32),
        np.zeros((2, 4, 5, 1), np.uint8),
        np.zeros(3, np.uint8),
        np.zeros((), np.uint8),
    ],
)
def test_other_arrays_are_refused(x: np.ndarray) -> None:
    with pytest.raises(RefDPError, match=r"toy: x is .* images must be uint8 with 3 channel"):
        dataset(*COLOUR).prepare(np, x)
