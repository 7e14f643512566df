"""P12 over every registered rule and schedule: registering one brings these tests.

The noise is right in all of them, and refused in all of them when it is a third too small or too large.
"""

from __future__ import annotations

import noise_checks as checks
import numpy as np
import pytest
from clipper_checks import NAMES, SPECS
from noise_faults import counts_times, noise_times

import refdp.accounting.schedules as schedules_module
from refdp.accounting import Schedule, shape_names
from refdp.clippers import AdaptiveClipper, clippers
from refdp.errors import RefDPError
from refdp.samplers import samplers

Patch = pytest.MonkeyPatch
SHAPES = shape_names()
OWN_SCHEDULE = ("dynamic",)  # rules that bring their own
PAIRS = [
    (rule, shape) for rule in NAMES for shape in SHAPES if rule not in OWN_SCHEDULE or shape == "constant"
]
OTHERS = [spec.replace("1/2/0.5/3/1/1e-3", "1/2/0.5/3") for spec in SPECS if spec not in NAMES]
COUNTING = [name for name in NAMES if issubclass(clippers.get(name), AdaptiveClipper)]
COUNT_SPECS = [spec for spec in OTHERS if spec.partition(":")[0] in COUNTING]
FEW = ("flat", "per-layer:allocation=equal", "quantile")
THIRDS = (2 / 3, 4 / 3)
every_pair = pytest.mark.parametrize(("rule", "shape"), PAIRS)
third = pytest.mark.parametrize("ratio", THIRDS, ids=["less", "more"])


@every_pair
def test_the_noise_is_what_is_declared_and_fresh(rule: str, shape: str) -> None:
    checks.check_gradient_noise(rule, shape)


@every_pair
@third
def test_noise_wrong_by_a_third_is_refused(rule: str, shape: str, ratio: float, monkeypatch: Patch) -> None:
    noise_times(ratio)(monkeypatch)
    found = checks.gradient_p_values([checks.recover(rule, shape, seed) for seed in checks.SEEDS])
    by = {says for says, p in found.items() if p <= checks.LEVEL}
    assert {
        "the noise is not N(0, 1) times what is declared",
        "the noise's scale is not what is declared",
        "the noise's scale is off at some step",
        "the noise's scale is off in some tensor",
    } <= by, found


@pytest.mark.parametrize("rule", OTHERS)
def test_at_other_parameters(rule: str) -> None:
    checks.check_gradient_noise(rule, "constant" if rule.startswith(OWN_SCHEDULE) else "cosine")


@pytest.mark.parametrize("rule", FEW)
@pytest.mark.parametrize("sampling", samplers.names())
def test_under_every_sampler(rule: str, sampling: str) -> None:
    checks.check_gradient_noise(rule, "cosine", sampling=sampling)


def test_with_past_weights() -> None:
    checks.check_gradient_noise("flat", "cosine", iterates="average:memory=3")


def test_in_single_precision() -> None:
    checks.check_gradient_noise("flat", "cosine", dtype=np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", COUNTING)
def test_the_noise_of_counts_is_what_is_declared_and_fresh(rule: str, shape: str) -> None:
    checks.check_count_noise(rule, shape)


@pytest.mark.parametrize("rule", COUNT_SPECS)
def test_the_noise_of_counts_at_other_parameters(rule: str) -> None:
    checks.check_count_noise(rule, "cosine")


@pytest.mark.parametrize("sampling", samplers.names())
def test_the_noise_of_counts_under_every_sampler(sampling: str) -> None:
    checks.check_count_noise("quantile", "cosine", sampling=sampling)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", COUNTING)
@third
def test_noise_of_counts_wrong_by_a_third_is_refused(
    rule: str, shape: str, ratio: float, monkeypatch: Patch
) -> None:
    counts_times(ratio)(monkeypatch)
    with pytest.raises(AssertionError, match=r"the counts' noise (is not N|has a scale)"):
        checks.check_count_noise(rule, shape)


def test_the_noise_of_the_accuracy_is_what_is_declared_and_fresh() -> None:
    checks.check_accuracy_noise("cosine")


@pytest.mark.parametrize("rule", OWN_SCHEDULE)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_rule_with_a_schedule_of_its_own_refuses_others(rule: str, shape: str) -> None:
    if shape == "constant":
        assert clippers.create(rule, clip_norm=1.0).noise_schedule(checks.schedule_of(shape)).kind != shape
        return
    with pytest.raises(RefDPError, match=f"schedule = '{shape}': the rule {rule} brings its own"):
        checks.recover(rule, shape, 1)


@pytest.mark.parametrize("rule", [name for name in NAMES if name not in OWN_SCHEDULE])
def test_the_other_rules_take_the_schedule_asked_for(rule: str) -> None:
    for shape in SHAPES:
        asked = checks.schedule_of(shape)
        assert clippers.create(rule, clip_norm=1.0).noise_schedule(asked) is asked


@pytest.mark.parametrize("shape", SHAPES)
def test_the_ledger_declares_the_formula(shape: str) -> None:
    """What the noise is measured by here is what the ledger says."""
    for rule in ("flat", "dynamic") if shape == "constant" else ("flat",):
        plan = checks.small_plan(checks.DATA, clipping=rule, schedule=checks.schedule_of(shape))
        (event,) = plan.ledger().events
        multipliers = np.full(checks.STEPS, event.noise) if rule == "flat" and shape == "constant" else None
        if multipliers is None:
            assert isinstance(event.noise, Schedule)
            multipliers = event.noise.noise_multipliers()
        np.testing.assert_allclose(multipliers, checks.declared(rule, shape), rtol=1e-12)


def test_a_registered_schedule_without_a_row_is_refused(monkeypatch: Patch) -> None:
    monkeypatch.setitem(schedules_module._SHAPES, "new-shape", lambda p: np.ones_like(p))
    assert "new-shape" in shape_names()
    with pytest.raises(AssertionError, match=r"give it a row in schedule_formulas\.ROWS"):
        checks.schedule_of("new-shape")


def test_the_sizes_are_enough() -> None:
    """A third too little or too much is missed with probability 1e-6 at most, in all, at a step and in a tensor."""
    (run,) = [checks.recover("flat", "constant", 1, steps=2)]
    rows = checks.STEPS * len(checks.SEEDS)
    smallest = min(g.stop - g.start for g in run.groups)
    sizes = [(run.noise.shape[1], rows), (smallest * rows, len(run.groups))]
    sizes.append((checks.COUNT_STEPS * len(checks.SEEDS), 1))
    for size, tests in sizes:
        assert min(checks.power(size, ratio, tests) for ratio in THIRDS) > 1 - 1e-6, (size, tests)
    assert checks.power(100, 4 / 3) < 0.9  # the computation itself can fail
    runs = len(PAIRS) + len(OTHERS) + len(FEW) * len(samplers.names()) + 2
    counted = len(COUNTING) * len(SHAPES) + len(COUNT_SPECS) + len(samplers.names()) + 1
    assert 10 * runs + 4 * counted <= checks.CHECKS
