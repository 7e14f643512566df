"""For every registered rule, schedule and sampler: all that is released is charged, and no target is exceeded.

Registering a rule brings these tests; a schedule or a sampler needs a row, and fails here by name without one.
"""

from __future__ import annotations

import itertools
import math
import os

import budget_checks as checks
import pytest
import schedule_formulas as formulas
from budget_checks import Run, check_budget, check_charges
from clipper_checks import NAMES, SPECS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from refdp.accounting import (
    AccountingError,
    UnsupportedEventError,
    epsilon,
    shape_names,
)
from refdp.clippers import AdaptiveClipper, clippers
from refdp.samplers import samplers

DEEP = os.environ.get("REFDP_HYPOTHESIS") == "deep"
SHAPES, SAMPLINGS = shape_names(), samplers.names()
RULES = [spec.replace("1/2/0.5/3/1/1e-3", "1/2/0.5/3") for spec in SPECS]
COUNTING = [name for name in NAMES if issubclass(clippers.get(name), AdaptiveClipper)]
COUNTS = [
    f"{name}:{given}" for name in COUNTING for given in ("count_noise=100", "share=0.1", "quantile=0.3")
]
RATES = ("constant", "plateau:every=4", "plateau:count_noise=20", "plateau-public:every=3")
PLACES = [(sampling, relation) for sampling in SAMPLINGS for relation in checks.relations(sampling)]
AT_ONCE = [(s, r) for s, r in PLACES if s in ("shuffle", "fixed-order")]  # accounted in closed form


def shapes_of(rule: str) -> tuple[str, ...]:
    return ("constant",) if rule.startswith("dynamic") else SHAPES


@st.composite
def runs(draw: st.DrawFn, least_steps: int = 1, most_steps: int = 40) -> Run:
    rule = draw(st.sampled_from([*RULES, *COUNTS, *COUNTING]))
    shape = draw(st.sampled_from(shapes_of(rule)))
    sampling, relation = draw(st.sampled_from(PLACES))
    records = draw(st.integers(20, 3000))
    return Run(
        rule,
        shape,
        sampling,
        relation,
        steps=draw(st.integers(least_steps, most_steps)),
        records=records,
        batch=draw(st.integers(max(1, records // 50), records)),
        parameters=draw(formulas.parameters_of(shape)),
        harmonic=draw(st.booleans()),
        rate=draw(st.sampled_from(RATES)),
        delta=draw(st.sampled_from([1e-3, 1e-5, 1e-9])),
    )


@pytest.mark.parametrize("rule", [*RULES, *COUNTS, *(f"{name}:count_noise=0.7" for name in COUNTING)])
def test_every_step_and_every_count_is_charged(rule: str) -> None:
    for shape in shapes_of(rule):
        for (sampling, relation), rate in zip(PLACES * 2, RATES * len(PLACES), strict=False):
            check_charges(Run(rule, shape, sampling, relation, 12, 60, 14, formulas.row(shape)[0], rate=rate))


@given(runs(), st.floats(0.2, 20))
def test_every_step_and_every_count_of_random_runs_is_charged(run: Run, scale: float) -> None:
    check_charges(run, scale)


@pytest.mark.parametrize("rule", [*RULES, *COUNTS])
def test_no_unsampled_run_exceeds_its_target(rule: str) -> None:
    for shape in shapes_of(rule):
        for (sampling, relation), target in zip(AT_ONCE, (0.3, 1.0, 3.0, 20.0), strict=True):
            check_budget(Run(rule, shape, sampling, relation, parameters=formulas.row(shape)[0]), target)


@pytest.mark.parametrize("rule", NAMES)
def test_no_sampled_run_exceeds_its_target(rule: str) -> None:
    shape = shapes_of(rule)[NAMES.index(rule) % len(shapes_of(rule))]
    run = Run(rule, shape, batch=6, parameters=formulas.row(shape)[0])
    plan = check_budget(run, 4.0)
    spent = [epsilon(plan.ledger(steps), run.delta).upper or 0.0 for steps in (0, 1, 11, 12)]
    assert spent[0] == 0.0
    assert all(later > earlier for earlier, later in itertools.pairwise(spent))


@settings(max_examples=150 if DEEP else 9)
@given(runs(1 if DEEP else 12, 60), st.floats(0.3, 20))
@example(Run("quantile", "cosine", steps=30, parameters={"amplitude": 0.5}), 1.0)
@example(Run("per-layer-quantile:share=0.1", "linear", parameters={"start": 2.0, "end": 0.5}), 3.0)
@example(Run("dynamic:rho_mu=3", sampling="without-replacement", batch=30), 2.0)
def test_no_random_run_exceeds_its_target(run: Run, target: float) -> None:
    if checks.out_of_reach(run, target):
        with pytest.raises(AccountingError, match=r"^target_epsilon = .*out of reach"):
            run.plan().calibrated(target * 0.98)
    else:
        check_budget(run, target)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("rule", COUNTING)
def test_a_target_below_what_the_counts_cost_is_refused(rule: str, sampling: str) -> None:
    batch = 30 if sampling == "without-replacement" else 6  # where the accountant is quick
    run = Run(f"{rule}:count_noise=0.6", sampling=sampling, batch=batch)
    alone = epsilon(checks.by_hand(run, 1e9), run.delta).upper
    assert alone is not None
    with pytest.raises(AccountingError, match=r"^target_epsilon = .*out of reach") as refused:
        run.plan().calibrated(0.9 * alone)
    assert "\n" not in str(refused.value)
    check_budget(run, 1.2 * alone)
    check_budget(Run(f"{rule}:share=0.5", sampling=sampling, batch=batch), 0.9 * alone)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("rule", [*RULES, *COUNTS])
def test_no_noise_costs_everything(rule: str, sampling: str) -> None:
    found = Run(rule, sampling=sampling, steps=3).plan(0.0).epsilon()
    assert found.upper == math.inf


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_other_relations_are_refused(sampling: str) -> None:
    for relation in ("add-remove", "zero-out", "replace-one"):
        if relation not in checks.relations(sampling):
            with pytest.raises(UnsupportedEventError, match=f"neighboring {relation}"):
                Run("flat", sampling=sampling, neighboring=relation).plan()


def test_what_is_registered_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    for shape in SHAPES:
        assert formulas.row(shape)
    with pytest.raises(AssertionError, match="sampler 'new' is registered: give it a row"):
        checks.relations("new")
