"""Q2: what adaptive clipping costs, in the ledger and by Theorem 1 of Andrew et al. 2021."""

from __future__ import annotations

import math
from typing import Any

import pytest
from adaptive_checks import spec_of
from helpers import small_data, small_plan
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp, mpf

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    QuantileEvent,
    Sampling,
    Schedule,
    epsilon,
)
from refdp.clippers import clippers
from refdp.clippers.adaptive import gradient_noise_multiplier
from refdp.errors import RefDPError

RULES = ("quantile", "per-layer-quantile")
LAYERS = {"quantile": 1, "per-layer-quantile": 4}  # the small model has four tensors
every_rule = pytest.mark.parametrize("name", RULES)


def joint(z: float, count_noise: float, layers: int) -> float:
    """(z^-2 + (sqrt(L) / (2 s))^2)^(-1/2)."""
    return (z**-2 + layers / (4 * count_noise**2)) ** -0.5


def check_ledger(name: str) -> None:
    """The plan costs what plain Gaussian steps at the joint noise multiplier cost, on the same batches."""
    data, steps = small_data(), 20
    for z, count_noise in ((1.3, 0.6), (2.0, 5.0), (8.0, 0.9)):
        spec = spec_of(name, count_noise=count_noise)
        for sampling, scheme, count in (
            ("poisson", Sampling("poisson", rate=12 / 60), steps),
            ("fixed-order", Sampling("fixed-order", epochs=4), 1),
        ):
            plan = small_plan(data, clipping=spec, sampling=sampling, noise_multiplier=z, steps=steps)
            plain = GaussianEvent(joint(z, count_noise, LAYERS[name]), scheme, count)
            expected = epsilon(Ledger(plan.neighboring, (plain,)), plan.delta)
            got = plan.epsilon()
            assert got.upper == pytest.approx(expected.upper, rel=1e-9), f"{name}: costs {got.upper}"
            assert got.lower == pytest.approx(expected.lower, rel=1e-9)


def check_share(name: str) -> None:
    """With share = rho and z = sigma / sqrt(1 - rho), the counts' noise is (sqrt(L) / 2) sigma / sqrt(rho)."""
    data, layers = small_data(), LAYERS[name]
    for sigma, rho in ((1.0, 0.01), (0.7, 0.2), (3.0, 0.9), (2.0, 1e-6)):
        z, expected = sigma / math.sqrt(1 - rho), math.sqrt(layers) / 2 * sigma / math.sqrt(rho)
        plan = small_plan(
            data, clipping=spec_of(name, share=rho), noise_multiplier=z, sampling="fixed-order", steps=20
        )
        assert plan.count_noise_std == pytest.approx(expected, rel=1e-12), f"{name}: not the share's noise"
        plain = Ledger(plan.neighboring, (GaussianEvent(sigma, Sampling("fixed-order", epochs=4), 1),))
        assert plan.epsilon().upper == pytest.approx(epsilon(plain, plan.delta).upper, rel=1e-9)


@every_rule
def test_the_ledger_charges_gradients_and_counts_as_one_release(name: str) -> None:
    check_ledger(name)


@every_rule
def test_a_share_of_the_budget_goes_to_the_counts(name: str) -> None:
    check_share(name)


@every_rule
def test_a_schedule_is_charged_with_the_counts_step_by_step(name: str) -> None:
    schedule, steps, s = Schedule("cosine", 9, 1.5, {"amplitude": 0.5}), 9, 2.0
    plan = small_plan(small_data(), clipping=spec_of(name, count_noise=s), schedule=schedule, steps=steps)
    multipliers = [1.5 * (1 + 0.5 * math.cos(math.pi * (t + 0.5) / steps)) for t in range(steps)]
    plain = tuple(
        GaussianEvent(joint(z, s, LAYERS[name]), Sampling("poisson", rate=0.2)) for z in multipliers
    )
    expected = epsilon(Ledger("add-remove", plain), plan.delta).upper
    assert plan.epsilon().upper == pytest.approx(expected, rel=1e-6)  # grouped bins


@every_rule
def test_part_of_a_run_is_charged_for_its_counts_too(name: str) -> None:
    plan = small_plan(small_data(), clipping=spec_of(name, count_noise=0.6))
    (event,) = plan.ledger(7).events
    assert isinstance(event, QuantileEvent)
    assert (event.count, event.count_noise, event.sensitivity) == (7, 0.6, math.sqrt(LAYERS[name]) / 2)
    assert plan.ledger(0).events == ()


