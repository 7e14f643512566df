"""How thresholds and noise are divided among parameter tensors: He et al. 2022, every division costs the same."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from adaptive_checks import BATCH, spec_of
from clipper_checks import LAYERS, SIZES, context_of, make
from helpers import small_data, small_plan, small_trainer
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp, mpf

from refdp.clippers import ClipContext
from refdp.clippers.shares import ALLOCATIONS, noise_scales, thresholds
from refdp.errors import RefDPError

RULES = ("per-layer", "per-layer-quantile")
BOUNDS = ("uniform", "dimension", "1/2/0.5/3/1/1e-3", "/".join(["1e-30", "1e30"] * 3))


def assert_allocated(stds: np.ndarray, limits: np.ndarray, sizes: tuple[int, ...], allocation: str) -> None:
    """std_l = a_l sqrt(sum_k C_k^2 / a_k^2), and sum_l (C_l / std_l)^2 is 1 to rounding, in exact fractions."""
    exact = [mpf(float(c)) for c in limits]
    weights = {
        "global": [mpf(1)] * len(sizes),
        "equal": exact,
        "dimension": [c / mp.sqrt(size) for c, size in zip(exact, sizes, strict=True)],
    }[allocation]
    total = mp.sqrt(sum((c / a) ** 2 for c, a in zip(exact, weights, strict=True)))
    for got, a in zip(stds, weights, strict=True):
        assert abs(mpf(float(got)) / (a * total) - 1) < 1e-13, f"{allocation}: noise allocated otherwise"
    spent = sum((Fraction(float(c)) / Fraction(float(s))) ** 2 for c, s in zip(limits, stds, strict=True))
    assert spent <= 1, f"{allocation}: a record reaches {float(spent)} of the noise allocated"
    assert spent >= 1 - Fraction(1, 10**13)


def check_allocation(name: str) -> None:
    """A rule's noise is the paper's for each allocation, and exactly what its thresholds need."""
    bounds = BOUNDS if name == "per-layer" else ("uniform",)
    for allocation in ALLOCATIONS:
        for choice in bounds:
            shares = {"bounds": choice} if name == "per-layer" else {}
            clipper: Any = make(spec_of(name, allocation=allocation, **shares), 0.3)
            for step in (0, 4):
                context = context_of(clipper, step)
                limits = (
                    thresholds(0.3, choice, SIZES) if name == "per-layer" else context.released["clip_norms"]
                )
                assert_allocated(clipper.noise_scales(context), limits, SIZES, allocation)


def check_delivered_allocation(name: str) -> None:
    """The trainer's noise on each tensor has the standard deviation allocated to it at that step."""
    for allocation in ALLOCATIONS:
        trainer = small_trainer(clipping=spec_of(name, allocation=allocation), hidden=30, steps=40)
        groups, sizes = trainer.plan.groups, trainer.plan.sizes
        nothing = np.zeros(trainer.plan.network.size), np.zeros(len(groups))
        trainer.summed = lambda indices, nothing=nothing: nothing  # type: ignore[method-assign,misc]
        drawn: list[list[np.ndarray]] = [[] for _ in groups]
        for _ in range(40):
            limits = trainer.released.get("clip_norms", np.full(len(groups), 0.5 / math.sqrt(len(groups))))
            weights = {
                "global": np.ones(len(groups)),
                "equal": limits,
                "dimension": limits / np.sqrt(np.array(sizes)),
            }[allocation]
            stds = 1.3 * weights * math.sqrt(float(np.sum((limits / weights) ** 2)))
            before = trainer.theta.copy()
            trainer.advance()
            noise = (before - trainer.theta) * BATCH
            for found, group, std in zip(drawn, groups, stds, strict=True):
                found.append(noise[group] / std)
        for place, found in enumerate(drawn):
            values = np.concatenate(found)
            off = float(np.sqrt(np.mean(values**2)))
            assert abs(off - 1) < 5 / math.sqrt(2 * values.size), (
                f"{name}, {allocation}: the noise of tensor {place} is off by {off:.3f}"
            )


@pytest.mark.parametrize("name", RULES)
def test_a_rule_allocates_as_the_paper(name: str) -> None:
    check_allocation(name)


@pytest.mark.parametrize("name", RULES)
def test_the_trainer_delivers_the_allocation(name: str) -> None:
    check_delivered_allocation(name)


tensors = st.lists(
    st.tuples(st.integers(1, 10**9), st.floats(-30, 30).map(lambda x: 10.0**x)), min_size=1, max_size=8
)


@given(tensors, st.floats(-30, 30), st.sampled_from(["uniform", "dimension", "given"]))
@example([(1, 1e-30), (10**9, 1e30)], -30.0, "given")
@example([(1, 1e-30)] * 8, 30.0, "given")
@example([(1, 1.0), (10**9, 1.0)] * 4, 0.0, "dimension")
def test_thresholds_and_noise_at_any_sizes_and_shares(
    drawn: list[tuple[int, float]], exponent: float, bounds: str
) -> None:
    """sum C_l^2 <= C^2 exactly, in the proportions asked for; sum (C_l / std_l)^2 <= 1 exactly."""
    sizes = tuple(size for size, _ in drawn)
    shares = [min(max(share, 1e-30), 1e30) for _, share in drawn]
    c = min(max(10.0**exponent, 1e-30), 1e30)
    choice = "/".join(map(repr, shares)) if bounds == "given" else bounds
    limits = thresholds(c, choice, sizes)
    wanted = {"uniform": [mpf(1)] * len(sizes), "dimension": [mp.sqrt(size) for size in sizes]}.get(
        bounds, [mpf(share) for share in shares]
    )
    total = mp.sqrt(sum(a**2 for a in wanted))
    for got, a in zip(limits, wanted, strict=True):
        assert abs(mpf(float(got)) / (mpf(c) * a / total) - 1) < 1e-13
    spent = sum(Fraction(float(limit)) ** 2 for limit in limits)
    assert spent <= Fraction(c) ** 2
    assert spent >= Fraction(c) ** 2 * (1 - Fraction(1, 10**13))
    for allocation in ALLOCATIONS:
        assert_allocated(noise_scales(allocation, limits, sizes), limits, sizes, allocation)


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("name", RULES)
def test_every_allocation_costs_the_same(name: str, allocation: str) -> None:
    plan = small_plan(small_data(), clipping=spec_of(name, allocation=allocation), sampling="fixed-order")
    plain = small_plan(small_data(), clipping=name, sampling="fixed-order")
    assert plan.ledger().to_json() == plain.ledger().to_json()
    assert plan.epsilon().upper == plain.epsilon().upper


@pytest.mark.parametrize("bounds", ["1/2/3", "1", "/".join(["1"] * (LAYERS + 1))])
def test_a_wrong_number_of_bounds_is_refused(bounds: str) -> None:
    clipper = make(f"per-layer:bounds={bounds}")
    context = ClipContext(0, 1, 0.0, SIZES)
    for use in (
        lambda: clipper.scales(np, np.ones((2, LAYERS)), context),
        lambda: clipper.noise_scales(context),
        lambda: small_plan(small_data(), clipping=f"per-layer:bounds={bounds}"),  # before a run starts
    ):
        with pytest.raises(RefDPError, match="give one for each"):
            use()


@pytest.mark.parametrize("bounds", ["1/", "0/1", "-1/1", "1/nan", "1/inf", "1e31/1", "half"])
def test_bounds_that_are_no_proportions_are_refused(bounds: str) -> None:
    with pytest.raises(RefDPError, match="bounds = "):
        make(f"per-layer:bounds={bounds}")
