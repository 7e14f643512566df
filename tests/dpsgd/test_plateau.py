"""Learning rates that follow an accuracy: PyTorch's rule, what it sees, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import record_checks as checks

import refdp.plan as plan_module
from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon
from refdp.errors import RefDPError
from refdp.optimizers import lr_schedules
from refdp.optimizers.lr.plateau_rule import Plateau
from refdp.report import privacy_statement
from refdp.rng import Streams


def pytorch(
    metrics: list[float], factor: float, patience: int, threshold: float, min_factor: float
) -> list[float]:
    """torch.optim.lr_scheduler.ReduceLROnPlateau(mode="max", threshold_mode="rel", cooldown=0), from its documentation
    and source (2.x): the factor after each call of ``step(metric)`` from a base learning rate of 1."""
    rate, best, bad, found = 1.0, -math.inf, 0, []
    for metric in metrics:
        if metric > best * (threshold + 1.0):
            best, bad = metric, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = max(rate * factor, min_factor), 0
        found.append(rate)
    return found


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize(("reduction", "threshold", "lowest"), [(0.1, 1e-4, 0.0), (0.5, 0.05, 0.2)])
def test_the_rule_is_pytorch_s(patience: int, reduction: float, threshold: float, lowest: float) -> None:
    check_rule(patience, reduction, threshold, lowest)


def check_rule(
    patience: int = 3, reduction: float = 0.1, threshold: float = 1e-4, lowest: float = 0.0
) -> None:
    """The factor after each accuracy is PyTorch's."""
    rng = np.random.default_rng(patience)
    metrics = list(np.linspace(-0.2, 0.7, 60) + 0.1 * rng.standard_normal(60))  # a noised one may be negative
    spec = f"plateau-public:patience={patience},reduction={reduction},threshold={threshold},lowest={lowest}"
    rule: Any = lr_schedules.create(spec)
    state, found = rule.initial(), []
    for metric in metrics:
        state = rule.observed(state, metric)
        found.append(rule.factor(0, 1, state))
    assert found == pytest.approx(pytorch(metrics, reduction, patience, threshold, lowest), rel=1e-12)
    assert min(found) < 1


def test_what_is_seen_is_what_is_charged() -> None:
    checks.check_plateau_counts()


def test_the_counts_are_in_the_ledger_as_they_are_made() -> None:
    check_ledger()


def check_ledger() -> None:
    """Each count is charged from the step on at which it is made, as a release on the full batch."""
    plan = checks.trainer(lr_schedule="plateau:count_noise=2,every=2", steps=6).plan
    for steps, counts in ((0, 0), (1, 0), (2, 1), (5, 2), (6, 3)):
        events = plan.ledger(steps).events
        found = [event.count for event in events if event.sampling.scheme == "full-batch"]
        assert found == ([counts] if counts else [])
    by_hand = Ledger(
        "add-remove",
        (
            GaussianEvent(0.8, Sampling("poisson", rate=12 / 30), 6),
            GaussianEvent(2 * 2.0, Sampling("full-batch"), 3),
        ),
    )
    assert plan.epsilon().upper == pytest.approx(epsilon(by_hand, 1e-5).upper, rel=1e-9)
    assert plan.epsilon().lower > checks.trainer(steps=6).plan.epsilon().upper


@pytest.mark.parametrize(("records", "std"), [(30, 10.0), (2000, 10.0), (60000, 300.0)])
def test_the_default_noise(records: int, std: float) -> None:
    rule: Any = lr_schedules.create("plateau")
    assert rule.count_noise_std(records) == std


def test_an_epoch_is_the_default_interval() -> None:
    assert checks.trainer(lr_schedule="plateau").plan.observe_every == 3
    assert checks.trainer(lr_schedule="plateau:every=5").plan.observe_every == 5
    assert checks.trainer().plan.observe_every is None


