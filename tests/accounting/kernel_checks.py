"""Checks of kernels, conversions and events by name: each passes here and fails on its seeded fault."""

from __future__ import annotations

import math

import moment_oracle as oracle
import mpmath as mp
import numpy as np

from refdp.accounting import GaussianEvent, HistogramEvent, QuantileEvent, Sampling
from refdp.accounting.conversions import CONVERSIONS
from refdp.accounting.events import BandMFEvent, Release
from refdp.accounting.kernels import (
    BallsAndBins,
    Kernel,
    Poisson,
    PoissonGroup,
    PoissonReplace,
    TruncatedPoisson,
    WithoutReplacement,
)

REPLACE_CELLS = [(0.1, 1.0, 2.0), (0.01, 0.7, 5.5), (0.5, 2.0, 1.01), (1e-5, 4.0, 12.0), (0.97, 0.6, 3.0)]
PROFILE_CELLS = [(0.1, 2.0, 2.0), (0.01, 1.5, 5.5), (0.5, 4.0, 1.01), (1e-5, 8.0, 12.0), (0.97, 1.2, 3.0)]
GROUP_CELLS = [(0.1, 2, 1.0, 2.5), (0.01, 5, 2.0, 8.0), (0.3, 3, 0.7, 4.2), (0.9, 4, 1.5, 3.0)]


def one(kernel: Kernel, multiplier: float, order: float) -> float:
    """RDP at one multiplier."""
    return float(kernel.rdp(np.array([multiplier]), order)[0])


def check_replace_one_encloses_truth() -> None:
    """The pair's divergence in both directions, from the definition: at most 1e-9 below the bound."""
    for rate, sigma, order in REPLACE_CELLS:
        p, q = oracle.mixture(sigma, {1.0: rate}), oracle.mixture(sigma, {-1.0: rate})
        value = one(PoissonReplace(rate), sigma, order)
        for truth in (oracle.rdp(p, q, order, sigma, 1.0), oracle.rdp(q, p, order, sigma, 1.0)):
            assert truth * (1 - mp.mpf("1e-20")) <= value <= truth * (1 + 1e-9), (rate, sigma, order)


def check_profile_encloses_truth() -> None:
    """Sampling without replacement: the integral over its hockey-sticks."""
    for rate, sigma, order in PROFILE_CELLS:
        truth = oracle.profile_rdp(rate, sigma, order)
        value = one(WithoutReplacement(rate), sigma, order)
        assert truth * (1 - mp.mpf("1e-18")) <= value <= truth * (1 + 1e-9), (rate, sigma, order)


def check_without_replacement_covers_data_sets() -> None:
    """Every data set of three records with contributions in {-1, 0, 1}, batches of one and two, all replacements."""
    sigma, order = 1.5, 3.0
    for batch in (1, 2):
        value = one(WithoutReplacement(batch / 3), sigma, order)
        for first, second, old, new in (
            (-1, -1, 1, -1),
            (-1, -1, -1, 1),
            (1, 0, -1, 1),
            (-1, 1, 1, -1),
            (-1, -1, 1, 0),
        ):
            densities = []
            for third in (old, new):
                records, weights = (first, second, third), {}
                sums = records if batch == 1 else [sum(records) - x for x in records]
                for total in sums:
                    weights[float(total)] = weights.get(float(total), 0.0) + 1 / 3
                densities.append(oracle.mixture(sigma, weights))
            assert oracle.rdp(*densities, order, sigma, 4.0) <= value * (1 + 1e-9), (
                batch,
                first,
                second,
                old,
                new,
            )


def check_group_encloses_truth() -> None:
    """k records: the binomial mixture against N(0), both directions."""
    for rate, size, sigma, order in GROUP_CELLS:
        weights = {
            float(j): math.comb(size, j) * rate**j * (1 - rate) ** (size - j) for j in range(1, size + 1)
        }
        p, q = oracle.mixture(sigma, weights), oracle.mixture(sigma, {})
        reach = float(size)
        truth = max(oracle.rdp(p, q, order, sigma, reach), oracle.rdp(q, p, order, sigma, reach))
        value = one(PoissonGroup(rate, size), sigma, order)
        assert truth * (1 - 1e-14) <= value <= truth * (1 + 1e-9), (rate, size, sigma, order)


def check_truncated_covers_data_sets() -> None:
    """Three records, cap 1, contributions at the extremes: the sampler enumerated."""
    sigma, order, rate = 1.2, 2.5, 0.4
    cases = [
        ("add-remove", [(-1, -1, 1), (-1, -1)], 3),
        ("add-remove", [(-1, -1), (-1, -1, 1)], 2),
        ("zero-out", [(-1, -1, 1), (-1, -1, 0)], 3),
        ("replace-one", [(-1, -1, 1), (-1, -1, -1)], 3),
        ("replace-one", [(0, 0, 1), (0, 0, -1)], 3),
    ]
    for relation, pair, records in cases:
        densities = [oracle.mixture(sigma, _capped_at_one(data, rate)) for data in pair]
        value = one(TruncatedPoisson(rate, records, 1, relation), sigma, order)
        for p, q in (densities, densities[::-1]):
            assert oracle.rdp(p, q, order, sigma, 2.0) <= value * (1 + 1e-9), (relation, pair)


def _capped_at_one(data: tuple[int, ...], rate: float) -> dict[float, float]:
    """Law of the one record kept: each, if drawn, with the same chance."""
    drawn = -math.expm1(len(data) * math.log1p(-rate))
    weights: dict[float, float] = {}
    for x in data:
        weights[float(x)] = weights.get(float(x), 0.0) + drawn / len(data)
    return {m: w for m, w in weights.items() if m != 0}