@every_rule
def test_the_default_count_noise(name: str) -> None:
    """B / 20, or more where that would cost above 5 % of 1 / sigma^2, sigma the joint multiplier."""
    clipper: Any = clippers.create(name, clip_norm=1.0)
    layers = LAYERS[name]
    for z, batch in ((1.0, 256), (1.0, 64), (1.3, 12), (20.0, 256), (0.1, 1)):
        s = clipper.count_noise_std(z, batch, layers)
        part = (layers / (4 * s**2)) * joint(z, s, layers) ** 2
        assert part <= 0.05 * (1 + 1e-12)
        assert s == pytest.approx(batch / 20) or part == pytest.approx(0.05)
        assert s >= batch / 20


def test_a_replaced_record_moves_both_twice_as_far() -> None:
    data, s = small_data(), 2.0
    plan = small_plan(data, clipping=spec_of("quantile", count_noise=s), sampling="without-replacement")
    assert plan.neighboring == "replace-one"
    sampling = Sampling("without-replacement", dataset_size=60, batch_size=12)
    plain = Ledger("replace-one", (GaussianEvent(joint(1.3, s, 1), sampling, 20),))
    assert plan.epsilon().upper == pytest.approx(epsilon(plain, plan.delta).upper, rel=1e-9)


@every_rule
def test_calibration_sees_the_counts(name: str) -> None:
    """The joint multiplier solved for is a plain run's; counts that cost more than the target allows are refused."""
    data = small_data()
    options: dict[str, Any] = {"sampling": "fixed-order", "batch_size": 60}
    flat = small_plan(data, **options).calibrated(3.0).schedule.scale
    plan = small_plan(data, clipping=spec_of(name, count_noise=20), **options).calibrated(3.0)
    upper = plan.epsilon().upper
    assert upper is not None
    assert 2.9999 < upper <= 3.0
    assert joint(plan.schedule.scale, 20, LAYERS[name]) == pytest.approx(flat, rel=1e-6)
    needed = gradient_noise_multiplier(flat, 20, LAYERS[name])
    assert plan.schedule.scale == pytest.approx(needed, rel=1e-5)
    with pytest.raises(AccountingError):
        small_plan(data, clipping=spec_of(name, count_noise=3), **options).calibrated(3.0)


@example(0.0, -12.0, 1)
@example(0.0, -15.0, 4)
@given(st.floats(-3, 3), st.floats(-14, 6), st.integers(1, 200))
def test_theorem_1_is_inverted(exponent: float, beyond: float, layers: int) -> None:
    """At least the exact value, to the last digits, also where the counts cost nearly everything."""
    wanted = 10.0**exponent
    count_noise = wanted * math.sqrt(layers) / 2 * (1 + 10.0**beyond)
    found = gradient_noise_multiplier(wanted, count_noise, layers)
    with mp.workdps(50):
        exact = 1 / mp.sqrt(mpf(wanted) ** -2 - mpf(layers) / (4 * mpf(count_noise) ** 2))
        assert exact <= mpf(found) <= exact * (1 + mpf(10) ** -14)


@given(st.floats(-3, 3), st.floats(-15, -1), st.integers(1, 200))
def test_theorem_1_near_its_end(exponent: float, beyond: float, layers: int) -> None:
    """Counts that cost nearly everything: what the two cost together is right to the last digit all the same."""
    wanted = 10.0**exponent
    count_noise = wanted * math.sqrt(layers) / 2 * (1 + 10.0**beyond)
    try:
        found = gradient_noise_multiplier(wanted, count_noise, layers)
    except RefDPError:
        assert beyond < -14
        return
    with mp.workdps(50):
        together = 1 / mp.sqrt(mpf(found) ** -2 + mpf(layers) / (4 * mpf(count_noise) ** 2))
        assert wanted * (1 - mpf(2) ** -51) <= together <= wanted * (1 + mpf(2) ** -48)


@pytest.mark.parametrize("layers", [1, 4, 60])
def test_counts_as_dear_as_the_whole_are_refused(layers: int) -> None:
    for factor in (1.0, 0.999, 1e-6):
        with pytest.raises(RefDPError, match="use more count_noise"):
            gradient_noise_multiplier(1.0, factor * math.sqrt(layers) / 2 * (1 - 1e-15), layers)


@pytest.mark.parametrize(("batch", "percent"), [(256, 0.08), (64, 1.24)])
def test_the_inflation_is_the_papers(batch: int, percent: float) -> None:
    """At sigma = 1 and the default count noise B / 20."""
    s = clippers.create("quantile", clip_norm=1.0).count_noise_std(1.0, batch, 1)  # type: ignore[attr-defined]
    assert s == batch / 20
    assert round(100 * (gradient_noise_multiplier(1.0, s) - 1), 2) == percent


def test_one_way_of_giving_the_count_noise() -> None:
    for parameters in ("count_noise=1,share=0.1", "share=0", "share=1", "count_noise=0"):
        with pytest.raises(RefDPError):
            clippers.create(f"quantile:{parameters}", clip_norm=1.0)
