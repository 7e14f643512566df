"""Kernels: against definitions, against each other, at the rims; pinned traps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

mp = pytest.importorskip("mpmath")
import kernel_checks  # noqa: E402
import moment_oracle as oracle  # noqa: E402
from kernel_checks import one  # noqa: E402

from refdp.accounting import GaussianEvent, Ledger, Sampling, UnsupportedEventError, epsilon  # noqa: E402
from refdp.accounting.kernels import (  # noqa: E402
    BallsAndBins,
    Kernel,
    Poisson,
    PoissonGroup,
    PoissonReplace,
    TruncatedPoisson,
    Unsampled,
    WithoutReplacement,
)

_RATES = st.one_of(st.floats(1e-9, 0.999999), st.floats(-9, -0.01).map(lambda e: 10.0**e))
_SIGMAS = st.floats(math.log10(0.05), 5).map(lambda e: 10.0**e)
_ORDERS = st.floats(-5, 2.5).map(lambda e: 1 + 10.0**e)

CHECKS = [value for name, value in vars(kernel_checks).items() if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_named(check: Any) -> None:
    check()


def _kernels(rate: float) -> list[Kernel]:
    return [
        Poisson(rate),
        PoissonReplace(rate),
        WithoutReplacement(rate),
        PoissonGroup(rate, 3),
        BallsAndBins(7),
    ]


@given(_RATES, _SIGMAS, _ORDERS)
@settings(max_examples=25)
def test_never_above_the_unsampled_step_and_falling_in_noise(rate: float, sigma: float, order: float) -> None:
    for kernel in _kernels(rate):
        less, more = kernel.rdp(np.array([sigma * 1.3, sigma]), order)
        assert 0 <= less <= more * (1 + 1e-9) + 1e-13 / (order - 1)
        assert more <= order * kernel.distance**2 / (2 * sigma**2) * (1 + 1e-12) + 1e-290
        assert kernel.unsampled_mu(sigma) == kernel.distance / sigma


@given(_RATES, _SIGMAS, _ORDERS)
@settings(max_examples=25)
def test_relations_in_order(rate: float, sigma: float, order: float) -> None:
    """add-remove <= replace-one <= the profile of without-replacement (same distances, no shared coin)."""
    add, swap, fixed = (one(k(rate), sigma, order) for k in (Poisson, PoissonReplace, WithoutReplacement))
    assert add <= swap * (1 + 1e-9)
    assert swap <= one(Unsampled(2.0), sigma, order) * (1 + 1e-12)
    attained = one(Poisson(rate), sigma / 2, order)  # the pair that without-replacement attains
    assert attained <= fixed * (1 + 1e-9)


@given(_RATES, st.floats(0.2, 50), _ORDERS, st.integers(1, 6))
@settings(max_examples=15)
def test_one_record_is_a_group_of_one(rate: float, sigma: float, order: float, size: int) -> None:
    alone, group = one(Poisson(rate), sigma, order), one(PoissonGroup(rate, size), sigma, order)
    assert alone <= group * (1 + 1e-9) + 1e-12 / (order - 1)
    if size == 1:
        assert group == pytest.approx(alone, rel=1e-9, abs=1e-12 / (order - 1))


@given(
    st.floats(0.01, 0.9), st.floats(0.5, 5), st.integers(2, 60), st.sampled_from(["add-remove", "zero-out"])
)
@settings(max_examples=15)
def test_a_cap_never_helps_the_bound(rate: float, sigma: float, records: int, relation: str) -> None:
    for cap in {1, max(1, records // 2), records - 1}:
        value = one(TruncatedPoisson(rate, records, cap, relation), sigma, 3.0)
        assert value >= one(Poisson(rate), sigma, 3.0) * (1 - 1e-9) or cap < records
        crowded, drawn = TruncatedPoisson(rate, records, cap, relation).cut(records)
        assert 0 <= crowded <= 1
        assert drawn <= rate


@pytest.mark.parametrize(("rate", "records", "cap"), [(0.01, 10_000, 130), (0.3, 50, 20), (1e-4, 10**6, 160)])
def test_cut_probabilities(rate: float, records: int, cap: int) -> None:
    with mp.workdps(40):
        q = mp.mpf(rate)

        def tail(k: int, n: int) -> Any:
            return mp.betainc(k + 1, n - k, 0, q, regularized=True)

        crowded = tail(cap - 1, records - 1)
        drawn = cap * tail(cap, records) / records / crowded
    found = TruncatedPoisson(rate, records, cap, "zero-out").cut(records)
    assert found == pytest.approx((float(crowded), float(drawn)), rel=1e-8)


def test_a_cap_out_of_reach_costs_nothing() -> None:
    capped = TruncatedPoisson(0.01, 10_000, 250, "add-remove")
    assert one(capped, 1.0, 3.0) == pytest.approx(one(Poisson(0.01), 1.0, 3.0), rel=1e-12)


def test_without_replacement_is_below_the_ternary_bound() -> None:
    """Wang, Balle, Kasiviswanathan 2019, Theorem 9, at integer orders (multiplier / 2 = sigma)."""
    for rate in (1e-3, 0.05, 0.4):
        for sigma in (0.7, 2.0, 6.0):
            for order in (2, 3, 8, 24):
                total = mp.mpf(1)
                for j in range(2, order + 1):
                    growth = mp.exp(mp.mpf(j * (j - 1)) / (2 * sigma**2))
                    factor = (
                        min(4 * (mp.exp(1 / mp.mpf(sigma) ** 2) - 1), 2 * growth) if j == 2 else 2 * growth
                    )
                    total += mp.mpf(rate) ** j * mp.binomial(order, j) * factor
                assert one(WithoutReplacement(rate), 2 * sigma, float(order)) <= mp.log(total) / (order - 1)


def test_without_replacement_trap() -> None:
    """Zero-out: another record takes the freed place. The Poisson pair under-reports its delta 37 times."""
    sigma, rate, cuts = 1.0, 0.1, [x / 4 for x in range(-60, 61)]
    true = oracle.hockey_stick(
        oracle.mixture(sigma, {2.0: rate}), oracle.mixture(sigma, {1.0: rate}), mp.e, cuts
    )
    poisson = oracle.hockey_stick(oracle.mixture(sigma, {1.0: rate}), oracle.mixture(sigma, {}), mp.e, cuts)
    assert 36 < true / poisson < 38
    sampling = Sampling("without-replacement", dataset_size=10, batch_size=1)
    for relation in ("zero-out", "add-remove"):
        with pytest.raises(UnsupportedEventError, match="another record takes the freed place"):
            Ledger(relation, (GaussianEvent(1.0, sampling),))


def test_replace_one_is_not_add_remove() -> None:
    """At multiplier 1 and delta 1e-5: 9.997, where add-remove's value is 4.377 (4.729 by RDP)."""
    for sampling in (Sampling("full-batch"), Sampling("poisson", 1.0)):
        upper = epsilon(Ledger("replace-one", (GaussianEvent(1.0, sampling),)), 1e-5).upper
        assert upper == pytest.approx(9.997, abs=1e-3)
    near = Ledger("replace-one", (GaussianEvent(1.0, Sampling("poisson", 0.999)),))
    assert epsilon(near, 1e-5, "rdp").upper > 9.9
    assert one(PoissonReplace(0.1), 1.0, 2.0) > 2 * one(Poisson(0.1), 1.0, 2.0)


