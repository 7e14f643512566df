"""Views of a record and past weights: averaged before clipping, at the cost of one record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import record_checks as checks
from strict_backend import strict_backend

import refdp.engine as engine_module
from refdp.accounting import epsilon
from refdp.errors import RefDPError
from refdp.gradients import augmentations, iterates
from refdp.gradients.views.shift import Shift

FORMS: list[tuple[str | None, str | None, int, float]] = [
    (None, None, 1, 1.0),
    ("shift:views=1,pixels=0", None, 1, 1.0),
    ("shift:views=3,pixels=2", None, 1, 1.0),
    ("shift-flip:views=4,pixels=4", None, 1, 1.0),
    (None, "average:memory=1", 1, 1.0),
    (None, "average:memory=3", 3, 1.0),
    (None, "average:memory=4,decay=0.5", 4, 0.5),
    ("shift-flip:views=2,pixels=1", "average:memory=2,decay=0.9", 2, 0.9),
]
every_form = pytest.mark.parametrize(("augmentation", "past", "memory", "decay"), FORMS)


@every_form
def test_the_sum_is_of_averages_clipped_once(
    augmentation: str | None, past: str | None, memory: int, decay: float
) -> None:
    checks.check_sums(augmentation, past, memory, decay)


@every_form
def test_a_record_counts_once(augmentation: str | None, past: str | None, memory: int, decay: float) -> None:
    checks.check_sensitivity(augmentation, past)


@every_form
def test_chunks_workers_and_backends_agree(
    augmentation: str | None, past: str | None, memory: int, decay: float
) -> None:
    runs = [
        checks.trainer(augmentation, past, **how)
        for how in ({}, {"chunk": 2}, {"chunk": 3, "workers": 2}, {"backend": strict_backend()})
    ]
    for run in runs:
        for _ in range(4):
            run.advance()
        theta = run.backend.to_host(run.theta)
        np.testing.assert_allclose(theta, runs[0].theta, rtol=1e-9, atol=1e-12)


@every_form
def test_a_resumed_run_is_the_same_to_the_bit(
    augmentation: str | None, past: str | None, memory: int, decay: float
) -> None:
    straight = checks.trainer(augmentation, past)
    for stop in (1, 2, 5):
        stopped = checks.trainer(augmentation, past)
        while stopped.step < stop:
            stopped.advance()
        resumed = checks.trainer(augmentation, past)
        resumed.load_state(stopped.state())
        while resumed.step < 6:
            resumed.advance()
        while straight.step < 6:
            straight.advance()
        np.testing.assert_array_equal(resumed.theta, straight.theta)


@every_form
def test_it_costs_nothing(augmentation: str | None, past: str | None, memory: int, decay: float) -> None:
    plain, this = checks.trainer().plan, checks.trainer(augmentation, past).plan
    assert this.ledger().to_json() == plain.ledger().to_json()


@pytest.mark.parametrize("name", augmentations.names())
def test_a_record_s_views_are_its_own(name: str) -> None:
    checks.check_views_are_own(f"{name}:views=3,pixels=2")


def test_views_differ_between_records_steps_and_draws() -> None:
    run = checks.trainer("shift-flip:views=16,pixels=4")
    assert run.plan.augmentation is not None
    drawn = [run.plan.augmentation.draw(run.streams.views(step), 1000) for step in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any(axis=2).mean() > 0.99 * (1 - 1 / 162)
    for column, high in enumerate((9, 9, 2)):  # all moves are equally likely
        share = np.bincount(drawn[0][:, :, column].ravel(), minlength=high) / drawn[0][:, :, 0].size
        np.testing.assert_allclose(share, 1 / high, rtol=0.08)


def test_one_bad_view_drops_the_whole_record(monkeypatch: pytest.MonkeyPatch) -> None:
    run = checks.trainer("shift:views=2,pixels=1", clip_norm=0.1)
    original = Shift.view
    views = iter((1, 0))

    def view(self: Any, xp: Any, x: Any, drawn: Any) -> Any:
        return original(self, xp, x, drawn) if next(views) else np.full_like(x, np.nan, dtype=np.float32)

    monkeypatch.setattr(Shift, "view", view)
    monkeypatch.setattr(type(run.data), "prepare", lambda self, xp, x: x.astype(np.float32))
    assert not run.summed_gradient(np.arange(5)).any()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: checks.trainer("shift:views=2,pixels=5"), "shifts by 5 pixels need images with sides above"),
        (lambda: augmentations.create("shift:views=0"), "views = 0: must be a whole number >= 1"),
        (lambda: augmentations.create("shift:views=1000"), "views = 1000: must be <= 256"),
        (lambda: augmentations.create("shift"), "parameter 'views' is required"),
        (lambda: augmentations.create("shift:views=2,pixels=-1"), "pixels = -1: must be a whole number >= 0"),
        (lambda: augmentations.create("mixup:views=2"), "unknown augmentation 'mixup': choose one of"),
        (lambda: iterates.create("average:memory=0"), "memory = 0: must be a whole number >= 1"),
        (lambda: iterates.create("average:memory=65"), "memory = 65: must be <= 64"),
        (lambda: iterates.create("average:memory=2,decay=0"), r"decay = 0.0: must be in \[0.01, 1\]"),
        (lambda: iterates.create("average:memory=2,decay=nan"), "decay = nan: must be in"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(RefDPError, match=says):
        make()


def views_as_rows(patch: pytest.MonkeyPatch) -> None:
    """Each view clipped on its own, as a row of the batch: a record counts once a view."""

    def summed(self: Any, indices: np.ndarray) -> Any:
        rows = np.repeat(indices, 3)
        return _summed(self, rows)

    patch.setattr(engine_module.Trainer, "summed", summed)


def views_by_position(patch: pytest.MonkeyPatch) -> None:
    """Views drawn for places in the batch, so that a record's depend on who else is there."""

    def views(self: Any, indices: np.ndarray, chosen: Any) -> Any:
        drawn = self._drawn[1][: len(indices)]
        x = self._train_x[chosen]
        found = [self.plan.augmentation.view(np, x, drawn[:, k]) for k in range(drawn.shape[1])]
        return [self.data.prepare(np, view) for view in found]

    patch.setattr(engine_module.Trainer, "_views", views)


