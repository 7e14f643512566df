"""gaussian-clusters is s1's data, draw for draw."""

from __future__ import annotations

import numpy as np
import pytest

from refdp.data import Dataset, datasets, load
from refdp.errors import RefDPError


def rederived(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x float32 [500, 10], y [500]: written anew, one number at a time from the raw stream."""
    rng = np.random.RandomState(seed)
    centres = [[3 * rng.randn() for _ in range(10)] for _ in range(5)]
    rows = [
        ([rng.randn() * 1.5 + centres[label][j] for j in range(10)], label)
        for label in range(5)
        for _ in range(100)
    ]
    shuffled = [rows[i] for i in rng.permutation(500)]
    x = np.array([row for row, _ in shuffled])
    train = x[:400]
    mean = train.sum(axis=0) / 400
    std = np.sqrt(((train - mean) ** 2).sum(axis=0) / 400) + 1e-8
    return ((x - mean) / std).astype(np.float32), np.array([label for _, label in shuffled])


@pytest.mark.parametrize("seed", [42, 123, 456])
def test_equals_an_independent_derivation(seed: int) -> None:
    data = load("gaussian-clusters", seed=seed)
    x, y = rederived(seed)
    # x agrees to the last bit or so of float32 (sums in another order); labels and order exactly.
    np.testing.assert_allclose(np.concatenate([data.train.x, data.test.x]), x, rtol=3e-7, atol=3e-7)
    np.testing.assert_array_equal(np.concatenate([data.train.y, data.test.y]), y)


def test_first_values_of_seed_42() -> None:
    data = load("gaussian-clusters", seed=42)
    x, _ = rederived(42)
    assert data.train.x[0, 0] == pytest.approx(float(x[0, 0]), abs=1e-6)
    # The first draw of RandomState(42) is 0.4967141530112327, published in many places.
    assert np.random.RandomState(42).randn() == 0.4967141530112327


def test_shapes_and_types() -> None:
    data = load("gaussian-clusters")
    assert isinstance(data, Dataset)
    assert (data.train.x.shape, data.test.x.shape) == ((400, 10), (100, 10))
    assert (data.train.x.dtype, data.train.y.dtype) == (np.float32, np.int64)
    assert (data.input_shape, data.num_classes, data.mean, data.std) == ((10,), 5, None, None)
    assert abs(data.train.x.mean(axis=0)).max() < 1e-6
    assert abs(data.train.x.std(axis=0) - 1).max() < 1e-6
    assert np.bincount(np.concatenate([data.train.y, data.test.y])).tolist() == [100] * 5


def test_the_caveat_says_that_standardisation_is_not_covered() -> None:
    (caveat,) = load("gaussian-clusters").caveats
    assert "un-noised mean and std" in caveat
    assert "does not cover" in caveat


def test_the_seed_decides() -> None:
    one, same, other = (load("gaussian-clusters", seed=seed).train.x for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_features_pass_through_prepare() -> None:
    data = load("gaussian-clusters")
    assert data.prepare(np, data.test.x) is data.test.x
    with pytest.raises(RefDPError, match="dtype float64: features must be float32"):
        data.prepare(np, data.test.x.astype(float))


def test_parameters_in_the_name() -> None:
    data = load("gaussian-clusters:n_samples=60,n_features=4,n_classes=3,cluster_std=0")
    assert (data.train.x.shape, data.test.x.shape, data.num_classes) == ((48, 4), (12, 4), 3)
    assert len(np.unique(np.concatenate([data.train.x, data.test.x]), axis=0)) == 3


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ("n_samples=501", "n_samples = 501: must be a multiple of n_classes = 5; give 500"),
        ("n_samples=6,n_classes=7", "must be a multiple of n_classes = 7; give 7"),
        ("n_samples=4", "n_samples = 4: must be a whole number >= 5"),
        ("n_classes=0", "n_classes = 0: must be a whole number >= 1"),
        ("cluster_std=nan", "cluster_std = nan: must be in"),
        ("cluster_std=-1", "cluster_std = -1.0: must be in"),
        ("n_samples=1000000000000", "n_samples . n_features = .*: must be at most"),
        ("colour=1", "unknown parameter 'colour'"),
    ],
)
def test_bad_parameters(parameters: str, text: str) -> None:
    with pytest.raises(RefDPError, match=text):
        datasets.create(f"gaussian-clusters:{parameters}")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True])
def test_bad_seeds(seed: int) -> None:
    with pytest.raises(RefDPError, match=r"seed = .*: must be"):
        load("gaussian-clusters", seed=seed)


def test_unknown_name() -> None:
    with pytest.raises(RefDPError, match="unknown dataset 'mnits': choose one of cifar10, fashion-mnist"):
        load("mnits")