def check_balls_and_bins_cover_truth() -> None:
    """Two and three bins, both directions, by Gauss-Hermite quadrature in the plane and in space."""
    t, w = np.polynomial.hermite_e.hermegauss(100)
    w = w / math.sqrt(2 * math.pi)
    for bins, sigma, order in ((2, 1.0, 2.0), (2, 1.0, 3.0), (3, 1.0, 2.0), (2, 2.0, 2.5), (3, 1.5, 4.0)):
        r = np.exp(t / sigma - 1 / (2 * sigma**2))
        axes = np.meshgrid(*[r] * bins, indexing="ij")
        weight = np.prod(np.meshgrid(*[w] * bins, indexing="ij"), axis=0)
        mean = sum(axes) / bins
        kernel = BallsAndBins(bins)
        remove = math.log(float((weight * mean**order).sum())) / (order - 1)
        add = math.log(float((weight * mean ** (1 - order)).sum())) / (order - 1)
        assert max(remove, add) <= one(kernel, sigma, order) * (1 + 1e-9), (bins, sigma, order)
        if order == int(order):
            assert abs(kernel._remove(sigma, order) / remove - 1) < 1e-9


def check_best_conversion_is_attained() -> None:
    """asoodeh2020 against the binary pairs it is a maximum over: never below one of them."""
    best = CONVERSIONS["asoodeh2020"]
    for order, rdp in ((1.3, 0.5), (2.0, 0.1), (3.5, 2.0), (12.0, 0.03), (30.0, 1.0)):
        for p in (0.001, 0.05, 0.3, 0.9, 0.999):
            q = _least_partner(order, rdp, p)
            for epsilon in (0.0, 0.3 * rdp, rdp, rdp + 1.0):
                attained = p - math.exp(epsilon) * q
                if attained > 1e-12:
                    bound = best.log_delta_from_rdp(order, rdp, epsilon)
                    assert bound >= math.log(attained) - 1e-9, (order, rdp, p, epsilon)
                    assert best.epsilon_from_rdp(order, rdp, attained) >= epsilon - 1e-9


def _least_partner(order: float, rdp: float, p: float) -> float:
    """Least q with D_order((p, 1 - p) || (q, 1 - q)) <= rdp, rounded up."""
    low, high = 0.0, p
    for _ in range(200):
        q = (low + high) / 2
        a = order * math.log(p) - (order - 1) * math.log(q) if q > 0 else math.inf
        b = order * math.log1p(-p) - (order - 1) * math.log1p(-q)
        low, high = (low, q) if np.logaddexp(a, b) <= (order - 1) * rdp else (q, high)
    return high


def _only(event: Release, relation: str, size: int = 1) -> tuple[Kernel, float, float]:
    ((kernel, multipliers, counts),) = event.charges(relation, size)
    return kernel, float(multipliers[0]), float(counts.sum())


def check_count_joins_the_gradient() -> None:
    """Quantile at sensitivity 1/2: z = (sigma^-2 - (2 s)^-2)^(-1/2) beside a count of noise s costs sigma."""
    for sigma, s in ((1.0, 12.8), (0.7, 3.0), (4.0, 2.1)):
        z = (sigma**-2 - (2 * s) ** -2) ** -0.5
        event = QuantileEvent(z, Sampling("poisson", 0.1), 7, count_noise=s)
        for relation in ("add-remove", "zero-out", "replace-one"):
            kernel, multiplier, count = _only(event, relation)
            assert count == 7
            assert kernel.attained
            assert sigma * (1 - 1e-12) <= multiplier <= sigma
    alone = QuantileEvent(None, Sampling("poisson", 0.1), 7, count_noise=3.0, batch="own")
    assert 6 * (1 - 1e-12) <= _only(alone, "add-remove")[1] <= 6


def check_histogram_distances() -> None:
    """Squared distance of two neighbours' releases, full batch: gradient plus counts, in each relation."""
    z, s = 2.0, 3.0
    for bins, relation, expected in (
        (None, "add-remove", 1 / z**2 + 1 / s**2),
        (10, "zero-out", 1 / z**2 + 1 / s**2),
        (10, "replace-one", 4 / z**2 + 2 / s**2),
        (1, "replace-one", 4 / z**2 + 1 / s**2),
    ):
        event = HistogramEvent(z, Sampling("full-batch"), count_noise=s, bins=bins)
        kernel, multiplier, _ = _only(event, relation)
        assert kernel.attained
        found = (kernel.distance / multiplier) ** 2
        assert expected <= found <= expected * (1 + 1e-12), (bins, relation)
    sampled, multiplier, _ = _only(
        HistogramEvent(z, Sampling("poisson", 0.1), count_noise=s, bins=10), "replace-one"
    )
    assert multiplier**-2 >= 1 / z**2 + 1 / s**2
    assert sampled == PoissonReplace(0.1, attained=False)
    assert sampled.lower_pairs() is None


def check_band_mf_rounds_up() -> None:
    """ceil(T / b) compositions."""
    for steps, bands, expected in ((10, 1, 10), (10, 3, 4), (9, 3, 3), (2, 5, 1)):
        event = BandMFEvent(1.5, Sampling("poisson", 0.2), steps, bands=bands)
        assert _only(event, "zero-out") == (Poisson(0.2, attained=False), 1.5, expected)


def check_group_reaches_further() -> None:
    """k records of one person: distance k (2 k under replace-one) in unsampled steps."""
    event = GaussianEvent(1.0, Sampling("full-batch"))
    assert _only(event, "add-remove", 3)[0].distance == 3
    assert _only(event, "replace-one", 3)[0].distance == 6
    assert _only(GaussianEvent(1.0, Sampling("poisson", 0.1)), "zero-out", 3)[0] == PoissonGroup(0.1, 3)