def the_same_shift_the_other_way(patch: pytest.MonkeyPatch) -> None:
    """Edges repeated where they should be mirrored."""

    def view(self: Any, xp: Any, x: Any, drawn: Any) -> Any:
        drawn = drawn.astype(int)
        height, width = x.shape[1:3]
        rows = np.clip(np.arange(height)[None] + drawn[:, :1] - self.pixels, 0, height - 1)
        columns = np.clip(np.arange(width)[None] + drawn[:, 1:2] - self.pixels, 0, width - 1)
        return x[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]

    patch.setattr(Shift, "view", view)


def momentum_of_sums(patch: pytest.MonkeyPatch) -> None:
    """The last un-noised sum is carried along: records of earlier batches leak into later steps."""

    def summed(self: Any, indices: np.ndarray) -> Any:
        total, counts = _summed(self, indices)
        self._carried = total + 0.9 * getattr(self, "_carried", 0.0)
        return self._carried, counts

    patch.setattr(engine_module.Trainer, "summed", summed)


_summed = engine_module.Trainer.summed

FAULTS: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None], str]] = [
    (views_as_rows, partial(checks.check_sensitivity, "shift:views=3,pixels=2", None), "moved the sum"),
    (views_by_position, partial(checks.check_views_are_own, "shift:views=3,pixels=2"), "Not equal|record"),
    (the_same_shift_the_other_way, partial(checks.check_sums, "shift:views=3,pixels=2", None), "Not equal"),
    (momentum_of_sums, partial(checks.check_sums, None, "average:memory=2", 2), "Not equal"),
    (momentum_of_sums, partial(checks.check_sensitivity, None, "average:memory=2"), "moved the sum"),
]


@pytest.mark.parametrize(("fault", "check", "says"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_the_fault_is_caught(
    fault: Callable[[pytest.MonkeyPatch], None],
    check: Callable[[], None],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check()  # sound as it stands
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        check()


def test_epsilon_of_an_augmented_run_is_that_of_a_plain_one() -> None:
    this, plain = checks.trainer("shift:views=4", "average:memory=3").plan, checks.trainer().plan
    assert this.epsilon().upper == epsilon(plain.ledger(), 1e-5).upper