def test_a_calibrated_run_keeps_its_budget_with_the_counts() -> None:
    plan = checks.trainer(lr_schedule="plateau:every=1,count_noise=8").plan.calibrated(2.0)
    upper = plan.epsilon().upper
    assert upper is not None
    assert upper <= 2.0
    assert plan.schedule.scale > checks.trainer().plan.calibrated(2.0).schedule.scale


def test_the_learning_rate_falls_in_a_run_and_after_a_resumption() -> None:
    def run(stop: int) -> Any:
        found = checks.trainer(lr_schedule="plateau-public:patience=0,every=1,reduction=0.5", steps=30)
        while found.step < stop:
            found.advance()
        return found

    straight, resumed = run(30), run(0)
    assert straight.lr_state["factor"] < 0.01
    resumed.load_state(run(17).state())
    while resumed.step < 30:
        resumed.advance()
    np.testing.assert_array_equal(resumed.theta, straight.theta)
    assert resumed.lr_state == straight.lr_state


def test_the_public_form_is_not_charged_and_says_what_it_assumes() -> None:
    run = checks.trainer(lr_schedule="plateau-public")
    assert run.plan.ledger().to_json() == checks.trainer().plan.ledger().to_json()
    statement = privacy_statement(run.plan, run.data, run.plan.epsilon(), run.streams)
    assert "ASSUMED PUBLIC" in statement
    private = checks.trainer(lr_schedule="plateau")
    statement = privacy_statement(private.plan, private.data, private.plan.epsilon(), private.streams)
    assert "ASSUMED PUBLIC" not in statement
    assert "counts of training records predicted right (noise 10)" in statement


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("plateau:reduction=1", "reduction = 1.0: must be in"),
        ("plateau:reduction=0", "reduction = 0.0: must be in"),
        ("plateau:patience=-1", "patience = -1: must be a whole number >= 0"),
        ("plateau:every=0", "every = 0: must be a whole number >= 1"),
        ("plateau:count_noise=0", "count_noise = 0.0: must be in"),
        ("plateau:count_noise=nan", "count_noise = nan: must be in"),
        ("plateau-public:count_noise=3", "unknown parameter 'count_noise'"),
        ("plateau:threshold=inf", "threshold = inf: must be in"),
    ],
)
def test_parameters_out_of_range_are_refused(spec: str, says: str) -> None:
    with pytest.raises(RefDPError, match=says):
        lr_schedules.create(spec)


def counts_without_noise(patch: pytest.MonkeyPatch) -> None:
    """The learning rate follows the count itself."""
    patch.setattr(Streams, "accuracy", lambda self, step: np.zeros)


def the_same_noise_each_time(patch: pytest.MonkeyPatch) -> None:
    """Noise drawn once for all counts."""
    once = Streams.accuracy
    patch.setattr(Streams, "accuracy", lambda self, step: once(self, 0))


def counts_not_charged(patch: pytest.MonkeyPatch) -> None:
    """The ledger leaves them out."""
    patch.setattr(plan_module.Plan, "observe_every", property(lambda self: None))


def a_third_too_little_noise(patch: pytest.MonkeyPatch) -> None:
    """Less noise than the ledger has."""
    once = Streams.accuracy
    patch.setattr(Streams, "accuracy", lambda self, step: lambda size: once(self, step)(size) * 2 / 3)


def patience_off_by_one(patch: pytest.MonkeyPatch) -> None:
    """Reduced when ``patience`` bad ones were seen, where PyTorch waits for one more."""
    original = Plateau.observed

    def early(self: Any, state: Any, accuracy: float) -> Any:
        return original(self, {**state, "waited": state["waited"] + 1}, accuracy)

    patch.setattr(Plateau, "observed", early)


FAULTS: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = [
    (counts_without_noise, checks.check_plateau_counts),
    (the_same_noise_each_time, checks.check_plateau_counts),
    (a_third_too_little_noise, checks.check_plateau_counts),
    (counts_not_charged, check_ledger),
    (patience_off_by_one, check_rule),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_the_fault_is_caught(
    fault: Callable[[pytest.MonkeyPatch], None], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    check()  # sound as it stands
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check()
