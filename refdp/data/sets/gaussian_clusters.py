"""Gaussian clusters, made on the spot: the data of the report s1, draw for draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.data.base import Dataset, Source, Split, datasets
from refdp.data.paths import DataDir
from refdp.errors import RefDPError
from refdp.validate import in_range, whole

_CAVEAT = (
    "gaussian-clusters: features are standardised with the un-noised mean and std of the train split, "
    "which the privacy guarantee does not cover"
)


@datasets.register("gaussian-clusters")
@dataclass(frozen=True)
class GaussianClusters(Source):
    """Equally large Gaussian clusters, one a class; the last fifth after one shuffle is the test split.

    Centres are 3 * N(0, 1) a coordinate. Features are standardised in float64 by the train split's mean
    and std + 1e-8 and stored as float32.

    Source of the order of draws: s1's program; numpy's legacy RandomState is frozen, so that a seed gives
    the same data with every numpy version.
    """

    n_samples: int = 500
    n_features: int = 10
    n_classes: int = 5
    cluster_std: float = 1.5

    name = "gaussian-clusters"

    def __post_init__(self) -> None:
        whole(1, n_features=self.n_features, n_classes=self.n_classes)
        whole(5, n_samples=self.n_samples)
        in_range(0, 1e6, cluster_std=self.cluster_std)
        if self.n_samples % self.n_classes:
            raise RefDPError(
                f"n_samples = {self.n_samples}: must be a multiple of n_classes = {self.n_classes}; "
                f"give {self.n_samples - self.n_samples % self.n_classes or self.n_classes}"
            )
        if self.n_samples * self.n_features > 2**27:
            raise RefDPError(
                f"n_samples * n_features = {self.n_samples * self.n_features}: must be at most {2**27}"
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.n_features,)

    @property
    def num_classes(self) -> int:
        return self.n_classes

    def load(self, data_dir: DataDir = None, seed: int = 0) -> Dataset:
        """x [N, n_features] float32, y [N] int64; ``data_dir`` is not used. seed: 0 .. 2^32 - 1."""
        whole(seed=seed)
        if seed >= 2**32:
            raise RefDPError(f"seed = {seed}: must be less than 2^32 = {2**32} for gaussian-clusters")
        rng = np.random.RandomState(seed)
        per_class = self.n_samples // self.n_classes
        centres = 3 * rng.randn(self.n_classes, self.n_features)
        clusters = [rng.randn(per_class, self.n_features) * self.cluster_std + centre for centre in centres]
        order = rng.permutation(self.n_samples)
        x = np.concatenate(clusters)[order]
        y = np.repeat(np.arange(self.n_classes, dtype=np.int64), per_class)[order]
        cut = self.n_samples - self.n_samples // 5
        x = ((x - x[:cut].mean(axis=0)) / (x[:cut].std(axis=0) + 1e-8)).astype(np.float32)
        train, test = Split(x[:cut], y[:cut]), Split(x[cut:], y[cut:])
        return Dataset(self.name, train, test, self.n_classes, None, None, (_CAVEAT,))
