"""Charges that are forgotten or too small: each is caught by what is charged, and by what the calibrated run costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import schedule_formulas as formulas
from budget_checks import Run, check_budget, check_charges

import refdp.accounting.schedules as schedules_module
import refdp.plan as plan_module
from refdp.accounting import AccountingError, GaussianEvent, QuantileEvent, Sampling, Schedule
from refdp.clippers import AdaptiveClipper
from refdp.samplers.fixed_order import FixedOrder
from refdp.samplers.poisson import Poisson

Patch = pytest.MonkeyPatch


def cosine(rule: str, sampling: str = "poisson", rate: str = "constant") -> Run:
    return Run(rule, "cosine", sampling, batch=6, parameters={"amplitude": 0.5}, rate=rate)


def count_not_charged(patch: Patch) -> None:
    def plain(noise: Any, sampling: Any, count: int, *rest: float) -> GaussianEvent:
        return GaussianEvent(noise, sampling, count)

    patch.setattr(plan_module, "QuantileEvent", plain)


def count_at_half_its_sensitivity(patch: Patch) -> None:
    def half(noise: Any, sampling: Any, count: int, std: float, sensitivity: float) -> QuantileEvent:
        return QuantileEvent(noise, sampling, count, std, sensitivity / 2)

    patch.setattr(plan_module, "QuantileEvent", half)


def count_in_a_batch_of_its_own(patch: Patch) -> None:
    """The count is charged, but as if another batch had been drawn for it."""
    original = plan_module.Plan.ledger

    def apart(self: Any, steps: int | None = None) -> Any:
        whole = original(self, steps)
        parts = [GaussianEvent(e.noise, e.sampling, e.count) for e in whole.events]
        own = [
            QuantileEvent(None, e.sampling, e.count, e.count_noise, e.sensitivity, "own")
            for e in whole.events
            if isinstance(e, QuantileEvent)
        ]
        return type(whole)(whole.neighboring, (*parts, *own))

    patch.setattr(plan_module.Plan, "ledger", apart)


def declared_two_percent_above(patch: Patch) -> None:
    original = Poisson.events
    patch.setattr(
        Poisson,
        "events",
        lambda self, schedule, steps, beside=0.0: original(
            self, Schedule("cosine", schedule.steps, 1.02 * schedule.scale, schedule.parameters), steps
        ),
    )


def last_step_not_charged(patch: Patch) -> None:
    original = Poisson.events
    patch.setattr(
        Poisson,
        "events",
        lambda self, schedule, steps, beside=0.0: original(self, schedule, max(steps - 1, 0), beside),
    )


def mean_noise_of_an_epoch(patch: Patch) -> None:
    import refdp.samplers.shuffle as module

    patch.setattr(module, "least_of_each_epoch", lambda table: np.mean(np.minimum(table, 1e3), axis=1))


def first_position_charged(patch: Patch) -> None:
    import refdp.samplers.fixed_order as module

    patch.setattr(module, "worst_position", lambda table, beside=0.0: table[:, 0])


def worst_position_without_the_counts(patch: Patch) -> None:
    original = FixedOrder.events
    patch.setattr(
        FixedOrder, "events", lambda self, schedule, steps, beside=0.0: original(self, schedule, steps)
    )


def accuracy_not_charged(patch: Patch) -> None:
    patch.setattr(plan_module, "PrivatePlateau", AdaptiveClipper)


FAULTS: list[tuple[Callable[[Patch], None], Run, str]] = [
    (count_not_charged, cosine("quantile:count_noise=2"), "less is charged"),
    (count_not_charged, cosine("per-layer-quantile"), "less is charged"),
    (count_at_half_its_sensitivity, cosine("per-layer-quantile:share=0.1"), "less is charged"),
    (declared_two_percent_above, cosine("flat"), "less is charged"),
    (last_step_not_charged, cosine("flat"), "released that is not charged"),
    (mean_noise_of_an_epoch, cosine("flat", "shuffle"), "less is charged"),
    (first_position_charged, cosine("flat", "fixed-order"), "less is charged"),
    (accuracy_not_charged, cosine("flat", rate="plateau:every=4"), "released that is not charged"),
]


@pytest.mark.parametrize(("fault", "run", "says"), FAULTS)
def test_the_fault_is_caught(fault: Callable[[Patch], None], run: Run, says: str, monkeypatch: Patch) -> None:
    check_charges(run)  # sound as it stands
    check_budget(run, 3.0)
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        check_charges(run)
    with pytest.raises(AssertionError, match="exceeds the target"):
        check_budget(run, 3.0)


def test_a_count_charged_apart_is_caught(monkeypatch: Patch) -> None:
    run = cosine("quantile:share=0.5")
    check_charges(run)
    count_in_a_batch_of_its_own(monkeypatch)
    with pytest.raises(AssertionError, match="2 of 1 steps are charged"):
        check_charges(run)


def test_a_count_at_half_its_sensitivity_is_no_event() -> None:
    with pytest.raises(AccountingError, match=r"sensitivity = 0\.25"):
        QuantileEvent(1.0, Sampling("full-batch"), 1, 1.0, 0.25)


def test_the_counts_may_decide_which_position_is_worst(monkeypatch: Patch) -> None:
    """With no registered shape they do: there, a position that takes a step more is the worst anyway."""
    dip = np.array([1.5, 1.0, 1.5, 1.5])
    monkeypatch.setitem(schedules_module._SHAPES, "dip", lambda p: dip[: len(p)])
    run = Run("quantile:share=0.5", "dip", "fixed-order", steps=4, batch=20)
    with pytest.raises(AssertionError, match="schedule 'dip' is registered: give it a row"):
        check_charges(run)
    monkeypatch.setitem(formulas.ROWS, "dip", ({}, {}, lambda p: dip))
    check_charges(run)
    check_budget(run, 3.0)
    worst_position_without_the_counts(monkeypatch)
    with pytest.raises(AssertionError, match="less is charged"):
        check_charges(run)
