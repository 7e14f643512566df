"""Softmax cross-entropy: values, gradients, extremes."""

import numpy as np
import pytest

from refdp.models.loss import cross_entropy


def test_value_and_gradient_of_a_known_case():
    losses, dlogits = cross_entropy(np, np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]), np.array([2, 0]))
    np.testing.assert_allclose(losses, [-np.log(5 / 8), -np.log(1 / 4)])
    np.testing.assert_allclose(dlogits, [[1 / 8, 2 / 8, -3 / 8], [-3 / 4, 1 / 4, 2 / 4]])


def test_gradient_equals_finite_differences():
    generator = np.random.default_rng(0)
    z, v = generator.standard_normal((2, 4, 6)) * 3
    labels = generator.integers(6, size=4)
    _, dlogits = cross_entropy(np, z, labels)
    up, down = (cross_entropy(np, z + sign * 1e-6 * v, labels)[0] for sign in (1, -1))
    np.testing.assert_allclose((dlogits * v).sum(axis=1), (up - down) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_neither_overflow_nor_leave_denormals(dtype):
    z = np.array([[1e4, 0, -1e4], [95, 0, 3], [69, 0, 3]], dtype=dtype)
    losses, dlogits = cross_entropy(np, z, np.array([1, 0, 0]))
    assert losses.dtype == dlogits.dtype == dtype
    np.testing.assert_allclose(losses, [1e4, 0, 0], rtol=1e-6, atol=1e-25)
    np.testing.assert_array_equal(dlogits[0], [1, -1, 0])
    assert (np.abs(dlogits[dlogits != 0]) >= 1e-30).all()
    assert dlogits[1, 1] == 0  # exp(-95) is 5e-42: denormal in float32, and dropped
    assert dlogits[2, 2] > 0


def test_nan_is_kept():
    losses, dlogits = cross_entropy(np, np.array([[np.nan, 0.0], [0.0, 0.0]]), np.array([0, 0]))
    assert np.isnan(losses[0])
    assert np.isnan(dlogits[0]).all()
    np.testing.assert_allclose(dlogits[1], [-0.5, 0.5])