def test_rims() -> None:
    for kernel in (
        PoissonReplace(1e-9),
        PoissonReplace(0.999),
        WithoutReplacement(1e-9),
        WithoutReplacement(0.999),
    ):
        for sigma in (1e-5, 0.005, 0.1, 1e6, 1e12):
            for order in (1 + 1e-9, 1.01, 30.5, 1e5, 1e12):
                value = one(kernel, sigma, order)
                assert 0 <= value <= 2 * order / sigma**2 * (1 + 1e-12) + 1e-290, (kernel, sigma, order)


def test_lower_pairs_are_below_the_upper_bounds() -> None:
    """One-step hockey-sticks of the attained pair against delta by RDP, for each kernel."""
    from refdp.accounting.conversions import CONVERSIONS

    for kernel in (*_kernels(0.1), TruncatedPoisson(0.1, 100, 12, "zero-out")):
        pairs = kernel.lower_pairs()
        assert pairs is not None
        assert len(pairs) == 2
        for pair in pairs:
            p, q = (
                oracle.mixture(1.0, dict(zip(side.means, side.weights, strict=True)))
                for side in (pair.p, pair.q)
            )
            delta = oracle.hockey_stick(p, q, mp.exp(0.5), [x / 4 for x in range(-60, 61)])
            for order in (2.0, 4.0):
                bound = CONVERSIONS["asoodeh2020"].log_delta_from_rdp(order, one(kernel, 1.0, order), 0.5)
                assert mp.log(delta) <= bound if delta > 0 else True


def test_unattained_kernels_have_no_lower_pairs() -> None:
    for kernel in (
        Poisson(0.1, False),
        PoissonReplace(0.1, False),
        WithoutReplacement(0.1, False),
        PoissonGroup(0.1, 2, False),
        BallsAndBins(5, False),
        TruncatedPoisson(0.1, 10, 3, "zero-out", False),
        Unsampled(1.0, False),
    ):
        assert kernel.lower_pairs() is None
        assert not kernel.attained


def test_equal_kernels_are_one_key() -> None:
    kernels = [Poisson(0.1), Poisson(0.1), PoissonReplace(0.1), WithoutReplacement(0.1), Unsampled(2.0)]
    assert len(set(kernels)) == 4
    assert len({kernel.name for kernel in kernels}) == 4
